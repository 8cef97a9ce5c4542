"""What the columns of a table are good for: roles, what a fit leaves out, what it predicts.

Needs polars only, so that an upload can be described without loading scikit-learn.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from backend.science.column_types import ColumnDescription, ColumnRole, ColumnType, TargetGuess

ROLES_LEFT_OUT: Final[dict[ColumnRole, str]] = {
    "id": "a different value in nearly every row, so it looks like an identifier",
    "constant": "the same value in every row",
    "text": "free text with too many different values for a category",
    "datetime": "a date; derive numbers from it to use it",
}
EMPTY: Final = "no values at all"
ID_NAMES: Final = frozenset({"id", "index", "rowid", "row_id", "row", "uuid", "key", "unnamed: 0"})
OUTCOME_NAMES: Final = frozenset({"target", "label", "class", "outcome", "response", "y"})
# From here on distinct texts per row a column is an identifier; above, a category has too many.
ID_SHARE: Final = 0.95
TEXT_SHARE: Final = 0.5
MOST_CATEGORIES: Final = 200
FEW_ROWS: Final = 20


def describe_columns(frame: pl.DataFrame) -> list[ColumnDescription]:
    """Describe each column of a typed table.

    Parameters
    ----------
    frame
        Table with typed columns, as `csv_table.read_csv` makes it.
    """
    return [_describe(series) for series in frame.iter_columns()]


def _describe(series: pl.Series) -> ColumnDescription:
    present = series.drop_nulls()
    distinct = present.n_unique()
    role = _role(series.name, _type(series.dtype), present, distinct)
    reason = EMPTY if distinct == 0 else ROLES_LEFT_OUT.get(role)
    return ColumnDescription(
        name=series.name,
        type=_type(series.dtype),
        role=role,
        nulls=series.null_count(),
        distinct=distinct,
        left_out_because=reason,
    )


def _type(dtype: pl.DataType) -> ColumnType:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Date:
        return "date"
    return "datetime" if dtype.is_temporal() else "string"


def _role(name: str, kind: ColumnType, present: pl.Series, distinct: int) -> ColumnRole:
    if distinct <= 1:
        return "constant"
    if kind == "boolean":
        return "boolean"
    if kind in ("date", "datetime"):
        return "datetime"
    unlike = distinct == len(present)
    if kind == "integer":
        return "id" if unlike and (_named_id(name) or _counts_rows(present)) else "numeric"
    if kind == "number":
        return "numeric"
    if len(present) > FEW_ROWS and distinct >= ID_SHARE * len(present):
        return "id"
    many = distinct > MOST_CATEGORIES or distinct > TEXT_SHARE * len(present)
    return "text" if len(present) > FEW_ROWS and many else "categorical"


def _named_id(name: str) -> bool:
    lowered = name.strip().lower()
    return lowered in ID_NAMES or lowered.endswith("_id")


def _counts_rows(present: pl.Series) -> bool:
    """1, 2, 3, … in file order: a row number, whatever it is called."""
    return len(present) > FEW_ROWS and bool((present.diff().drop_nulls() == 1).all())


def guess_target(columns: Sequence[ColumnDescription]) -> TargetGuess | None:
    """A column named like an outcome, else the last numeric column, else the last category.

    Tables are mostly written with the outcome last. Years are passed over: a column of that
    name says when, not what.
    """
    usable = [c.name for c in columns if c.role in ("numeric", "categorical", "boolean")]
    named = [name for name in usable if name.strip().lower() in OUTCOME_NAMES]
    if named:
        return TargetGuess(named[-1], "named like an outcome")
    numeric = [
        c.name for c in columns if c.role == "numeric" and not c.name.lower().endswith("year")
    ]
    if numeric:
        return TargetGuess(numeric[-1], "last numeric column")
    return TargetGuess(usable[-1], "last column with categories") if usable else None
