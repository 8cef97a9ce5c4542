"""Tests and errors of linear fits, compared with statsmodels on the same rows."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import statsmodels.api as sm

from backend.science.fit import FitResult, fit
from backend.science.inference.terms import Coefficients
from backend.science.spec import FitSpec
from tests.conftest import DATA
from tests.science.tables import Sample, read_file, sample

Floats = npt.NDArray[np.float64]
GENERATOR = np.random.default_rng(0)
ROWS = 200
X = GENERATOR.normal(size=(ROWS, 2)) * [1, 30] + [0, 200]
CENTER = (X - [0, 200]) / [1, 30]
WEIGHTS = GENERATOR.integers(0, 4, size=ROWS).astype(float)


def numbers(y: npt.NDArray[Any]) -> Sample:
    return sample(pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "w": WEIGHTS, "y": y}))


def run(data: Sample, estimator: str, **spec: Any) -> FitResult:
    asked = {"target": "y", "features": ("a", "b"), "validation": {"kind": "none"}, **spec}
    return fit(FitSpec(estimator=estimator, **asked), data.table, data.columns)


def told(result: FitResult) -> Coefficients:
    assert result.coefficients is not None
    return result.coefficients


def table(found: Coefficients) -> Floats:
    return np.array(
        [
            [i.estimate, i.standard_error, i.statistic, i.p_value, i.ci_low, i.ci_high]
            for i in found.items
        ],
        dtype=float,
    )


def reference(model: Any) -> Floats:
    columns = [model.params, model.bse, model.tvalues, model.pvalues]
    return np.column_stack([*columns, model.conf_int()])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("errors", ["classical", "hc3"])
def test_least_squares_tells_all_that_statsmodels_tells(
    errors: str, intercept: bool, weighted: bool
) -> None:
    y = 5 + CENTER @ [2, -1] + GENERATOR.normal(size=ROWS) * (1 + np.abs(CENTER[:, 0]))
    params = {"standard_errors": errors, "fit_intercept": intercept}
    data = numbers(y)
    found = told(
        run(data, "ordinary_least_squares", params=params, weights="w" if weighted else None)
    )
    used = WEIGHTS > 0 if weighted else np.full(ROWS, fill_value=True)
    design = sm.add_constant(X) if intercept else X
    model = sm.WLS(y[used], design[used], weights=WEIGHTS[used] if weighted else 1.0)
    kind = {"cov_type": "HC3", "use_t": True} if errors == "hc3" else {}
    model = model.fit(**kind)
    assert table(found) == pytest.approx(reference(model), rel=1e-6)
    names = ("r2", "adjusted_r2", "f_statistic", "f_p_value", "log_likelihood", "aic", "bic")
    whole = [getattr(found, name) for name in names]
    wanted = [model.rsquared, model.rsquared_adj, model.fvalue, model.f_pvalue]
    assert whole == pytest.approx([*wanted, model.llf, model.aic, model.bic], rel=1e-6)
    assert (found.covariance, found.distribution) == (errors, "t")


def test_inflation_and_condition_are_told_and_warned_about() -> None:
    near = X[:, 0] + 0.1 * CENTER[:, 1]
    frame = pl.DataFrame({"a": X[:, 0], "near": near, "y": X[:, 0] + GENERATOR.normal(size=ROWS)})
    asked = FitSpec(
        target="y", features=("a", "near"), estimator="ordinary_least_squares",
        validation={"kind": "none"},
    )  # fmt: skip
    data = sample(frame)
    result = fit(asked, data.table, data.columns)
    found = told(result)
    correlation = np.corrcoef(X[:, 0], near)[0, 1]
    inflation = 1 / (1 - correlation**2)
    assert [item.vif for item in found.items] == [None, *[pytest.approx(inflation)] * 2]
    assert found.condition_number == pytest.approx(np.sqrt((1 + correlation) / (1 - correlation)))
    (warning,) = [text for text in found.warnings if text.startswith("Collinear terms")]
    assert "a, near" in warning
    assert warning in result.warnings


def test_row_that_alone_determines_a_term_has_no_robust_errors() -> None:
    alone = np.zeros(ROWS)
    alone[7] = 1
    frame = pl.DataFrame({"a": X[:, 0], "b": alone, "y": CENTER[:, 1]})
    found = told(run(sample(frame), "ordinary_least_squares", params={"standard_errors": "hc3"}))
    assert all(item.estimate is not None for item in found.items)
    assert all(item.standard_error is None for item in found.items)
    assert any("leverage 1" in text for text in found.warnings)


def test_predictions_of_an_ill_conditioned_polynomial_follow_its_coefficients() -> None:
    x = np.linspace(-8.8, -3.1, 80)
    y = np.sin(x) + 0.001 * GENERATOR.normal(size=80)
    frame = pl.DataFrame({**{f"x{k}": x**k for k in range(1, 11)}, "y": y})
    names = tuple(frame.columns[:-1])
    result = run(sample(frame), "ordinary_least_squares", features=names)
    residuals = y - result.pipeline.predict(frame.to_pandas()[list(names)])
    explained = 1 - residuals @ residuals / ((y - y.mean()) ** 2).sum()
    assert explained == pytest.approx(told(result).r2, abs=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_without_penalty_tells_what_statsmodels_tells(weighted: bool) -> None:
    y = (GENERATOR.random(ROWS) < 1 / (1 + np.exp(-CENTER @ [1, -0.5]))).astype(int)
    weights = "w" if weighted else None
    found = told(
        run(numbers(y), "logistic_regression", params={"penalty": "none"}, weights=weights)
    )
    used = WEIGHTS > 0 if weighted else np.full(ROWS, fill_value=True)
    model = sm.GLM(
        y[used],
        sm.add_constant(X)[used],
        family=sm.families.Binomial(),
        var_weights=WEIGHTS[used] if weighted else None,
    ).fit(tol=1e-14, cov_type="HC0" if weighted else "nonrobust")
    assert table(found) == pytest.approx(reference(model), rel=1e-6)
    deviances = [found.deviance, found.null_deviance]
    assert deviances == pytest.approx([model.deviance, model.null_deviance], rel=1e-9)
    kind = "sandwich" if weighted else "maximum_likelihood"
    assert (found.covariance, found.distribution) == (kind, "normal")
    whole = [found.log_likelihood, found.aic, found.bic]
    if weighted:
        assert whole == [None] * 3
    else:
        assert whole == pytest.approx([model.llf, model.aic, model.bic_llf], rel=1e-9)


WEIGHABLE: dict[str, dict[str, Any]] = {
    "logistic_regression": {"params": {"penalty": "none"}, "task": "binary"},
    "ordinary_least_squares": {"params": {}},
    "poisson": {"params": {"alpha": 0.0}},
    "tweedie": {"params": {"alpha": 0.0, "power": 2.0}},
}


@pytest.mark.parametrize("estimator", WEIGHABLE)
def test_unit_of_the_weights_changes_no_test(estimator: str) -> None:
    generator = np.random.default_rng(5)
    y = generator.poisson(np.exp(CENTER @ [0.4, -0.2])) + (estimator == "tweedie")
    y = np.minimum(y, 1) if estimator == "logistic_regression" else y.astype(float)
    own = 0.5 + generator.random(ROWS)
    tables = []
    for unit in (1.0, 100.0):
        frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "w": unit * own, "y": y})
        tables.append(
            table(told(run(sample(frame), estimator, weights="w", **WEIGHABLE[estimator])))
        )
    assert np.isfinite(tables[0]).all()
    assert tables[1] == pytest.approx(tables[0], rel=1e-5)


def test_weighted_counts_and_three_classes_tell_robust_errors() -> None:
    generator = np.random.default_rng(6)
    own = 0.5 + generator.random(ROWS)
    y = generator.poisson(np.exp(CENTER @ [0.4, -0.2])).astype(float)
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "w": own, "y": y})
    found = told(run(sample(frame), "poisson", weights="w", params={"alpha": 0.0}))
    design = sm.add_constant(X)
    family = sm.families.Poisson()
    model = sm.GLM(y, design, family=family, var_weights=own).fit(tol=1e-14, cov_type="HC0")
    assert table(found) == pytest.approx(reference(model), rel=1e-6)
    assert found.aic is None
    assert any("robust ones" in text for text in found.told()["warnings"])
    kinds = np.array(["a", "b", "c"])[np.minimum(y, 2).astype(int)]
    three = frame.with_columns(y=pl.Series(kinds), w=pl.lit(3.0))
    found = told(run(sample(three), "logistic_regression", weights="w", params={"penalty": "none"}))
    many = sm.MNLogit(np.minimum(y, 2), sm.add_constant(CENTER))
    exact = many.fit(disp=0, method="newton")
    slopes = many.score_obs(exact.params.ravel("F"))
    inverse = np.linalg.inv(many.hessian(exact.params.ravel("F")))
    errors = np.sqrt(np.diag(inverse @ slopes.T @ slopes @ inverse))
    own_errors = [item.standard_error for item in found.items if item.term in "ab"]
    wanted = (errors.reshape(2, 3)[:, 1:] / [1, 30]).ravel()
    assert own_errors == pytest.approx(wanted, rel=1e-6)


def test_weighted_classes_have_estimates_alone_and_say_why() -> None:
    y = (GENERATOR.random(ROWS) < 0.2).astype(int)
    asked: dict[str, Any] = {"params": {"penalty": "none"}, "class_weight": "balanced"}
    found = told(run(numbers(y), "logistic_regression", **asked))
    assert all(item.estimate is not None for item in found.items)
    assert all(item.p_value is None for item in found.items)
    assert (found.aic, found.covariance) == (None, None)
    assert any("Weights of classes" in text for text in found.told()["warnings"])


def test_three_species_are_told_against_the_first_as_statsmodels_does() -> None:
    # The bills tell Gentoo apart without error; these two measurements do not.
    features = ("body_mass_g", "flipper_length_mm")
    frame = read_file(DATA / "penguins.csv").drop_nulls(features)
    wanted = {"target": "species", "features": features, "params": {"penalty": "none"}}
    found = told(run(sample(frame), "logistic_regression", **wanted))
    assert [item.of_class for item in found.items] == ["Chinstrap"] * 3 + ["Gentoo"] * 3
    codes = frame["species"].to_pandas().astype("category").cat.codes
    units = np.array([1, 1000, 100])  # its own start needs columns of like size
    design = sm.add_constant(frame[list(features)].to_numpy()) / units
    model = sm.MNLogit(codes, design).fit(disp=0, method="newton", maxiter=100)
    both = np.column_stack([np.ravel(model.params, "F"), np.ravel(model.bse, "F")])
    both = both / np.tile(units, 2)[:, None]
    assert table(found)[:, :2] == pytest.approx(both, rel=1e-6)
    assert found.log_likelihood == pytest.approx(model.llf, rel=1e-10)


FAMILIES = {
    "poisson": ("poisson", {}, sm.families.Poisson()),
    "gamma": ("tweedie", {"power": 2.0}, sm.families.Gamma(sm.families.links.Log())),
    "inverse": ("tweedie", {"power": 3.0}, sm.families.InverseGaussian(sm.families.links.Log())),
    "normal": ("tweedie", {"power": 0.0}, sm.families.Gaussian()),
    "compound": ("tweedie", {"power": 1.5}, sm.families.Tweedie(sm.families.links.Log(), 1.5)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_generalised_models_tell_what_statsmodels_tells(name: str) -> None:
    estimator, params, family = FAMILIES[name]
    mean = np.exp(1 + CENTER @ [0.3, -0.2])
    y = {
        "poisson": GENERATOR.poisson(mean).astype(float),
        "compound": GENERATOR.poisson(mean) * GENERATOR.gamma(2, 1, ROWS),
    }.get(name, GENERATOR.gamma(3, mean / 3))
    found = told(run(numbers(y), estimator, params={**params, "alpha": 0.0}))
    model = sm.GLM(y, sm.add_constant(X), family=family).fit(tol=1e-14, maxiter=200)
    assert table(found) == pytest.approx(reference(model), rel=1e-6)
    whole = [found.deviance, found.null_deviance, found.dispersion]
    assert whole == pytest.approx([model.deviance, model.null_deviance, model.scale], rel=1e-7)
    if name == "compound":  # its likelihood is an infinite sum
        assert found.log_likelihood is None
        return
    likelihood = [found.log_likelihood, found.aic, found.bic]
    assert likelihood == pytest.approx([model.llf, model.aic, model.bic_llf], rel=1e-7)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [("logistic_regression", {"penalty": "none"}), ("poisson", {"alpha": 0.0})],
)
def test_separated_rows_have_no_standard_errors_and_a_warning(
    estimator: str, params: dict[str, Any]
) -> None:
    apart = (GENERATOR.random(ROWS) < 0.3).astype(float)
    y = np.where(apart == 1, 0, GENERATOR.integers(0, 2, ROWS)).astype(int)
    frame = pl.DataFrame({"a": X[:, 0], "b": apart, "y": y})
    task = "binary" if estimator == "logistic_regression" else "regression"
    found = told(run(sample(frame), estimator, params=params, task=task))
    assert any("separation" in text for text in found.warnings)
    assert all(item.standard_error is None for item in found.items)
    assert all(np.isfinite(item.estimate or 0.0) for item in found.items)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [("logistic_regression", {}), ("poisson", {"alpha": 0.1}), ("lasso", {})],
)
def test_shrunk_estimates_say_why_they_have_no_errors(
    estimator: str, params: dict[str, Any]
) -> None:
    y = (CENTER[:, 0] > GENERATOR.normal(size=ROWS)).astype(int)
    task = "binary" if estimator == "logistic_regression" else "regression"
    result = run(numbers(y), estimator, params=params, task=task)
    assert all(item.standard_error is None for item in told(result).items)
    assert any("A penalty shrinks" in text for text in told(result).told()["warnings"])
    # That is how it should be, so it is no doubt about the fit.
    assert not any("A penalty shrinks" in text for text in result.warnings)


def test_transformed_target_and_made_features_are_named() -> None:
    y = np.exp(1 + 0.5 * CENTER[:, 0] ** 2 + 0.1 * GENERATOR.normal(size=ROWS))
    steps = {"features": [{"kind": "polynomial", "columns": ["a", "b"], "degree": 2}]}
    found = told(
        run(numbers(y), "ordinary_least_squares", preprocessing=steps, target_transform="log")
    )
    terms = [item.term for item in found.items]
    assert terms == ["(Intercept)", "a", "b", "a^2", "a b", "b^2"]
    a, b = X.T
    design = sm.add_constant(np.column_stack([a, b, a**2, a * b, b**2]))
    model = sm.OLS(np.log(y), design).fit(method="qr")
    assert table(found)[:, 0] == pytest.approx(model.params, rel=1e-6)
    assert any("transformed target" in text for text in found.told()["warnings"])
