"""Rows without a data frame give the numbers of the pipeline, to the bit."""

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl
import pytest

from backend.science.fit import FitResult, fit
from backend.science.frames import rows_frame
from backend.science.predict import make_ready, predict
from backend.science.row_features import RowFeatures
from backend.science.spec import FitSpec
from tests.science.tables import mixed, penguins, sample

ODD_ROWS: list[dict[str, Any]] = [
    {"x": 0.1, "z": -1e9, "place": "north", "flag": True},
    {"x": None, "z": 3, "place": None, "flag": None},
    {"x": 1e30, "z": 0.1 + 0.2, "place": "never seen", "flag": False},
]


def _fit(frame: pl.DataFrame, **spec: Any) -> FitResult:
    data = sample(frame)
    return fit(FitSpec(**spec), data.table, data.columns, on_progress=lambda _share, _text: None)


@pytest.mark.parametrize("estimator", ["ridge", "random_forest"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_features_of_odd_rows_are_those_of_the_pipeline(
    estimator: str, fit_intercept: bool
) -> None:
    params = {"fit_intercept": fit_intercept} if estimator == "ridge" else {}
    features = ("x", "z", "place", "flag")
    found = _fit(mixed(), target="amount", features=features, estimator=estimator, params=params)
    inputs = [asdict(column) for column in found.inputs]
    ready = make_ready(found.pipeline, inputs)
    assert ready.features is not None
    expected = found.pipeline[:-1].transform(rows_frame(ODD_ROWS, ready.columns))
    assert np.array_equal(ready.features.transform(ODD_ROWS), expected)


def test_rare_categories_share_their_column() -> None:
    names = [f"c{number}" for number in range(80) for _ in range(1 + number % 3)]
    frame = pl.DataFrame({"name": names, "y": np.arange(len(names), dtype=float)})
    found = _fit(frame, target="y", features=("name",), estimator="ridge")
    inputs = [asdict(column) for column in found.inputs]
    ready = make_ready(found.pipeline, inputs)
    assert ready.features is not None
    rows = [{"name": name} for name in [*sorted(set(names)), "other", None]]
    expected = found.pipeline[:-1].transform(rows_frame(rows, ready.columns))
    assert np.array_equal(ready.features.transform(rows), expected)


@pytest.mark.parametrize("estimator", ["random_forest", "k_nearest_neighbors"])
def test_few_and_many_rows_predict_alike(estimator: str) -> None:
    data = penguins()
    # Even counts, so that there are ties between classes.
    params = {"n_estimators": 4} if estimator == "random_forest" else {"n_neighbors": 4}
    spec = FitSpec(target="species", estimator=estimator, params=params)
    found = fit(spec, data.table, data.columns, on_progress=lambda _share, _text: None)
    inputs = [asdict(column) for column in found.inputs]
    output = {"name": "species", "task": "multiclass", "classes": found.classes}
    table = pl.from_arrow(data.table)
    assert isinstance(table, pl.DataFrame)
    rows = table.select([column.name for column in found.inputs]).to_dicts()
    ready = make_ready(found.pipeline, inputs)
    assert ready.features is not None
    together = predict(ready, output, rows)
    frame = rows_frame(rows, ready.columns)
    assert together.predictions == found.pipeline.predict(frame).tolist()
    one_by_one = [predict(ready, output, [row]) for row in rows]
    assert together.predictions == [answer.predictions[0] for answer in one_by_one]
    expected = np.array([list(shares.values()) for shares in together.probabilities or []])
    got = np.array([list((answer.probabilities or [{}])[0].values()) for answer in one_by_one])
    assert np.allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_pipeline_of_another_shape_is_left_alone() -> None:
    found = _fit(mixed(), target="amount", features=("x", "z"), estimator="ridge")
    inputs = [asdict(column) for column in found.inputs]
    found.pipeline.named_steps["preprocess"].transformers_[0][1].named_steps[
        "impute"
    ].statistics_ = np.array([9.0, 9.0])
    scaler = found.pipeline.named_steps["preprocess"].transformers_[0][1].named_steps["scale"]
    scaler.with_std = False
    assert RowFeatures.of(found.pipeline, inputs) is None
