"""From stored columns to what scikit-learn sees; the same way when fitting and when predicting."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backend.science.column_types import (
    LARGEST_NUMBER,
    NUMERIC_TYPES,
    ColumnDescription,
    FeatureRole,
    InputColumn,
)
from backend.science.moments import SECONDS_PER_DAY, days_since_1970
from backend.science.preprocessing.domains import ANY_NUMBER, Domain, domains
from backend.science.preprocessing.treatments import USUAL, role_of
from backend.science.refusal import FitRefused
from backend.science.spec import Preprocessing

Floats = npt.NDArray[np.float64]
SHOWN_CATEGORIES: Final = 100
NOTHING_SPECIAL: Final = Preprocessing()


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


def input_columns(
    frame: pd.DataFrame,
    columns: Sequence[ColumnDescription],
    preprocessing: Preprocessing = NOTHING_SPECIAL,
) -> list[InputColumn]:
    """What a prediction has to bring, with ranges and categories of the training rows.

    Parameters
    ----------
    frame
        Training features, shape (n, p).
    columns
        Their descriptions.
    preprocessing
        What the fit does with them.
    """
    needs = domains(preprocessing)
    return [
        _input_column(
            frame[column.name],
            column,
            role_of(column, preprocessing.columns.get(column.name, USUAL)),
            needs.get(column.name, ANY_NUMBER),
        )
        for column in columns
    ]


def _input_column(
    values: "pd.Series[Any]", column: ColumnDescription, role: FeatureRole, needs: Domain
) -> InputColumn:
    given = values.to_numpy()
    if column.type not in NUMERIC_TYPES:
        categories = None if role == "text" else _shown(_known(given), str)
        return InputColumn(
            column.name, column.type, numeric=False, categories=categories, role=role
        )
    present = given[~np.isnan(given)]
    is_code = role == "categorical" and column.type in ("number", "integer")
    return InputColumn(
        name=column.name,
        type=column.type,
        numeric=True,
        minimum=float(present.min()) if len(present) else None,
        maximum=float(present.max()) if len(present) else None,
        categories=_shown(present.tolist(), "{:.15g}".format) if is_code else None,
        role=role,
        sign=needs.sign,
        largest=needs.largest,
    )


def _known(texts: npt.NDArray[Any]) -> list[Any]:
    """Without those that are missing, which do not equal themselves."""
    return [text for text in texts.tolist() if text == text]


def _shown(values: Iterable[Any], told: Callable[[Any], str]) -> list[str]:
    """The most frequent values; of equals the one that comes first."""
    return [told(value) for value, _ in Counter(values).most_common(SHOWN_CATEGORIES)]


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
        return days_since_1970(value)
    if isinstance(value, date):
        raise TypeError("rows come from JSON, which has no dates")
    return float(value)


def typical_row(frame: pd.DataFrame) -> pd.DataFrame:
    """One row of each column's median or most frequent value: an example that is nobody's row.

    A text that occurs only once is left out, for it may tell of one row.
    """
    return pd.DataFrame({name: [_typical(frame[name].to_numpy())] for name in frame.columns})


def _typical(values: npt.NDArray[Any]) -> Any:
    if values.dtype == np.float64:
        known = values[~np.isnan(values)]
        return np.median(known) if len(known) else np.nan
    most = Counter(_known(values)).most_common(1)
    return most[0][0] if most and most[0][1] > 1 else None
