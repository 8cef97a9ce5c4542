"""Weights of rows and of classes reach the estimator and the scores."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.utils.class_weight import compute_sample_weight

from backend.science.fit import FitResult, describe_inputs, fit
from backend.science.predict import make_ready, predict
from backend.science.preprocessing.weights import class_weights, learning_weights
from backend.science.refusal import FitRefused
from backend.science.rows import BeyondNumbers
from backend.science.spec import FitSpec
from tests.science.tables import sample

LAST_ROWS = {"kind": "holdout", "test_size": 0.25, "shuffle": False}


def _table() -> pl.DataFrame:
    generator = np.random.default_rng(0)
    x = generator.normal(size=40)
    return pl.DataFrame(
        {
            "x": x,
            "y": x**2 + generator.normal(size=40),
            "w": generator.integers(0, 5, 40).astype(float),
            "kind": ["rare" if at % 8 == 0 else "usual" for at in range(40)],
        }
    )


def _fit(frame: pl.DataFrame, **spec: Any) -> FitResult:
    data = sample(frame)
    wanted = {"target": "y", "estimator": "ordinary_least_squares", "validation": LAST_ROWS}
    return fit(FitSpec(**(wanted | spec)), data.table, data.columns)


def test_weighted_fit_learns_and_scores_as_scikit_learn_does() -> None:
    frame = _table()
    found = _fit(frame.drop("kind"), weights="w")
    x, y, w = (frame[name].to_numpy() for name in ("x", "y", "w"))
    alone = LinearRegression().fit(x[:30, None], y[:30], sample_weight=w[:30])
    predicted = alone.predict(x[30:, None])
    assert found.validated.holdout is not None
    assert np.allclose(found.validated.holdout.predicted, predicted, rtol=1e-9)
    assert found.metrics["r2"] == pytest.approx(r2_score(y[30:], predicted, sample_weight=w[30:]))
    assert {"column": "w", "reason": "holds the weights of the rows"} in found.excluded


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([None, *[1.0] * 39], "1 of 40 are missing"),
        ([-1.0, -2.0, *[1.0] * 38], "2 of 40 are negative"),
        ([float("inf"), *[1.0] * 39], "1 of 40 are too large"),
        ([0.0] * 40, "all are zero"),
        ([0.0] * 30 + [1.0] * 10, "have the weight 0"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights: list[float | None], told: str) -> None:
    frame = _table().drop("kind").with_columns(w=pl.Series(weights, dtype=pl.Float64))
    with pytest.raises(FitRefused, match=told):
        _fit(frame, weights="w")


def test_balanced_classes_weigh_as_scikit_learn_says() -> None:
    target = _table()["kind"].to_numpy()
    expected = compute_sample_weight("balanced", target)
    assert np.allclose(np.asarray(class_weights("balanced", target)), expected)


def test_named_classes_multiply_the_weights_of_rows() -> None:
    target = np.array(["a", "b", "c"])
    found = learning_weights(np.array([1.0, 2.0, 3.0]), {"b": 10.0, "c": 0.0}, target)
    assert np.asarray(found).tolist() == [1.0, 20.0, 0.0]


def test_class_of_whole_numbers_and_truth_is_named_as_in_json() -> None:
    assert np.asarray(class_weights({"1": 5.0}, np.array([0, 1]))).tolist() == [1.0, 5.0]
    assert np.asarray(class_weights({"true": 5.0}, np.array([False, True]))).tolist() == [1.0, 5.0]


def test_heavy_class_is_predicted_more_often() -> None:
    frame = _table().drop("w", "y")
    spec = {"target": "kind", "estimator": "random_forest", "params": {"max_depth": 1}}
    held = [
        _fit(frame, **spec, class_weight=wish).validated.holdout
        for wish in ("none", {"rare": 1_000.0})
    ]
    plainly, heavily = ((one.predicted == "rare").sum() for one in held if one is not None)
    assert heavily > plainly


def test_unknown_class_is_refused_with_those_there_are() -> None:
    with pytest.raises(FitRefused, match=r"no class odd\. Its classes are rare, usual"):
        _fit(
            _table(),
            target="kind",
            estimator="random_forest",
            class_weight={"odd": 2.0},
        )


@pytest.mark.parametrize("transform", ["log", "yeo_johnson"])
def test_transformed_target_is_predicted_on_its_own_scale(transform: str) -> None:
    frame = _table().select("x", y=(2 * pl.col("x")).exp())
    found = _fit(frame, target_transform=transform)
    assert found.validated.holdout is not None
    if transform == "log":
        assert np.allclose(found.validated.holdout.predicted, frame["y"][30:].to_numpy())
    assert found.metrics["r2"] > _fit(frame).metrics["r2"] + 0.1


def test_target_without_a_logarithm_is_refused() -> None:
    with pytest.raises(FitRefused, match=r"values of y above 0; .* of 40 are not"):
        _fit(_table().with_columns(y=pl.col("x")), target_transform="log")


def test_classes_are_not_transformed() -> None:
    with pytest.raises(FitRefused, match="kind holds classes"):
        _fit(_table(), target="kind", estimator="random_forest", target_transform="log")


def test_row_far_away_has_no_prediction_and_no_infinity() -> None:
    found = _fit(_table().select("x", y=(2 * pl.col("x")).exp()), target_transform="log")
    ready = make_ready(found.pipeline, describe_inputs(found.inputs))
    output = {"classes": None}
    assert predict(ready, output, [{"x": 1.0}]).predictions == pytest.approx([np.exp(2)])
    with pytest.raises(BeyondNumbers, match="no finite number"):
        predict(ready, output, [{"x": 1e30}])
