"""The target of a fit: its task, its values, and whether they can be fitted at all."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backend.science.column_types import ColumnDescription
from backend.science.frames import check_finite
from backend.science.refusal import FitRefused
from backend.science.spec import FEWEST_ROWS, Task

MOST_CLASSES: Final = 100
NUMBER_TYPES: Final = ("number", "integer")
# Above, floating-point numbers skip whole numbers.
LARGEST_WHOLE: Final = 2**53


@dataclass(frozen=True, slots=True)
class Target:
    """Values of the rows whose target is known.

    Attributes
    ----------
    values
        Shape (n,): float64 for regression, else the classes as integers, booleans or texts.
    rows
        Positions of those rows in the table, shape (n,).
    """

    task: Task
    values: npt.NDArray[Any]
    rows: npt.NDArray[np.int64]

    def without(self, rows: npt.NDArray[np.int64]) -> "Target":
        """The same target without some rows of the table.

        Parameters
        ----------
        rows
            Positions in the table, shape (m,).

        Raises
        ------
        FitRefused
            Too few rows remain.
        """
        if len(rows) == 0:
            return self
        kept = ~np.isin(self.rows, rows)
        if kept.sum() < FEWEST_ROWS:
            raise FitRefused(
                f"{len(self.rows) - kept.sum():,} of {len(self.rows):,} rows stand in the hold-out "
                "that the fit will be compared on; too few are left to learn from."
            )
        return Target(self.task, self.values[kept], self.rows[kept])


def read_target(table: pa.Table, column: ColumnDescription, task: Task | None) -> Target:
    """The known values of the target.

    Parameters
    ----------
    table
        Arrow table.
    column
        Description of the target column.
    task
        What the user asked for; inferred where it is None.

    Raises
    ------
    FitRefused
        The task does not go with the values, or there is nothing to learn from them.
    """
    stored = table.column(column.name)
    known = np.flatnonzero(pc.invert(pc.is_null(stored, nan_is_null=True)).to_numpy())
    if len(known) == 0:
        raise FitRefused(f"{column.name} has no values.", column.name)
    if len(known) < FEWEST_ROWS:
        raise FitRefused(
            f"{len(known)} rows with a known target are too few; at least {FEWEST_ROWS} are needed."
        )
    present = stored.take(pa.array(known))
    chosen = task or _infer(column, present)
    if chosen == "regression":
        return Target(chosen, _numbers(present, column), known)
    return _classes(present, column, chosen, known)


def _infer(column: ColumnDescription, present: pa.ChunkedArray) -> Task:
    """Numbers are regressed, two whole numbers or texts are two classes, the rest are classes."""
    # Numbers of a large table were not counted when it was stored.
    distinct = column.distinct or pc.count_distinct(present).as_py()
    if column.type in NUMBER_TYPES:
        return "binary" if distinct == 2 and _whole(present) else "regression"
    return "binary" if distinct == 2 else "multiclass"


def _whole(present: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(present.type):
        return True
    numbers = np.asarray(present.to_numpy())
    return bool(((numbers == np.round(numbers)) & (np.abs(numbers) <= LARGEST_WHOLE)).all())


def _numbers(present: pa.ChunkedArray, column: ColumnDescription) -> npt.NDArray[np.float64]:
    if column.type not in NUMBER_TYPES:
        raise FitRefused(
            f"{column.name} holds {column.type} values; regression needs numbers.", column.name
        )
    numbers = np.asarray(present.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    check_finite(numbers, column.name)
    if np.ptp(numbers) == 0:
        raise FitRefused(
            f"{column.name} has the same value in every row, as far as 64-bit numbers can tell.",
            column.name,
        )
    return numbers


def _classes(
    present: pa.ChunkedArray, column: ColumnDescription, task: Task, known: npt.NDArray[np.int64]
) -> Target:
    if column.type in ("date", "datetime"):
        raise FitRefused(f"{column.name} holds dates, which are no classes.", column.name)
    if pa.types.is_floating(present.type):
        if not _whole(present):
            raise FitRefused(
                f"{column.name} holds fractions; classes are whole numbers or texts.", column.name
            )
        present = present.cast(pa.int64())
    values = np.array(present.to_pylist())
    count = len(np.unique(values))
    if count < 2:
        raise FitRefused(f"{column.name} has the same value in every row.", column.name)
    if count > MOST_CLASSES:
        raise FitRefused(
            f"{column.name} has {count:,} different values; at most {MOST_CLASSES} classes.",
            column.name,
        )
    if task == "binary" and count > 2:
        raise FitRefused(f"{column.name} has {count} classes, not two.", column.name)
    return Target("binary" if count == 2 else "multiclass", values, known)
