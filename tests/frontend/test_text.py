from datetime import UTC, datetime, timedelta

import pytest

from frontend import text

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.8614903, "0.8615"),
        (301.234, "301.2"),
        (68_690.123, "68,690"),
        (12_345_678_901.5, "1.235e+10"),
        (0.0000123, "1.230e-05"),
        (3, "3"),
        (3.0, "3"),
        (-0.003, "-0.003"),
        (None, "-"),
    ],
)
def test_number_has_four_significant_digits(value: float | None, shown: str) -> None:
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(2, "just now"), (30, "30 s ago"), (150, "2 min ago"), (90_000, "1 d ago")],
)
def test_ago_takes_the_largest_unit(seconds: int, shown: str) -> None:
    assert text.ago(NOW - timedelta(seconds=seconds), now=NOW) == shown


@pytest.mark.parametrize("mark", list("![]()<>*_`#$:|~^\\"))
def test_plain_escapes_every_mark(mark: str) -> None:
    assert text.plain(f"a{mark}b") == f"a\\{mark}b"


def test_plain_keeps_one_line() -> None:
    assert text.plain("a\n\n# b") == r"a \# b"


@pytest.mark.parametrize(("count", "shown"), [(900, "900 B"), (1_423_529, "1.42 MB")])
def test_size_has_three_digits(count: int, shown: str) -> None:
    assert text.size(count) == shown


def test_contents_are_listed_as_people_say_them() -> None:
    assert text.contents(1, 2, 1) == "1 dataset, 2 fits and 1 model"
    assert text.contents(0, 0, 2) == "2 models"
    assert text.contents(0, 0, 0) == ""
