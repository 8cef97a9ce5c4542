"""What the stored description of a target tells before any row is read."""

from collections.abc import Iterator

from backend.science.column_types import ColumnDescription
from backend.science.spec import FitSpec, Task, fewest_rows

Problem = tuple[tuple[str | int, ...], str]
NUMBERS = ("number", "integer")
TIMES = ("date", "datetime")
MOST_CLASSES = 100


def known_task(target: ColumnDescription, asked: Task | None) -> Task | None:
    """What the target is predicted as; None where only its values tell."""
    distinct = target.distinct
    if asked is not None and asked != "regression":
        return asked if distinct is None else _by_count(distinct)
    if asked == "regression":
        return asked
    if distinct is None:
        return None
    if target.type in NUMBERS:
        if distinct != 2:
            return "regression"
        return "binary" if target.type == "integer" else None
    return _by_count(distinct)


def _by_count(distinct: int) -> Task:
    return "binary" if distinct == 2 else "multiclass"


def target_problems(
    spec: FitSpec, target: ColumnDescription, rows: int, task: Task | None
) -> Iterator[Problem]:
    """Why nothing can be learnt about this target, if that is known already."""
    text = _reason(spec, target, rows - target.nulls, task)
    if text is not None:
        yield ("target",), text


def _reason(spec: FitSpec, target: ColumnDescription, known: int, task: Task | None) -> str | None:
    name, distinct = target.name, target.distinct
    fewest = fewest_rows(spec.validation)
    if known == 0:
        return f"{name} has no values"
    if distinct is not None and distinct <= 1:
        return f"{name} has the same value in every row"
    if known < fewest:
        return f"{known} rows with a known {name} are too few; at least {fewest} are needed"
    if task == "regression" and target.type not in NUMBERS:
        return f"{name} holds {target.type} values; regression needs numbers"
    return None if task in (None, "regression") else _reason_of_classes(spec, target, known)


def _reason_of_classes(spec: FitSpec, target: ColumnDescription, known: int) -> str | None:
    name, distinct = target.name, target.distinct
    if target.type in TIMES:
        return f"{name} holds dates, which are no classes"
    if distinct is None:
        return None
    if distinct == known:
        return f"{name} has one row per class: there is nothing to learn about any of them"
    if distinct > MOST_CLASSES:
        return f"{name} has {distinct:,} different values; at most {MOST_CLASSES} classes"
    if spec.task == "binary" and distinct > 2:
        return f"{name} has {distinct} classes, not two"
    return None
