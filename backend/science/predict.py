"""Predictions of a fitted pipeline for rows that came as JSON."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from backend.science.column_types import InputColumn
from backend.science.frames import rows_frame


@dataclass(frozen=True, slots=True)
class PredictionResult:
    """One prediction per row; for classes their probabilities where the estimator has them."""

    predictions: list[Any]
    probabilities: list[dict[str, float]] | None


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
    frame = rows_frame(rows, columns)
    with warnings.catch_warnings():
        # An unseen category is handled like a rare one; the encoder says so each time.
        warnings.simplefilter("ignore", UserWarning)
        predictions = pipeline.predict(frame).tolist()
        if output["classes"] is None or not hasattr(pipeline, "predict_proba"):
            return PredictionResult(predictions, None)
        shares = pipeline.predict_proba(frame).tolist()
    names = [str(name) for name in output["classes"]]
    return PredictionResult(predictions, [dict(zip(names, row, strict=True)) for row in shares])
