"""What the columns of a table are good for: roles, what a fit leaves out, what it predicts.

Needs polars only, so that an upload can be described without loading scikit-learn.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from backend.science.column_types import ColumnDescription, ColumnRole, ColumnType, TargetGuess
from backend.science.profiles.keys import DistinctCounter, keys_of
from backend.science.profiles.reading import TableReader

ROLES_LEFT_OUT: Final[dict[ColumnRole, str]] = {
    "id": "a different value in nearly every row, so it looks like an identifier",
    "constant": "the same value in every row",
    "text": "free text with too many different values for a category",
    "datetime": "a date; derive numbers from it to use it",
}
GIVEN: Final = "somebody gave it the role {}"
EMPTY: Final = "no values at all"
ID_NAMES: Final = frozenset({"id", "index", "rowid", "row_id", "row", "uuid", "key", "unnamed: 0"})
OUTCOME_NAMES: Final = frozenset({"target", "label", "class", "outcome", "response", "y"})
# From here on distinct texts per row a column is an identifier; above, a category has too many.
ID_SHARE: Final = 0.95
TEXT_SHARE: Final = 0.5
MOST_CATEGORIES: Final = 200
FEW_ROWS: Final = 20
# A table of so many cells has everything counted at once; in a larger one a number with more than
# a few different values waits for the profile.
COUNTED_CELLS: Final = 2_000_000
FEW_VALUES: Final = 1_000


def describe_table(
    path: Path, given: Mapping[str, ColumnRole] = MappingProxyType({})
) -> list[ColumnDescription]:
    """Describe each column of a typed table, in bounded memory.

    Parameters
    ----------
    path
        Parquet file as `table_file.TableFile` has it.
    given
        Roles that a person chose, by column.

    Returns
    -------
    list of ColumnDescription
        In a table of more than `COUNTED_CELLS` cells `distinct` is None for numbers and dates
        with more than `FEW_VALUES` different values: the profile counts them.
    """
    reader = TableReader(path)
    few = None if reader.cells <= COUNTED_CELLS else FEW_VALUES
    found: dict[str, _Column] = {}
    for names in reader.blocks():
        columns = {name: _Column(name, reader.schema[name], few) for name in names}
        open_ones = list(names)
        for batch in reader.batches(names):
            for series in batch.select(open_ones).iter_columns():
                columns[series.name].add(series)
            open_ones = [name for name in open_ones if not columns[name].is_settled]
            if not open_ones:
                break
        found |= columns
    nulls = reader.nulls()
    return [
        found[name].describe(reader.rows, nulls[name], given.get(name)) for name in reader.schema
    ]


class _Column:
    """Gathers what decides the role of one column, batch by batch."""

    def __init__(self, name: str, dtype: pl.DataType, few: int | None) -> None:
        self.name = name
        self.type = column_type(dtype)
        may_be_id = self.type == "integer" and is_named_id(name)
        self._few = None if self.type in ("string", "boolean") or may_be_id else few
        self._counter = DistinctCounter()
        self._counts_rows = self.type == "integer"
        self._last: int | None = None
        self.is_settled = False

    def add(self, series: pl.Series) -> None:
        """Take the next values of the column."""
        present = series.drop_nulls()
        if not len(present):
            return
        self._counter.add(keys_of(present))
        if self._counts_rows:
            self._follow(present.to_numpy())
        if self._few is not None and not self._counts_rows:
            self.is_settled = self._counter.count() > self._few

    def _follow(self, numbers: npt.NDArray[np.int64]) -> None:
        """1, 2, 3, … in file order: a row number, whatever it is called."""
        first = self._last is None or int(numbers[0]) == self._last + 1
        self._counts_rows = first and bool((np.diff(numbers) == 1).all())
        self._last = int(numbers[-1])

    def describe(self, rows: int, nulls: int, given: ColumnRole | None) -> ColumnDescription:
        """What they were, once all were taken."""
        distinct = self._counter.count()
        role = given or self._role(rows - nulls, distinct)
        return ColumnDescription(
            name=self.name,
            type=self.type,
            role=role,
            nulls=nulls,
            distinct=distinct if self._counter.is_exact and not self.is_settled else None,
            left_out_because=_why_left_out(role, distinct, is_given=given is not None),
            role_given=given is not None,
        )

    def _role(self, present: int, distinct: int) -> ColumnRole:
        if distinct <= 1:
            return "constant"
        if self.type == "boolean":
            return "boolean"
        if self.type in ("date", "datetime"):
            return "datetime"
        if self.type == "integer":
            is_row_number = self._counts_rows and present > FEW_ROWS
            is_key = is_named_id(self.name) and distinct == present
            return "id" if is_row_number or is_key else "numeric"
        if self.type == "number":
            return "numeric"
        if present > FEW_ROWS and distinct >= ID_SHARE * present:
            return "id"
        many = distinct > MOST_CATEGORIES or distinct > TEXT_SHARE * present
        return "text" if present > FEW_ROWS and many else "categorical"


def _why_left_out(role: ColumnRole, distinct: int, *, is_given: bool) -> str | None:
    if distinct == 0:
        return EMPTY
    if not is_given:
        return ROLES_LEFT_OUT.get(role)
    if distinct == 1:
        return ROLES_LEFT_OUT["constant"]
    return GIVEN.format(role) if role in ROLES_LEFT_OUT else None


def column_type(dtype: pl.DataType) -> ColumnType:
    """The type of a column in our words."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Date:
        return "date"
    return "datetime" if dtype.is_temporal() else "string"


def is_named_id(name: str) -> bool:
    """Whether a column is called what identifiers are called."""
    lowered = name.strip().lower()
    return lowered in ID_NAMES or lowered.endswith("_id")


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
