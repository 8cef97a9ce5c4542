"""How columns go along with a target, compared with textbook formulas, and leaks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import chi2_contingency

from backend.science.columns import describe_table
from backend.science.profiles.associations import Found, associate
from tests.science.profiles.test_profile import PENGUINS


def associated(frame: pl.DataFrame, target: str, folder: Path) -> dict[str, Found | None]:
    path = folder / "table.parquet"
    frame.write_parquet(path, row_group_size=500)
    return associate(path, describe_table(path), target)


def value_of(found: Found | None) -> float:
    assert found is not None
    return found.value


def test_numbers_are_correlated_as_by_pandas(tmp_path: Path) -> None:
    frame = pl.read_csv(PENGUINS, null_values=["NA", ""])
    found = associated(frame, "body_mass_g", tmp_path)
    theirs = pd.read_csv(PENGUINS).corr(numeric_only=True)["body_mass_g"]
    for name in ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "year"):
        assert value_of(found[name]) == pytest.approx(theirs[name], rel=1e-9)
    assert found["bill_length_mm"] is not None
    assert (found["bill_length_mm"].kind, found["bill_length_mm"].pairs) == ("pearson", 342)


def test_category_and_number_have_the_correlation_ratio(tmp_path: Path) -> None:
    frame = pl.read_csv(PENGUINS, null_values=["NA", ""])
    known = pd.read_csv(PENGUINS).dropna(subset=["body_mass_g"])
    mass = known["body_mass_g"]
    means = mass.groupby(known["species"]).transform("mean")
    expected = np.sqrt(((means - mass.mean()) ** 2).sum() / ((mass - mass.mean()) ** 2).sum())
    for one, other in (("species", "body_mass_g"), ("body_mass_g", "species")):
        found = associated(frame, one, tmp_path)[other]
        assert found is not None
        assert found.kind == "correlation_ratio"
        assert found.value == pytest.approx(expected)


def test_categories_have_cramers_v_without_its_bias(tmp_path: Path) -> None:
    frame = pl.read_csv(PENGUINS, null_values=["NA", ""])
    theirs = pd.read_csv(PENGUINS)
    table = pd.crosstab(theirs["species"], theirs["island"])
    n, (r, k) = table.to_numpy().sum(), table.shape
    phi = chi2_contingency(table, correction=False).statistic / n - (r - 1) * (k - 1) / (n - 1)
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    found = associated(frame, "species", tmp_path)
    assert found["island"] is not None
    assert found["island"].kind == "cramers_v"
    assert found["island"].value == pytest.approx(np.sqrt(phi / least))
    assert value_of(found["sex"]) == 0


def test_columns_that_give_the_target_away_are_leaks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    price = random.lognormal(size=400)
    grade = random.choice(["a", "b", "c"], 400)
    frame = pl.DataFrame(
        {
            "price": price,
            "in_cents": 100 * price + 1,
            "near": price + random.normal(size=400),
            "grade": grade,
            "code": [{"a": 4, "b": 9, "c": 5}[one] for one in grade],
            "finer": [f"{one}{number % 4}" for number, one in enumerate(grade)],
            "place": random.choice(["n", "s"], 400),
            "key": [f"k{number}" for number in range(400)],
            "same": [1] * 400,
        }
    )
    found = associated(frame, "price", tmp_path)
    assert {name for name, one in found.items() if one and one.leak} == {"in_cents"}
    found = associated(frame, "grade", tmp_path)
    assert {name for name, one in found.items() if one and one.leak} == {"code", "finer"}
    assert not {"key", "same", "grade"} & found.keys()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([1.0, None, 2.0, None], None),
        ([1.0, 1.0, 1.0, 1.0], None),
        ([1e308, -1e308, 1e308, 0.0], "pearson"),
        ([float("inf"), 1.0, 2.0, 4.0], "pearson"),
    ],
)
def test_too_few_or_equal_values_have_no_association(
    x: list[Any], expected: str | None, tmp_path: Path
) -> None:
    frame = pl.DataFrame({"x": x, "y": [1.0, 2.0, 3.5, 4.0]})
    found = associated(frame, "y", tmp_path).get("x")
    assert (found and found.kind) == expected
    assert found is None or -1 <= found.value <= 1


def test_long_tables_are_sampled(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=250_000)
    noise = np.random.default_rng(1).normal(size=250_000)
    found = associated(pl.DataFrame({"x": x, "y": x + noise}), "y", tmp_path)["x"]
    assert found is not None
    assert found.pairs == 200_000
    assert found.value == pytest.approx(np.sqrt(0.5), abs=0.005)
