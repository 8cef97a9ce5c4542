"""What single estimators of the catalogue promise beyond the conformance suite."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from backend.science import extras
from backend.science.catalogue import ESTIMATORS
from backend.science.fit import FitResult, fit
from backend.science.refusal import FitRefused
from backend.science.reporting import Report, Silent
from backend.science.spec import FitSpec, Task
from tests.science.reports import Remembered
from tests.science.tables import mixed, sample

TARGETS: dict[Task, str] = {"regression": "amount", "binary": "sign", "multiclass": "third"}
FEATURES = ("x", "z", "place", "flag")


def run(
    estimator: str,
    task: Task,
    *,
    frame: pl.DataFrame | None = None,
    params: dict[str, Any] | None = None,
    report: Report | None = None,
) -> FitResult:
    data = sample(mixed() if frame is None else frame)
    spec = FitSpec(
        target=TARGETS[task],
        features=FEATURES,
        task=task,
        estimator=estimator,
        params=params or {},
        seed=5,
    )
    return fit(spec, data.table, data.columns, report=report or Silent())


@pytest.mark.parametrize(
    ("name", "plain"),
    [("random_forest", RandomForestRegressor), ("extra_trees", ExtraTreesRegressor)],
)
def test_forest_grown_in_steps_is_the_forest_grown_at_once(name: str, plain: Any) -> None:
    result = run(name, "regression", params={"n_estimators": 30})
    frame = mixed()
    features = result.pipeline[:-1].transform(_features(frame))
    train = result.split.train
    at_once = plain(n_estimators=30, random_state=5, max_features=1.0)
    at_once.fit(features[train], frame["amount"].to_numpy()[train])
    assert np.array_equal(at_once.predict(features), result.pipeline[-1].predict(features))


def _features(frame: pl.DataFrame) -> Any:
    data = frame.select(FEATURES).with_columns(pl.col("flag").cast(pl.Float64))
    return data.to_pandas().astype({"place": object}).where(lambda f: f.notna(), np.nan)


@pytest.mark.parametrize("count", [1, 7, 30])
def test_forest_of_any_size_has_as_many_trees_as_asked_for(count: int) -> None:
    result = run("random_forest", "binary", params={"n_estimators": count})
    assert len(result.pipeline[-1].estimators_) == count


def test_progress_rises_to_nearly_one_and_names_the_trees() -> None:
    report = Remembered()
    run("random_forest", "regression", report=report)
    assert report.shares == sorted(report.shares)
    assert any("100 of 100 trees" in text for _, text in report.seen)


@pytest.mark.parametrize(
    ("name", "params", "values", "reason"),
    [
        ("poisson", {}, [1.0, -1.0, -2.0], "2 rows have a target below zero"),
        ("poisson", {}, [0.0, 0.0], "the target zero"),
        ("tweedie", {}, [1.0, -1.0], "1 rows have a target below zero"),
        ("tweedie", {"power": 2.0}, [1.0, 0.0], "needs targets above zero, but 1"),
    ],
)
def test_target_that_a_method_is_not_made_for_is_refused_with_the_reason(
    name: str, params: dict[str, Any], values: list[float], reason: str
) -> None:
    with pytest.raises(FitRefused, match=reason):
        ESTIMATORS[name].check_values(params, "regression", np.array(values))


@pytest.mark.parametrize("power", [0.0, 1.5])
def test_zero_is_no_reason_to_refuse_amounts(power: float) -> None:
    ESTIMATORS["tweedie"].check_values({"power": power}, "regression", np.array([0.0, 2.0]))


def test_power_that_no_distribution_has_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="between 0 and 1") as caught:
        ESTIMATORS["tweedie"].Params.model_validate({"power": 0.5})
    assert caught.value.errors()[0]["loc"] == ("power",)


def test_rare_class_is_named_where_probabilities_cannot_be_learnt() -> None:
    target = np.array(["a"] * 9 + ["rare"] * 2)
    with pytest.raises(FitRefused, match="rare"):
        ESTIMATORS["svm"].check_values({}, "binary", target)
    ESTIMATORS["svm"].check_values({"probabilities": False}, "binary", target)


def test_class_of_one_row_is_named_where_it_has_no_shape() -> None:
    target = np.array(["a"] * 9 + ["alone"])
    with pytest.raises(FitRefused, match="one of alone"):
        ESTIMATORS["quadratic_discriminant_analysis"].check_values({}, "binary", target)


@pytest.mark.parametrize("name", ["gaussian_process", "svm", "quantile"])
def test_more_rows_than_a_method_can_bear_are_refused_with_a_way_out(name: str) -> None:
    spec = ESTIMATORS[name]
    assert spec.most_rows is not None
    spec.check_size({}, spec.most_rows)
    with pytest.raises(FitRefused, match=rf"at most {spec.most_rows:,} rows.*sample"):
        spec.check_size({}, spec.most_rows + 1)


def test_more_neighbours_than_rows_are_refused() -> None:
    with pytest.raises(FitRefused, match="30 neighbours"):
        ESTIMATORS["k_nearest_neighbors"].check_size({"n_neighbors": 30}, 29)


@pytest.mark.parametrize("name", ["svm", "multilayer_perceptron"])
def test_units_of_the_target_do_not_change_a_regression(name: str) -> None:
    frame = mixed()
    small = run(name, "regression", frame=frame)
    large = run(name, "regression", frame=frame.with_columns(pl.col("amount") * 2.0**20 + 1e7))
    assert large.metrics["r2"] == pytest.approx(small.metrics["r2"], abs=1e-3)


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_boosting_without_its_extra_says_how_to_install_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(extras.MODULES, "boosting", ("a_module_that_is_not_there",))
    assert not ESTIMATORS[name].available
    with pytest.raises(extras.ExtraMissing, match=r"pip install -e '\.\[boosting\]'"):
        extras.require("boosting")
