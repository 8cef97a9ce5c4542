"""The column that a split goes by: names of groups, or times."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backend.science import spec as kinds
from backend.science.column_types import ColumnDescription
from backend.science.refusal import FitRefused

ORDERED = frozenset({"number", "integer", "date", "datetime"})


def key_column(validation: kinds.Validation) -> str | None:
    """The name of the column that a split goes by, if it goes by one."""
    if isinstance(validation, kinds.Group | kinds.TimeSeries):
        return validation.column
    return None


def read_keys(
    table: pa.Table, column: ColumnDescription, rows: npt.NDArray[np.int64], *, ordered: bool
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """One number per row: of its group, or of its time.

    Parameters
    ----------
    table, column
        The table, and the column to read.
    rows
        Positions of the rows that count, shape (n,).
    ordered
        Whether the numbers must be in the order of the values.

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    FitRefused
        A value is missing, or the column holds nothing that has an order in time.
    """
    purpose = "time" if ordered else "group"
    if ordered and column.type not in ORDERED:
        raise FitRefused(
            f"{column.name} holds {column.type} values; rows are ordered by dates or numbers.",
            column.name,
        )
    values = table.column(column.name).take(pa.array(rows))
    missing = int(pc.sum(pc.is_null(values, nan_is_null=True)).as_py())
    if missing:
        raise FitRefused(
            f"{column.name} is missing in {missing:,} rows; each row needs its {purpose}.",
            column.name,
        )
    if not ordered:
        codes = values.combine_chunks().dictionary_encode().indices
        return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
    if pa.types.is_temporal(values.type):
        moments = values.cast(pa.timestamp("us")).cast(pa.int64())
        return np.asarray(moments.to_numpy(), dtype=np.int64)
    return np.asarray(values.to_numpy())
