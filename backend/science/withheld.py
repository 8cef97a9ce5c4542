"""Rows that a fit must not learn from: those on which it will be compared with another fit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backend.science.column_types import ColumnDescription
from backend.science.frames import NUMERIC_TYPES, feature_frame

Digests = npt.NDArray[Any]


def withheld_rows(
    table: pa.Table, columns: Sequence[ColumnDescription], request: Mapping[str, Any]
) -> npt.NDArray[np.int64]:
    """Which rows of a table also stand in a hold-out; they are equal in features and target.

    Parameters
    ----------
    table, columns
        The table to learn from, and descriptions of its columns.
    request
        `table`: Parquet file that the hold-out was drawn from. `columns`: descriptions of its
        columns as JSON. `holdout`: Parquet file whose column `row` numbers the rows held out.
        `names`: features and target.

    Returns
    -------
    array of shape (number of equal rows,)
        Row numbers counted from 0.
    """
    other_columns = [ColumnDescription(**column) for column in request["columns"]]
    held = pq.read_table(request["holdout"], columns=["row"], use_threads=False)["row"]
    other = pq.read_table(request["table"], use_threads=False).take(held.combine_chunks())
    names: list[str] = request["names"]
    both = (_chosen(columns, names), _chosen(other_columns, names))
    as_numbers = [
        mine.type in NUMERIC_TYPES and theirs.type in NUMERIC_TYPES
        for mine, theirs in zip(*both, strict=True)
    ]
    mine, theirs = (
        row_digests(part, chosen, as_numbers)
        for part, chosen in zip((table, other), both, strict=True)
    )
    return np.flatnonzero(np.isin(mine, theirs))


def _chosen(columns: Sequence[ColumnDescription], names: Sequence[str]) -> list[ColumnDescription]:
    described = {column.name: column for column in columns}
    return [described[name] for name in names]


def row_digests(
    table: pa.Table, columns: Sequence[ColumnDescription], as_numbers: Sequence[bool]
) -> Digests:
    """A 64-bit digest of each row, equal for rows of equal values.

    Parameters
    ----------
    table
        n rows.
    columns
        The columns that count.
    as_numbers
        For each column whether it is compared as a number: a file may write 3 or 3.0.

    Returns
    -------
    array of shape (n,)
    """
    frame = pd.DataFrame(
        {
            column.name: feature_frame(table, [column])[column.name]
            if is_number
            else _texts(table.column(column.name))
            for column, is_number in zip(columns, as_numbers, strict=True)
        }
    )
    return np.asarray(pd.util.hash_pandas_object(frame, index=False))


def _texts(values: pa.ChunkedArray) -> pd.Series:
    """Text and bytes, an image's pixels for instance, as Python objects; missing as None."""
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return pd.Series(values.to_pylist(), dtype=object)
    return pd.Series(values.cast(pa.string()).to_pylist(), dtype=object)
