"""From stored columns to what scikit-learn sees; the same way when fitting and when predicting."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backend.science.column_types import (
    LARGEST_NUMBER,
    ColumnDescription,
    ColumnType,
    InputColumn,
)
from backend.science.refusal import FitRefused

Floats = npt.NDArray[np.float64]
NUMERIC_TYPES: Final[frozenset[ColumnType]] = frozenset(
    {"number", "integer", "boolean", "date", "datetime"}
)
SHOWN_CATEGORIES: Final = 100
SECONDS_PER_DAY: Final = 86_400.0


def feature_frame(table: pa.Table, columns: Sequence[ColumnDescription]) -> pd.DataFrame:
    """The features of a stored table.

    Parameters
    ----------
    table
        Arrow table of n rows.
    columns
        The columns to take, in this order.

    Returns
    -------
    pandas.DataFrame of shape (n, len(columns))
        Numbers, booleans (0, 1) and dates (days since 1970) as float64 with NaN for missing;
        text as object with NaN for missing.

    Raises
    ------
    FitRefused
        A number is infinite or beyond what estimators compute with.
    """
    data = {
        column.name: _numbers(table.column(column.name), column)
        if column.type in NUMERIC_TYPES
        else _texts(table.column(column.name))
        for column in columns
    }
    return pd.DataFrame(data)


def _numbers(values: pa.ChunkedArray, column: ColumnDescription) -> Floats:
    if pa.types.is_temporal(values.type):
        seconds = values.cast(pa.timestamp("us")).cast(pa.int64())
        numbers = seconds.to_pandas().to_numpy(dtype=np.float64) / 1e6 / SECONDS_PER_DAY
    else:
        numbers = values.cast(pa.float64(), safe=False).to_pandas().to_numpy(dtype=np.float64)
    check_finite(numbers, column.name)
    return np.asarray(numbers, dtype=np.float64)


def check_finite(numbers: Floats, name: str) -> None:
    """Refuse numbers that no estimator computes with; NaN stands for missing and passes.

    Raises
    ------
    FitRefused
        A number is infinite, or larger than single precision holds.
    """
    if np.isinf(numbers).any():
        raise FitRefused(f"{name} holds infinite values. Replace or drop them first.", name)
    if (np.abs(numbers) > LARGEST_NUMBER).any():
        raise FitRefused(
            f"{name} holds values beyond {LARGEST_NUMBER:.0e}. Use another unit for it.", name
        )


def _texts(values: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    texts = np.array(values.cast(pa.string()).to_pylist(), dtype=object)
    texts[pc.is_null(values).to_numpy()] = np.nan
    return texts


def input_columns(frame: pd.DataFrame, columns: Sequence[ColumnDescription]) -> list[InputColumn]:
    """What a prediction has to bring, with ranges and categories of the training rows.

    Parameters
    ----------
    frame
        Training features, shape (n, p).
    columns
        Their descriptions.
    """
    return [_input_column(frame[column.name], column) for column in columns]


def _input_column(values: "pd.Series[Any]", column: ColumnDescription) -> InputColumn:
    if column.type in NUMERIC_TYPES:
        present = values.dropna()
        return InputColumn(
            name=column.name,
            type=column.type,
            numeric=True,
            minimum=float(present.min()) if len(present) else None,
            maximum=float(present.max()) if len(present) else None,
        )
    categories = [str(value) for value in values.value_counts().index[:SHOWN_CATEGORIES]]
    return InputColumn(name=column.name, type=column.type, numeric=False, categories=categories)


def rows_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[InputColumn]) -> pd.DataFrame:
    """Checked rows from JSON as the frame that a pipeline expects.

    Parameters
    ----------
    rows
        n maps from column name to value that passed `rows.check_rows`; null is missing.
    columns
        The pipeline's p inputs.

    Returns
    -------
    pandas.DataFrame of shape (n, p)
    """
    data: dict[str, npt.NDArray[Any]] = {}
    for column in columns:
        values = [row[column.name] for row in rows]
        if column.numeric:
            data[column.name] = np.array([as_number(value) for value in values], dtype=np.float64)
        else:
            texts = [np.nan if value is None else value for value in values]
            data[column.name] = np.array(texts, dtype=object)
    return pd.DataFrame(data)


def as_number(value: Any) -> float:
    """A checked value from JSON as the number that a pipeline sees.

    Parameters
    ----------
    value
        A number, a boolean, a date as ISO 8601 text (then days since 1970), or None (then NaN).
    """
    if value is None:
        return float("nan")
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return (moment - datetime(1970, 1, 1)).total_seconds() / SECONDS_PER_DAY  # noqa: DTZ001  # stored dates are naive too
    if isinstance(value, date):
        raise TypeError("rows come from JSON, which has no dates")
    return float(value)


def typical_row(frame: pd.DataFrame) -> pd.DataFrame:
    """One row of each column's median or most frequent value: an example that is nobody's row.

    A text that occurs only once is left out, for it may tell of one row.
    """
    return pd.DataFrame({name: [_typical(frame[name])] for name in frame.columns})


def _typical(values: "pd.Series[Any]") -> Any:
    if pd.api.types.is_float_dtype(values):
        return values.median()
    counts = values.value_counts()
    return counts.index[0] if len(counts) and counts.iloc[0] > 1 else None
