"""Dates, text, booleans, samples of long columns, and what is worth a warning."""

import itertools
import math
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.science.profiles.findings import find_image_problems
from backend.science.profiles.keys import DistinctCounter
from backend.science.profiles.moments import Moments
from backend.science.profiles.ordered import bins_of, find_outliers
from tests.science.profiles.test_profile import profiled

Column = dict[str, Any]


def column_of(values: Any, folder: Path, **options: Any) -> Column:
    column: Column = profiled(pl.DataFrame({"x": values}), folder, **options).columns[0]
    return column


def test_dates_have_dates_as_quantiles_and_bins(tmp_path: Path) -> None:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 1, 30), eager=True)
    column = column_of(days, tmp_path)
    assert (column["min"], column["max"], column["mean"]) == ("2024-01-01", "2024-01-30", None)
    assert column["quantiles"]["0.5"] == "2024-01-15T12:00:00"
    assert column["quantiles"]["0.01"].startswith("2024-01-01T06:57:36")
    assert column["histogram"]["edges"][:2] == ["2024-01-01", "2024-01-02"]
    assert column["histogram"]["counts"] == [1] * 30
    moments = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 2), "6h", eager=True, time_unit="us"
    )
    column = column_of(moments, tmp_path)
    assert (column["min"], column["max"]) == ("2024-01-01T00:00:00", "2024-01-02T00:00:00")
    assert column["quantiles"]["0.5"] == "2024-01-01T12:00:00"
    assert sum(column["histogram"]["counts"]) == 5


@pytest.mark.parametrize("kind", [pl.Date, pl.Datetime("us")])
def test_end_of_time_is_never_passed(kind: pl.DataType, tmp_path: Path) -> None:
    """9999-12-31 often stands for "until further notice"."""
    end = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001  # tables know no zones
    start = datetime(2024, 1, 1)  # noqa: DTZ001  # stored times are naive
    column = column_of(
        pl.Series([start, *[end] * 40], dtype=pl.Datetime("us")).cast(kind), tmp_path
    )
    shown = [*column["histogram"]["edges"], *column["quantiles"].values()]
    assert max(shown) == "9999-12-31T23:59:59.999999"
    assert min(shown) >= "2024-01-01"
    assert column["quantiles"]["0.99"] == column["max"]


def test_text_and_booleans_have_their_most_frequent_values(tmp_path: Path) -> None:
    column = column_of(["b", "a", None, "b", "c" * 300], tmp_path)
    assert (column["min"], column["distinct"]) == ("a", 3)
    assert [(top["value"][:3], top["count"]) for top in column["top"]] == [
        ("b", 2),
        ("a", 1),
        ("ccc", 1),
    ]
    assert len(column["max"]) == 200
    column = column_of([True, None, False, True], tmp_path)
    assert (column["mean"], column["distinct"]) == (pytest.approx(2 / 3), 2)
    assert column["top"] == [{"value": True, "count": 2}, {"value": False, "count": 1}]


def test_infinite_values_are_counted_and_left_out_of_the_rest(tmp_path: Path) -> None:
    column = column_of([1.0, 2.0, math.inf, -math.inf, math.inf, None], tmp_path)
    assert (column["infinite"], column["distinct"], column["mean"]) == (3, 4, 1.5)
    assert (column["min"], column["max"]) == (1, 2)
    assert column["warnings"][0]["message"] == "3 values too large or infinite"
    assert column_of([math.inf, math.inf], tmp_path)["quantiles"] is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None] * 30, ["empty"]),
        ([1.5] * 30, ["constant"]),
        (list(range(30)), ["id_like"]),
        ([None] * 10 + [0.5 * (i % 7) for i in range(20)], ["missing"]),
        ([math.exp(i) for i in range(30)], ["skew", "outliers"]),
        (["a"] * 29 + ["b"], ["imbalance"]),
        ([f"kind {i % 60}" for i in range(200)], ["high_cardinality"]),
        ([f"a note on {i % 70}" for i in range(100)], ["high_cardinality"]),
        ([i % 10 for i in range(60)], []),
    ],
)
def test_odd_columns_are_named(values: list[Any], expected: list[str], tmp_path: Path) -> None:
    column = column_of(values, tmp_path)
    assert [warning["kind"] for warning in column["warnings"]] == expected


def test_classes_of_images_that_differ_much_in_size_are_named() -> None:
    assert find_image_problems({"cat": 10, "dog": 8}) == []
    (found,) = find_image_problems({"cat": 100, "dog": 8, "fox": 50})
    assert found.message == "100 images of 'cat' but only 8 of 'dog'"
    assert [one.kind for one in find_image_problems({"cat": 3})] == ["constant"]


def test_copies_of_rows_are_counted(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 1, None, 1, None], "b": ["x", "x", None, "y", None]})
    assert profiled(frame, tmp_path).duplicate_rows == 2


def test_long_columns_are_described_from_a_sample_that_says_so(tmp_path: Path) -> None:
    rows = 20_000
    random = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "x": random.lognormal(size=rows),
            "n": random.zipf(2, rows).clip(max=100),
            "t": random.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
        }
    )
    exact = profiled(frame, tmp_path).columns
    # Blocks of one column, each longer than what may be kept.
    rough = profiled(frame, tmp_path, block_cells=rows - 1).columns
    for one, other in zip(exact, rough, strict=True):
        assert (one["is_approximate"], other["is_approximate"]) == (False, True)
        assert one["distinct"] == other["distinct"]
        assert (one["min"], one["max"], one["zeros"]) == (
            other["min"],
            other["max"],
            other["zeros"],
        )
        assert other["mean"] == (one["mean"] and pytest.approx(one["mean"], rel=1e-12))
        if one["name"] != "x":
            assert other["top"][0]["value"] == one["top"][0]["value"]
            assert other["top"][0]["count"] == pytest.approx(one["top"][0]["count"], rel=0.1)
        for share, value in (one["quantiles"] or {}).items():
            if 0.05 <= float(share) <= 0.95:
                assert other["quantiles"][share] == pytest.approx(value, rel=0.1, abs=1)


def test_counter_estimates_within_two_percent_beyond_what_it_keeps() -> None:
    counter = DistinctCounter(most=5_000, sketch=4_096)
    random = np.random.default_rng(0)
    keys = random.permutation(np.arange(400_000, dtype=np.uint64) % np.uint64(200_000))
    for part in np.array_split(keys, 9):
        counter.add(part)
    counted = counter.count()
    assert not counter.is_exact
    # Standard error of this sketch: 1.6 %.
    assert abs(counted / 200_000 - 1) < 0.05
    small = DistinctCounter(most=5_000)
    small.add(keys[:1] * np.uint64(0))
    assert (small.count(), small.is_exact) == (1, True)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), max_size=20), min_size=1, max_size=5),
)
def test_moments_of_batches_are_those_of_all_values(batches: list[list[float]]) -> None:
    moments, whole = Moments(), Moments()
    for batch in batches:
        moments.add(np.array(batch, dtype=np.float64))
    whole.add(np.array(list(itertools.chain(*batches)), dtype=np.float64))
    assert moments.count == whole.count
    for name in ("mean", "sd"):
        ours, theirs = getattr(moments, name)(), getattr(whole, name)()
        assert ours == (theirs if theirs is None else pytest.approx(theirs, rel=1e-6, abs=1e-4))


def test_moments_of_large_numbers_are_exact() -> None:
    numbers = [10**15 + (7 * i * i) % 9 for i in range(5_000)]
    mean = Fraction(sum(numbers), len(numbers))
    spread, cubes = (sum((one - mean) ** n for one in numbers) / len(numbers) for n in (2, 3))
    moments = Moments()
    for part in np.array_split(np.array(numbers, dtype=np.float64), 3):
        moments.add(part)
    assert moments.sd() == pytest.approx(math.sqrt(spread * 5_000 / 4_999), rel=1e-12)
    skewness = float(cubes) / float(spread) ** 1.5 * math.sqrt(5_000 * 4_999) / 4_998
    assert moments.skewness() == pytest.approx(skewness, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(-(2**63), 2**63 - 1),
            st.integers(-50, 50),
        ),
        min_size=1,
    )
)
def test_bins_hold_every_whole_number_once(values: list[int]) -> None:
    bins = bins_of(np.sort(np.array(values, dtype=np.int64)))
    assert sum(bins.counts) == len(values)
    assert len(bins.edges) == len(bins.counts) + 1
    assert len(bins.counts) <= 40


def test_normal_numbers_of_a_large_column_are_no_outliers() -> None:
    numbers = np.sort(np.random.default_rng(3).normal(size=2_000_000))
    few = find_outliers(numbers)
    assert few is not None
    assert (few.below, few.above) == (0, 0)
    numbers[-1] = 50.0
    found = find_outliers(numbers)
    assert found is not None
    assert (found.below, found.above) == (0, 1)
