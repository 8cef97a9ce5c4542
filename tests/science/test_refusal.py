"""What is passed on of a library's error."""

import pytest

from backend.science.refusal import in_short


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "[10:11:12] /workspace/src/objective/a.cu:54: Check failed: x\nStack trace:\n  /usr/b",
            "ValueError: [10:11:12] a.cu:54: Check failed: x",
        ),
        ("\nAll 5 fits failed.\nmore", "ValueError: All 5 fits failed."),
        ("no '/home/ada/.cache/m.bin'", "ValueError: no 'm.bin'"),
        (
            "km/h, a/b and https://scikit-learn.org/stable/a.html stay",
            "ValueError: km/h, a/b and https://scikit-learn.org/stable/a.html stay",
        ),
        ("", "ValueError"),
    ],
)
def test_library_error_is_one_line_without_folders(message: str, expected: str) -> None:
    assert in_short("ValueError", message) == expected


def test_library_error_is_short() -> None:
    assert len(in_short("ValueError", "/a" * 1_000_000)) <= 500
