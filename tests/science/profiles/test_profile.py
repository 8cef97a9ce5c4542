"""Profiles of tables, compared with pandas."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.science.columns import describe_table
from backend.science.profiles.profile import TableProfile, profile_table
from backend.science.profiles.statistics import PROBABILITIES

PENGUINS = Path(__file__).parents[2] / "data" / "penguins.csv"
Column = dict[str, Any]


def profiled(frame: pl.DataFrame, folder: Path, **options: Any) -> TableProfile:
    path = folder / "table.parquet"
    frame.write_parquet(path, row_group_size=1_000)
    profile = profile_table(path, describe_table(path), **options)
    # All of it must go through JSON.
    stored = json.loads(json.dumps(asdict(profile), allow_nan=False))
    return TableProfile(stored["columns"], stored["duplicate_rows"])


def close(ours: float | None, theirs: float) -> bool:
    """Equal to a billionth, where pandas has no overflow of its own."""
    if ours is None:
        return not math.isfinite(theirs)
    return not math.isfinite(theirs) or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def check_numbers(column: Column, theirs: "pd.Series[Any]") -> None:
    present = theirs.dropna()
    assert column["distinct"] == present.nunique()
    assert (column["min"], column["max"]) == (present.min(), present.max())
    with np.errstate(all="ignore"):
        expected = {"mean": present.mean(), "sd": present.std()}
    for name, value in expected.items():
        assert close(column[name], float(value)), name
    for share in PROBABILITIES:
        ours = column["quantiles"][f"{share:g}"]
        with np.errstate(all="ignore"):
            assert close(ours, float(present.quantile(share))), share
    counted = {top["value"]: top["count"] for top in column["top"]}
    theirs_top = present.value_counts()
    assert [theirs_top[value] for value in counted] == list(counted.values())
    assert sorted(counted.values()) == sorted(theirs_top.head(20))
    assert sum(column["histogram"]["counts"]) == len(present)


def test_profile_of_the_penguins_is_that_of_pandas(tmp_path: Path) -> None:
    theirs = pd.read_csv(PENGUINS)
    frame = pl.read_csv(PENGUINS, null_values=["NA", ""])
    profile = profiled(frame, tmp_path)
    assert profile.duplicate_rows == theirs.duplicated().sum() == 0
    for column in profile.columns:
        known = theirs[column["name"]]
        assert not column["is_approximate"]
        if column["quantiles"] is None:
            assert column["distinct"] == known.nunique()
            counts = known.value_counts()
            assert {top["value"]: top["count"] for top in column["top"]} == counts.to_dict()
        else:
            check_numbers(column, known)
            assert close(column["skewness"], float(known.skew()))


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.sampled_from([0.0, -0.0, 1.5, -3.25, 1e300, 5e-324]),
    st.none(),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(NUMBERS, min_size=1, max_size=60))
def test_any_numbers_have_the_quantiles_and_counts_of_pandas(
    tmp_path: Path, values: list[float | None]
) -> None:
    column = profiled(pl.DataFrame({"x": values}, schema={"x": pl.Float64}), tmp_path).columns[0]
    present = pd.Series([value for value in values if value is not None], dtype="float64")
    if present.empty:
        assert (column["distinct"], column["min"], column["quantiles"]) == (0, None, None)
    else:
        check_numbers(column, present)
