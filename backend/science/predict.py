"""Predictions of a fitted pipeline for rows that came as JSON or as columns."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from backend.science.column_types import InputColumn
from backend.science.frames import rows_frame


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


def predict(
    pipeline: Pipeline,
    input_columns: Sequence[Mapping[str, Any]],
    output: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> PredictionResult:
    """Predict for n checked rows.

    Parameters
    ----------
    pipeline
        A pipeline that `fit` made.
    input_columns, output
        Its inputs and output, as the fit's outcome tells them.
    rows
        n maps from column name to value that passed `rows.check_rows`.
    """
    columns = [InputColumn(**column) for column in input_columns]
    answer = _predict(pipeline, output, rows_frame(rows, columns))
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


def _predict(
    pipeline: Pipeline, output: Mapping[str, Any], frame: pd.DataFrame
) -> FeaturePredictions:
    with warnings.catch_warnings():
        # An unseen category is handled like a rare one; the encoder says so each time.
        warnings.simplefilter("ignore", UserWarning)
        predictions = np.asarray(pipeline.predict(frame))
        if output["classes"] is None or not hasattr(pipeline, "predict_proba"):
            return FeaturePredictions(predictions, None, np.empty((len(frame), 0)))
        shares = np.asarray(pipeline.predict_proba(frame))
    return FeaturePredictions(predictions, [str(name) for name in output["classes"]], shares)
