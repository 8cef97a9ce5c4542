"""Predictions of a fitted pipeline for rows that came as JSON or as columns."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from backend.science.column_types import InputColumn
from backend.science.frames import rows_frame
from backend.science.row_features import RowFeatures

# Beyond, a data frame costs less than a loop.
FEW_ROWS: Final = 50
# Their own `predict` takes the most probable class, the first one where several are; asking for
# both would do the work twice.
MOST_PROBABLE: Final = (KNeighborsClassifier, RandomForestClassifier)


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """One prediction per row; for classes their probabilities where the estimator has them."""

    predictions: list[Any]
    probabilities: list[dict[str, float]] | None


@dataclass(frozen=True, slots=True)
class FeaturePredictions:
    """Predictions as arrays.

    Attributes
    ----------
    predictions
        Shape (n,).
    classes
        Names in the order of the columns of `shares`; None for numbers, or without shares.
    shares
        Class probabilities, shape (n, number of classes).
    """

    predictions: npt.NDArray[Any]
    classes: list[str] | None
    shares: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ready:
    """A fitted pipeline held ready for predictions.

    Attributes
    ----------
    columns
        Its inputs.
    features
        Its preprocessing for a few rows, where that gives the same numbers.
    """

    pipeline: Any
    columns: list[InputColumn]
    features: RowFeatures | None


def make_ready(pipeline: Any, input_columns: Sequence[Mapping[str, Any]]) -> Ready:
    """Do once what every prediction needs.

    Parameters
    ----------
    pipeline
        A pipeline that `fit` made.
    input_columns
        Its inputs, as the fit's outcome tells them.
    """
    if input_columns[0]["type"] == "image":
        return Ready(pipeline, [], None)
    columns = [InputColumn(**column) for column in input_columns]
    return Ready(pipeline, columns, RowFeatures.of(pipeline, input_columns))


def predict(
    ready: Ready, output: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> PredictionResult:
    """Predict for n checked rows.

    Parameters
    ----------
    ready
        A pipeline that `fit` made.
    output
        Its output, as the fit's outcome tells it.
    rows
        n maps from column name to value that passed `rows.check_rows`.
    """
    if ready.features is not None and len(rows) <= FEW_ROWS:
        answer = _predict(ready.pipeline[-1], output, ready.features.transform(rows))
    else:
        answer = _predict(ready.pipeline, output, rows_frame(rows, ready.columns))
    predictions = answer.predictions.tolist()
    if answer.classes is None:
        return PredictionResult(predictions, None)
    shares = [dict(zip(answer.classes, row, strict=True)) for row in answer.shares.tolist()]
    return PredictionResult(predictions, shares)


def predict_features(
    pipeline: Pipeline, output: Mapping[str, Any], features: Mapping[str, npt.NDArray[Any]]
) -> FeaturePredictions:
    """Predict for n rows that came as columns.

    Parameters
    ----------
    pipeline, output
        A pipeline that `fit` made, and its output as the fit's outcome tells it.
    features
        Its inputs, each of shape (n,): float64, or text as object, NaN where missing.
    """
    return _predict(pipeline, output, pd.DataFrame(dict(features)))


def _final(estimator: Any) -> Any:
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _predict(
    estimator: Any, output: Mapping[str, Any], features: pd.DataFrame | npt.NDArray[np.float64]
) -> FeaturePredictions:
    with warnings.catch_warnings():
        # An unseen category is handled like a rare one; the encoder says so each time.
        warnings.simplefilter("ignore", UserWarning)
        if output["classes"] is None or not hasattr(estimator, "predict_proba"):
            predictions = np.asarray(estimator.predict(features))
            return FeaturePredictions(predictions, None, np.empty((len(features), 0)))
        shares = np.asarray(estimator.predict_proba(features))
        if isinstance(_final(estimator), MOST_PROBABLE):
            predictions = estimator.classes_[shares.argmax(axis=1)]
        else:
            predictions = np.asarray(estimator.predict(features))
    return FeaturePredictions(predictions, [str(name) for name in output["classes"]], shares)
