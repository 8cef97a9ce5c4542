"""One suite for every estimator of the catalogue."""

import inspect
import io
import math
import pkgutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import joblib
import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from backend.science.catalogue import ESTIMATORS
from backend.science.estimator_spec import PRESETS, Preset
from backend.science.fit import FitResult, describe_inputs, fit
from backend.science.predict import make_ready, predict
from backend.science.spec import FitSpec, Task
from tests.science.tables import Sample, mixed, sample

TARGETS: dict[Task, str] = {"regression": "size", "binary": "sign", "multiclass": "third"}
FEATURES = ("x", "z", "place", "flag")
NO_NUMBERS: tuple[Any, ...] = ("1", math.nan, math.inf, -math.inf, 1e18, True, [1], {})
# Those of images have a suite of their own.
OF_TABLES = [name for name, spec in ESTIMATORS.items() if spec.data == "table"]
CASES = [(name, task) for name in OF_TABLES for task in sorted(ESTIMATORS[name].tasks)]


def _properties(name: str) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = (
        ESTIMATORS[name].Params.model_json_schema().get("properties", {})
    )
    return properties


def _numbers(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The numeric fields; of those that may be null, the number's part."""
    found = []
    for field, schema in _properties(name).items():
        for option in schema.get("anyOf", [schema]):
            if option.get("type") in ("integer", "number") and "enum" not in option:
                found.append((field, option))
    return found


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As the worker sets it for its children; threads that wait for each other take minutes."""
    with threadpool_limits(1):
        yield


@cache
def _table() -> Sample:
    """Missing values and categories, and targets of each task; numbers above zero."""
    frame = mixed(rows=100)
    return sample(frame.with_columns(size=pl.col("amount") - pl.col("amount").min() + 1))


def _run(name: str, task: Task, params: dict[str, Any] | None = None) -> FitResult:
    spec = FitSpec(
        target=TARGETS[task],
        features=FEATURES,
        task=task,
        estimator=name,
        params=params or {},
        seed=3,
    )
    return fit(spec, _table().table, _table().columns)


@cache
def _fitted(name: str, task: Task) -> FitResult:
    """With defaults; shared by the tests, none of which changes it."""
    return _run(name, task)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_defaults_learn_from_missing_values_and_categories(name: str, task: Task) -> None:
    result = _fitted(name, task)
    assert result.task == task
    assert all(math.isfinite(value) for value in result.metrics.values())
    main = "r2" if task == "regression" else "accuracy"
    gain = result.metrics[main] - result.baseline_metrics[main]
    assert gain == 0 if name == "dummy_baseline" else gain > 0.1


@pytest.mark.parametrize(("name", "task"), CASES)
def test_same_seed_gives_the_same_result_to_the_bit(name: str, task: Task) -> None:
    first, second = _fitted(name, task), _run(name, task)
    assert first.metrics == second.metrics
    features = mixed(rows=30, seed=7).select(FEATURES).to_dicts()
    assert _predicted(first, first.pipeline, features) == _predicted(
        second, second.pipeline, features
    )


@pytest.mark.parametrize(("name", "task"), CASES)
def test_loaded_again_it_predicts_the_same_also_for_unseen_values(name: str, task: Task) -> None:
    result = _fitted(name, task)
    file = io.BytesIO()
    joblib.dump(result.pipeline, file)
    # Whoever downloads it has scikit-learn, not this platform.
    assert b"backend" not in file.getvalue()
    file.seek(0)
    rows: list[dict[str, Any]] = [
        {"x": 0.5, "z": -1, "place": "north", "flag": True},
        {"x": None, "z": None, "place": None, "flag": None},
        {"x": 3.0, "z": 0, "place": "never seen", "flag": False},
    ]
    values, probabilities = _predicted(result, result.pipeline, rows)
    assert (values, probabilities) == _predicted(result, joblib.load(file), rows)
    assert len(values) == len(rows)
    if result.classes is None:
        assert all(math.isfinite(value) for value in values)
    else:
        assert set(values) <= set(result.classes)
    for row in probabilities or ():
        assert sum(row.values()) == pytest.approx(1)


def _predicted(
    result: FitResult, pipeline: Any, rows: list[dict[str, Any]]
) -> tuple[list[Any], list[dict[str, float]] | None]:
    ready = make_ready(pipeline, describe_inputs(result.inputs))
    made = predict(ready, {"classes": result.classes}, rows)
    return made.predictions, made.probabilities


@pytest.mark.parametrize(("name", "task"), CASES)
def test_entry_says_truly_whether_it_tells_coefficients(name: str, task: Task) -> None:
    told = _fitted(name, task).coefficients
    assert (told is not None) == ESTIMATORS[name].has_coefficients


@pytest.mark.parametrize(("name", "task"), CASES)
def test_entry_says_truly_whether_it_takes_weights(name: str, task: Task) -> None:
    spec = ESTIMATORS[name]
    taken = inspect.signature(pkgutil.resolve_name(spec.classes[task]).fit).parameters
    assert ("sample_weight" in taken) == spec.takes_weights


@pytest.mark.parametrize(
    ("name", "task"), [case for case in CASES if ESTIMATORS[case[0]].takes_weights]
)
def test_weights_change_what_is_learnt(name: str, task: Task) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(80, 2))
    score = features @ [2.0, 1.0] + generator.normal(size=80)
    target: Any = score - score.min() + 1
    if task != "regression":
        target = np.digitize(score, [0.0] if task == "binary" else [-1.0, 1.0]).astype(str)
    weights = np.where(score > 0, 50.0, 0.1)
    spec = ESTIMATORS[name]
    with warnings.catch_warnings():
        # Whether it has converged is not asked here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        even, uneven = (
            spec.build(spec.presets["fast"], task, 0).fit(features, target, **given)
            for given in ({}, {"sample_weight": weights})
        )
    # Probabilities are less likely to be the same everywhere.
    asked = "predict_proba" if hasattr(even, "predict_proba") else "predict"
    grid = generator.normal(size=(200, 2))
    assert not np.array_equal(getattr(even, asked)(grid), getattr(uneven, asked)(grid))


@pytest.mark.parametrize(("name", "preset"), [(n, p) for n in OF_TABLES for p in PRESETS])
def test_preset_is_valid_and_balanced_is_the_default(name: str, preset: Preset) -> None:
    spec = ESTIMATORS[name]
    chosen = spec.Params.model_validate(dict(spec.presets[preset]))
    assert (chosen == spec.Params()) or preset != "balanced"
    for task in spec.tasks:
        spec.build(chosen.model_dump(), task, 0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_numbers_are_taken_up_to_their_bounds_and_not_beyond(name: str) -> None:
    params = ESTIMATORS[name].Params
    for field, number in _numbers(name):
        lowest, highest = number["minimum"], number["maximum"]
        for inside in (lowest, highest):
            assert getattr(params.model_validate({field: inside}), field) == inside
        step = 1 if number["type"] == "integer" else max(abs(highest), 1) * 1e-6
        for outside, bound in ((lowest - step, lowest), (highest + step, highest)):
            message = _refusal(name, field, outside)
            assert any(float(word) == bound for word in message.split() if _is_number(word))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _refusal(name: str, field: str, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ESTIMATORS[name].Params.model_validate({field: value})
    errors = caught.value.errors()
    assert {error["loc"][0] for error in errors} == {field}
    return errors[0]["msg"]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_no_number_is_refused_by_name(name: str) -> None:
    for field, _ in _numbers(name):
        for value in NO_NUMBERS:
            _refusal(name, field, value)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_unknown_parameters_are_refused_by_name(name: str) -> None:
    for unknown in ("n_jobs", "random_state", "__class__", "sklearn.svm.SVC"):
        assert "not permitted" in _refusal(name, unknown, 1)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_parameters_are_described(name: str) -> None:
    for field, schema in _properties(name).items():
        assert schema["title"] not in ("", field)
        assert schema["description"]
        assert "default" in schema


@pytest.mark.parametrize("name", ESTIMATORS)
def test_entry_is_described(name: str) -> None:
    spec = ESTIMATORS[name]
    assert spec.title
    assert spec.summary.endswith(".")
    assert spec.reference
    assert spec.tasks


@pytest.mark.parametrize("name", ESTIMATORS)
def test_search_tries_only_what_the_parameters_allow(name: str) -> None:
    spec = ESTIMATORS[name]
    numbers = dict(_numbers(name))
    for field, tried in spec.search_space.items():
        if "values" in tried:
            values = tried["values"]
            assert len(values) == len(set(values)) > 1
        else:
            values = [tried["low"], tried["high"]]
            assert tried["low"] < tried["high"]
            assert tried["low"] > 0 or not tried["log"]
            whole = numbers[field]["type"] == "integer"
            assert all(isinstance(value, int) == whole for value in values)
        for value in values:
            assert getattr(spec.Params.model_validate({field: value}), field) == value


def test_catalogue_is_read_without_what_fits_need() -> None:
    code = (
        "import sys; from backend.science.catalogue import ESTIMATORS; assert len(ESTIMATORS) > 20;"
        "[spec.Params.model_json_schema() for spec in ESTIMATORS.values()];"
        "print([name for name in ('sklearn', 'numpy', 'xgboost', 'lightgbm', 'torch')"
        " if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own constant text
    assert run.stdout.strip() == "[]"
