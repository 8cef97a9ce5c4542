"""A cleaning recipe applied to a table, step by step, with what each step did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from backend.science.column_types import ColumnRole
from backend.science.recipes.changes import ROW, ChangedCells, changed_in_place, tracked_changes
from backend.science.recipes.fields import TableKey
from backend.science.recipes.planning import Outline, Outlined, follow, plan
from backend.science.recipes.problem import RecipeProblem, StepProblem, refuse
from backend.science.recipes.running import prepare, take
from backend.science.recipes.steps import AnyStep, Join
from backend.science.recipes.values import kind_of

# Steps that leave rows out or repeat them, and those that touch no cell.
MOVING: Final = frozenset({"drop_nulls", "filter_rows", "deduplicate", "sample", "join"})
QUIET: Final = frozenset({"drop_columns", "keep_columns", "rename", "set_role", "sort"})


@dataclass(frozen=True, slots=True)
class StepReport:
    """The table before and after one step.

    Attributes
    ----------
    missing_before, missing_after
        Counts of missing cells.
    columns_added, columns_dropped
        Names, in the order of the table.
    first_changes
        The first rows that differ, if they were asked for.
    """

    kind: str
    rows_before: int
    rows_after: int
    columns_before: int
    columns_after: int
    missing_before: int
    missing_after: int
    columns_added: list[str] = field(default_factory=list)
    columns_dropped: list[str] = field(default_factory=list)
    first_changes: list[ChangedCells] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The table after all steps, one report for each, and the roles that were given."""

    frame: pl.DataFrame
    reports: list[StepReport]
    roles: dict[str, ColumnRole] = field(default_factory=dict)


def apply_recipe(
    frame: pl.DataFrame,
    steps: Sequence[AnyStep],
    *,
    others: Mapping[TableKey, pl.DataFrame] | None = None,
    roles: Mapping[str, ColumnRole] | None = None,
    show_changes: bool = False,
) -> Cleaned:
    """Apply the steps in order.

    Parameters
    ----------
    frame
        Typed table of n rows; NaN and empty text count as missing.
    steps
        Checked steps; the same steps give the same rows for the same table.
    others
        The tables that steps join.
    roles
        Roles of columns that were given before.
    show_changes
        Whether the reports hold the first changed rows.

    Raises
    ------
    RecipeProblem
        A step does not go with the table as it is then, or leaves nothing of it.
    """
    frame = prepare(frame)
    given = dict(roles or {})
    reports: list[StepReport] = []
    for position, step in enumerate(steps):
        other = _other(step, others or {})
        outline = outline_of(frame, given)
        try:
            after, changes = _do(frame, step, outline, other, show_changes=show_changes)
            outline = follow(outline, step, None if other is None else outline_of(other))
        except StepProblem as problem:
            raise RecipeProblem(position, problem.blames) from None
        except pl.exceptions.PolarsError as error:
            # What no check foresaw is still the recipe's fault, and a refusal.
            reason = str(error).splitlines()[0][:200]
            raise RecipeProblem(position, refuse(f"polars refuses: {reason}").blames) from None
        given = {name: one.role for name, one in outline.items() if one.role is not None}
        reports.append(_report(step.kind, frame, after, changes))
        frame = after
    return Cleaned(frame, reports, given)


def outline_of(frame: pl.DataFrame, roles: Mapping[str, ColumnRole] | None = None) -> Outline:
    """The kinds of a frame's columns, with the roles that were given."""
    known = roles or {}
    return {name: Outlined(kind_of(d), known.get(name)) for name, d in frame.schema.items()}


def _other(step: AnyStep, others: Mapping[TableKey, pl.DataFrame]) -> pl.DataFrame | None:
    return others[step.dataset_id, step.version] if isinstance(step, Join) else None


def _do(
    frame: pl.DataFrame,
    step: AnyStep,
    outline: Outline,
    other: pl.DataFrame | None,
    *,
    show_changes: bool,
) -> tuple[pl.DataFrame, list[ChangedCells]]:
    planned = plan(step, outline)
    if planned is None:
        return frame, []
    arguments = dict(planned.arguments)
    if other is not None:
        arguments["other"] = other
    if not show_changes or step.kind in QUIET:
        return take(planned.operation, frame, **arguments), []
    if step.kind not in MOVING:
        after = take(planned.operation, frame, **arguments)
        return after, changed_in_place(frame, after)
    if step.kind in ("drop_nulls", "deduplicate"):
        arguments["columns"] = arguments.get("columns") or frame.columns
    tracked = take(planned.operation, frame.with_row_index(ROW), **arguments)
    return tracked.drop(ROW), tracked_changes(frame, tracked)


def _report(
    kind: str, before: pl.DataFrame, after: pl.DataFrame, changes: list[ChangedCells]
) -> StepReport:
    there, here = set(before.columns), set(after.columns)
    return StepReport(
        kind=kind,
        rows_before=before.height,
        rows_after=after.height,
        columns_before=before.width,
        columns_after=after.width,
        missing_before=sum(before.null_count().row(0)),
        missing_after=sum(after.null_count().row(0)),
        columns_added=[name for name in after.columns if name not in there],
        columns_dropped=[name for name in before.columns if name not in here],
        first_changes=changes,
    )
