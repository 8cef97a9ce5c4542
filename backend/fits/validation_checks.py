"""What the stored descriptions tell about a validation before any row is read."""

from collections.abc import Iterator, Mapping

from backend.science import spec as kinds
from backend.science.column_types import ColumnDescription

Problem = tuple[tuple[str | int, ...], str]
MOST_LEFT_OUT = 1_000
ORDERED = ("number", "integer", "date", "datetime")


def validation_problems(
    validation: kinds.Validation,
    described: Mapping[str, ColumnDescription],
    target: ColumnDescription,
    rows: int,
    kind: str,
) -> Iterator[Problem]:
    """Why the rows cannot be split like this, if that is known already."""
    known = rows - target.nulls
    match validation:
        case kinds.LeaveOneOut():
            yield from _leave_one_out(known, kind)
        case kinds.KFold() | kinds.Repeated():
            yield from _enough(validation.folds, known)
        case kinds.Group():
            yield from _groups(validation, described[validation.column], target, known)
        case kinds.TimeSeries():
            yield from _times(validation, described, target, known)
        case _:
            return


def _leave_one_out(known: int, kind: str) -> Iterator[Problem]:
    place = ("validation", "kind")
    if kind == "image":
        yield place, "a network for each image takes too long; choose holdout, kfold or repeated"
    elif known > MOST_LEFT_OUT:
        yield (
            place,
            f"leave_one_out is for at most {MOST_LEFT_OUT:,} rows, and there are {known:,}; "
            "choose kfold",
        )


def _enough(folds: int, known: int) -> Iterator[Problem]:
    if folds > known:
        yield ("validation", "folds"), f"{folds} folds need as many rows; there are {known:,}"


def _groups(
    validation: kinds.Group, column: ColumnDescription, target: ColumnDescription, known: int
) -> Iterator[Problem]:
    yield from _enough(validation.folds, known)
    distinct = column.distinct
    if distinct is not None and distinct < validation.folds:
        yield (
            ("validation", "folds"),
            f"{column.name} names {distinct:,} groups, fewer than the {validation.folds} folds",
        )
    yield from _complete(column, target, "group")


def _times(
    validation: kinds.TimeSeries,
    described: Mapping[str, ColumnDescription],
    target: ColumnDescription,
    known: int,
) -> Iterator[Problem]:
    size = known // (validation.folds + 1)
    if size == 0 or known - validation.folds * size - validation.gap < 1:
        yield (
            ("validation", "gap" if size else "folds"),
            f"{validation.folds} periods with a gap of {validation.gap:,} leave no rows to learn "
            f"from before the first; there are {known:,} rows",
        )
    if validation.column is None:
        return
    column = described[validation.column]
    if column.type not in ORDERED:
        yield (
            ("validation", "column"),
            f"{column.name} holds {column.type} values; rows are ordered by dates or numbers",
        )
    yield from _complete(column, target, "time")


def _complete(
    column: ColumnDescription, target: ColumnDescription, purpose: str
) -> Iterator[Problem]:
    """Where the target is complete, each row counts."""
    if column.nulls and not target.nulls:
        yield (
            ("validation", "column"),
            f"{column.name} is missing in {column.nulls:,} rows; each row needs its {purpose}",
        )
