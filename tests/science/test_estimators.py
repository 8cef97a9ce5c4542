"""One suite for every estimator of the catalogue."""

import io
from typing import Any

import joblib
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.ensemble import RandomForestRegressor

from backend.science.catalogue import ESTIMATORS
from backend.science.fit import FitResult, describe_inputs, fit
from backend.science.predict import make_ready, predict
from backend.science.spec import FitSpec, Task
from tests.science.tables import Sample, mixed, sample

TARGETS: dict[Task, str] = {"regression": "amount", "binary": "sign", "multiclass": "third"}
FEATURES = ("x", "z", "place", "flag")
# Those of images have a suite of their own.
OF_TABLES = [name for name, spec in ESTIMATORS.items() if spec.data == "table"]
CASES = [(name, task) for name in OF_TABLES for task in sorted(ESTIMATORS[name].tasks)]
BOUNDED = [
    (name, field, extreme)
    for name, spec in ESTIMATORS.items()
    for field, schema in spec.Params.model_json_schema().get("properties", {}).items()
    for extreme in ([1e18, -1] if "number" in str(schema) or "integer" in str(schema) else [])
    if "enum" not in schema
]


def run(
    data: Sample,
    estimator: str,
    task: Task,
    *,
    seed: int = 0,
    params: dict[str, Any] | None = None,
) -> FitResult:
    spec = FitSpec(
        target=TARGETS[task],
        features=FEATURES,
        task=task,
        estimator=estimator,
        params=params or {},
        seed=seed,
    )
    return fit(spec, data.table, data.columns, on_progress=lambda _share, _text: None)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_defaults_fit_missing_values_and_categories(name: str, task: Task) -> None:
    result = run(sample(mixed()), name, task)
    assert result.task == task
    assert result.metrics
    assert set(result.baseline_metrics) >= {"r2"} if task == "regression" else {"accuracy"}
    assert all(np.isfinite(value) for value in result.metrics.values())
    if name != "dummy_baseline":
        main = "r2" if task == "regression" else "accuracy"
        assert result.metrics[main] > result.baseline_metrics[main] + 0.2


@pytest.mark.parametrize(("name", "task"), CASES)
def test_same_seed_same_result_to_the_bit(name: str, task: Task) -> None:
    first, second = (run(sample(mixed()), name, task, seed=3) for _ in range(2))
    assert first.metrics == second.metrics
    assert first.holdout is not None
    assert second.holdout is not None
    assert np.array_equal(first.holdout.predicted, second.holdout.predicted)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_loaded_again_it_predicts_the_same_also_for_unseen_values(name: str, task: Task) -> None:
    result = run(sample(mixed()), name, task)
    file = io.BytesIO()
    joblib.dump(result.pipeline, file)
    file.seek(0)
    rows: list[dict[str, Any]] = [
        {"x": 0.5, "z": -1, "place": "north", "flag": True},
        {"x": None, "z": None, "place": None, "flag": None},
        {"x": 1e6, "z": 0, "place": "never seen", "flag": False},
    ]
    output = {"classes": result.classes}
    inputs = describe_inputs(result.inputs)
    before = predict(make_ready(result.pipeline, inputs), output, rows)
    after = predict(make_ready(joblib.load(file), inputs), output, rows)
    assert before == after
    assert len(before.predictions) == 3
    if before.probabilities is not None:
        assert all(sum(row.values()) == pytest.approx(1) for row in before.probabilities)


@pytest.mark.parametrize("name", OF_TABLES)
def test_stored_pipeline_holds_parts_of_scikit_learn_only(name: str) -> None:
    task = sorted(ESTIMATORS[name].tasks)[0]
    file = io.BytesIO()
    joblib.dump(run(sample(mixed()), name, task).pipeline, file)
    assert b"backend" not in file.getvalue()


@pytest.mark.parametrize(("name", "field", "extreme"), BOUNDED)
def test_absurd_parameter_is_refused_by_name(name: str, field: str, extreme: float) -> None:
    with pytest.raises(ValidationError) as caught:
        ESTIMATORS[name].Params.model_validate({field: extreme})
    assert field in {str(entry["loc"][0]) for entry in caught.value.errors()}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        ESTIMATORS[name].Params.model_validate({"n_jobs": 64})


@pytest.mark.parametrize("name", ESTIMATORS)
def test_entry_is_described_and_its_parameters_have_titles(name: str) -> None:
    spec = ESTIMATORS[name]
    assert spec.title
    assert spec.summary.endswith(".")
    assert spec.reference
    schema = spec.Params.model_json_schema()
    for field, content in schema.get("properties", {}).items():
        assert content["description"], field
        assert "default" in content, field


def test_forest_grown_in_steps_is_the_forest_grown_at_once() -> None:
    result = run(sample(mixed()), "random_forest", "regression", seed=5)
    assert result.holdout is not None
    grown = result.pipeline[-1]
    frame = mixed()
    features = result.pipeline[:-1].transform(_features(frame))
    train = np.setdiff1d(np.arange(frame.height), result.holdout.rows)
    at_once = RandomForestRegressor(random_state=5, max_features=1.0)
    at_once.fit(features[train], frame["amount"].to_numpy()[train])
    assert np.array_equal(at_once.predict(features), grown.predict(features))


@pytest.mark.parametrize("count", [1, 7, 30])
def test_forest_of_any_size_has_as_many_trees_as_asked_for(count: int) -> None:
    result = run(sample(mixed()), "random_forest", "binary", params={"n_estimators": count})
    assert len(result.pipeline[-1].estimators_) == count


def _features(frame: pl.DataFrame) -> Any:
    data = frame.select(FEATURES).with_columns(pl.col("flag").cast(pl.Float64))
    return data.to_pandas().astype({"place": object}).where(lambda f: f.notna(), np.nan)


def test_progress_rises_to_nearly_one_and_names_the_trees() -> None:
    seen: list[tuple[float, str]] = []
    spec = FitSpec(target="amount", features=FEATURES, estimator="random_forest")
    data = sample(mixed())
    fit(spec, data.table, data.columns, on_progress=lambda share, text: seen.append((share, text)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert any("100 of 100 trees" in text for _, text in seen)
