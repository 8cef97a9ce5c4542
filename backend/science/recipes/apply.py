"""A cleaning recipe applied to a table, step by step, with what each step did."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from backend.science.recipes import casting, cells, shape
from backend.science.recipes.problem import RecipeProblem, StepProblem, refuse
from backend.science.recipes.steps import AnyStep

OPERATIONS: Final[Mapping[str, Callable[[pl.DataFrame, Any], pl.DataFrame]]] = {
    "drop_columns": shape.drop_columns,
    "rename": shape.rename,
    "cast": casting.cast,
    "replace_values": cells.replace_values,
    "drop_nulls": shape.drop_nulls,
    "fill_nulls": cells.fill_nulls,
    "filter_rows": shape.filter_rows,
    "clip": cells.clip,
    "deduplicate": shape.deduplicate,
    "sort": shape.sort,
    "sample": shape.sample,
}


@dataclass(frozen=True, slots=True)
class StepReport:
    """The table before and after one step.

    Attributes
    ----------
    missing_before, missing_after
        Counts of missing cells.
    """

    kind: str
    rows_before: int
    rows_after: int
    columns_before: int
    columns_after: int
    missing_before: int
    missing_after: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The table after all steps, and one report for each."""

    frame: pl.DataFrame
    reports: list[StepReport]


def apply_recipe(frame: pl.DataFrame, steps: Sequence[AnyStep]) -> Cleaned:
    """Apply the steps in order.

    Parameters
    ----------
    frame
        Typed table of n rows; NaN counts as missing.
    steps
        Checked steps; the same steps give the same rows for the same table.

    Raises
    ------
    RecipeProblem
        A step does not go with the table as it is then, or leaves nothing of it.
    """
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    reports: list[StepReport] = []
    for position, step in enumerate(steps):
        try:
            after = OPERATIONS[step.kind](frame, step)
            _require_something(after)
        except StepProblem as problem:
            raise RecipeProblem(position, problem.blames) from None
        reports.append(_report(step.kind, frame, after))
        frame = after
    return Cleaned(frame, reports)


def _require_something(frame: pl.DataFrame) -> None:
    if frame.width == 0:
        raise refuse("no column is left after this step")
    if frame.height == 0:
        raise refuse("no row is left after this step")


def _report(kind: str, before: pl.DataFrame, after: pl.DataFrame) -> StepReport:
    return StepReport(
        kind=kind,
        rows_before=before.height,
        rows_after=after.height,
        columns_before=before.width,
        columns_after=after.width,
        missing_before=sum(before.null_count().row(0)),
        missing_after=sum(after.null_count().row(0)),
    )
