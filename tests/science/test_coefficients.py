"""Coefficients in the columns' own units, compared with statsmodels on the same rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from backend.science.coefficients import Coefficient, Coefficients
from backend.science.fit import FitResult, fit
from backend.science.spec import FitSpec
from tests.science.tables import Sample, mixed, penguins, sample

OLS = "ordinary_least_squares"


def run(data: Sample, target: str, features: Sequence[str], **spec: Any) -> FitResult:
    wanted = FitSpec(target=target, features=tuple(features), **{"estimator": OLS, **spec})
    return fit(wanted, data.table, data.columns, on_progress=lambda _share, _text: None)


def told(result: FitResult) -> Coefficients:
    assert result.coefficients is not None
    return result.coefficients


def by_term(result: FitResult) -> dict[str, Coefficient]:
    return {item.term: item for item in told(result).items}


def trained_rows(data: Sample, result: FitResult, target: str) -> pd.DataFrame:
    """The rows that the fit learnt from, missing values filled as its pipeline does."""
    frame: pd.DataFrame = data.table.to_pandas()
    known = frame[frame[target].notna()]
    train = known
    if result.holdout is not None:
        train = known.drop(index=result.holdout.rows.tolist())
    assert len(train) == result.rows_used
    return train.fillna(
        {
            name: train[name].median()
            if pd.api.types.is_numeric_dtype(train[name])
            else train[name].mode()[0]
            for name in train.columns
        }
    )


def assert_same(result: FitResult, reference: Any, names: dict[str, str]) -> None:
    found = by_term(result)
    assert set(found) == set(names)
    low, high = reference.conf_int()[0], reference.conf_int()[1]
    for term, other in names.items():
        item = found[term]
        wanted = [series[other] for series in (reference.params, reference.bse)]
        wanted += [series[other] for series in (reference.tvalues, reference.pvalues, low, high)]
        numbers = [item.estimate, item.standard_error, item.statistic, item.p_value]
        numbers += [item.ci_low, item.ci_high]
        assert numbers == pytest.approx(wanted, rel=1e-8, abs=1e-12), term


def test_least_squares_on_penguins_are_those_of_statsmodels() -> None:
    data = penguins()
    features = ["flipper_length_mm", "bill_length_mm", "species", "island"]
    result = run(data, "body_mass_g", features)
    train = trained_rows(data, result, "body_mass_g")
    formula = "body_mass_g ~ flipper_length_mm + bill_length_mm + C(species) + C(island)"
    reference = smf.ols(formula, train).fit()
    names = {"(Intercept)": "Intercept", features[0]: features[0], features[1]: features[1]}
    for column, values in (
        ("species", ["Chinstrap", "Gentoo"]),
        ("island", ["Dream", "Torgersen"]),
    ):
        names |= {f"{column}={value}": f"C({column})[T.{value}]" for value in values}
    assert_same(result, reference, names)
    assert told(result).references == {"species": "Adelie", "island": "Biscoe"}
    assert told(result).degrees_of_freedom == reference.df_resid
    assert told(result).residual_standard_error == pytest.approx(reference.mse_resid**0.5)


def test_missing_values_have_terms_of_their_own() -> None:
    data = sample(mixed())
    result = run(data, "amount", ["x", "place"])
    train = trained_rows(data, result, "amount")
    raw = data.table.to_pandas().loc[train.index]
    train["x_missing"] = raw["x"].isna().astype(float)
    train["place_missing"] = raw["place"].isna().astype(float)
    reference = smf.ols("amount ~ x + x_missing + C(place) + place_missing", train).fit()
    names = {"(Intercept)": "Intercept", "x": "x", "x is missing": "x_missing"}
    names |= {f"place={value}": f"C(place)[T.{value}]" for value in ("north", "south")}
    assert_same(result, reference, {**names, "place is missing": "place_missing"})


def test_without_intercept_the_first_categories_all_have_terms() -> None:
    data = penguins()
    result = run(data, "body_mass_g", ["bill_depth_mm", "species"], params={"fit_intercept": False})
    train = trained_rows(data, result, "body_mass_g")
    reference = smf.ols("body_mass_g ~ bill_depth_mm + C(species) - 1", train).fit()
    kinds = ("Adelie", "Chinstrap", "Gentoo")
    names = {f"species={kind}": f"C(species)[{kind}]" for kind in kinds}
    assert_same(result, reference, {**names, "bill_depth_mm": "bill_depth_mm"})


def test_coefficients_predict_what_the_model_predicts() -> None:
    data = sample(mixed().drop_nulls())
    result = run(data, "amount", ["x", "z"], estimator="ridge", params={"alpha": 7.0})
    found = {term: item.estimate or 0.0 for term, item in by_term(result).items()}
    frame = data.table.to_pandas()[["x", "z"]]
    by_hand = found["(Intercept)"] + found["x"] * frame["x"] + found["z"] * frame["z"]
    assert np.allclose(by_hand, result.pipeline.predict(frame), rtol=1e-12)
    assert all(item.standard_error is None for item in told(result).items)


@pytest.mark.parametrize(
    ("target", "classes"), [("sign", ["plus"]), ("third", ["high", "low", "middle"])]
)
def test_classes_have_coefficients_each(target: str, classes: list[str]) -> None:
    data = sample(mixed().drop_nulls())
    result = run(data, target, ["x", "z", "place"], estimator="ridge")
    items = told(result).items
    assert [item.of_class for item in items[::6]] == classes
    assert [item.term for item in items[:6]] == [
        "(Intercept)",
        "x",
        "z",
        "place=east",
        "place=north",
        "place=south",
    ]
    frame = data.table.to_pandas()[["x", "z", "place"]].head(20)
    score = result.pipeline.decision_function(frame).reshape(20, -1)[:, 0]
    first = {item.term: item.estimate or 0.0 for item in items[:6]}
    by_hand = first["(Intercept)"] + first["x"] * frame["x"] + first["z"] * frame["z"]
    by_hand += [first[f"place={value}"] for value in frame["place"]]
    assert np.allclose(by_hand, score, rtol=1e-10)


def test_column_that_repeats_others_is_named_and_not_guessed() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=60)
    frame = pl.DataFrame({"x": x, "twice": 2 * x + 1, "z": generator.normal(size=60)})
    frame = frame.with_columns(y=3 * pl.col("x") - pl.col("z") + generator.normal(size=60))
    result = run(sample(frame), "y", ["x", "twice", "z"], validation={"kind": "none"})
    reference = sm.OLS(frame["y"].to_numpy(), sm.add_constant(frame[["x", "z"]].to_numpy())).fit()
    found = by_term(result)
    assert found["twice"] == Coefficient("twice", None)
    kept = [found[term].estimate for term in ("(Intercept)", "x", "z")]
    assert kept == pytest.approx(reference.params.tolist(), rel=1e-10)
    assert told(result).warnings == [
        "twice is a combination of the terms before it, so its coefficient is not determined."
    ]


def test_column_of_zeros_without_intercept_has_no_coefficient() -> None:
    frame = pl.DataFrame({"x": [0.0] * 12, "y": list(range(12))})
    result = run(sample(frame), "y", ["x"], params={"fit_intercept": False})
    assert told(result).items == [Coefficient("x", None)]


def test_column_named_like_a_term_is_not_mixed_up_with_it() -> None:
    generator = np.random.default_rng(0)
    kind = generator.choice(["a", "b"], size=40)
    x = generator.normal(size=40)
    frame = pl.DataFrame({"kind": kind, "kind=b": x, "y": 3 * x - 5 * (kind == "b")})
    items = told(run(sample(frame), "y", ["kind", "kind=b"])).items
    estimates = [item.estimate for item in items if item.term == "kind=b"]
    assert estimates == pytest.approx([3, -5])


def test_more_terms_than_rows_have_no_standard_errors() -> None:
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{at}": generator.normal(size=12) for at in range(15)})
    frame = frame.with_columns(y=pl.Series(generator.normal(size=12)))
    result = run(sample(frame), "y", [f"x{at}" for at in range(15)], validation={"kind": "none"})
    items = told(result).items
    assert sum(item.estimate is not None for item in items) == 12
    assert all(item.standard_error is None for item in items)
    assert told(result).degrees_of_freedom == 0


def test_nearly_dependent_columns_are_warned_about() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=80)
    frame = pl.DataFrame({"x": x, "near": x + 1e-9 * generator.normal(size=80), "y": x})
    result = run(sample(frame), "y", ["x", "near"])
    assert any("nearly depend on each other" in text for text in told(result).warnings)


def test_units_do_not_matter_however_small_or_large() -> None:
    generator = np.random.default_rng(0)
    x, z = generator.normal(size=(2, 50))
    y = 2 * x - z + generator.normal(size=50)
    plain = run(sample(pl.DataFrame({"x": x, "z": z, "y": y})), "y", ["x", "z"])
    scaled = pl.DataFrame({"x": x * 1e-200, "z": z * 1e30, "y": y})
    other = by_term(run(sample(scaled), "y", ["x", "z"]))
    for term, unit in (("x", 1e-200), ("z", 1e30), ("(Intercept)", 1.0)):
        wanted, found = by_term(plain)[term], other[term]
        assert found.p_value == pytest.approx(wanted.p_value, rel=1e-6)
        assert found.estimate == pytest.approx((wanted.estimate or 0) / unit, rel=1e-9)


def test_estimator_that_is_not_linear_has_none() -> None:
    assert (
        run(penguins(), "body_mass_g", ["species"], estimator="dummy_baseline").coefficients is None
    )
