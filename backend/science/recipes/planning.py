"""What a step does to a table, as a function and its arguments, and to its columns' kinds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import polars as pl

from backend.science.column_names import clean_name
from backend.science.column_types import ColumnRole
from backend.science.recipes import casting, cells, deriving, joining, shape
from backend.science.recipes.expressions.compiling import Compiled, compile_expression
from backend.science.recipes.expressions.signatures import NOUNS
from backend.science.recipes.expressions.tokens import ExpressionProblem
from backend.science.recipes.problem import Blame, StepProblem, refuse
from backend.science.recipes.steps import (
    AnyStep,
    Cast,
    DateParts,
    Derive,
    DropColumns,
    FilterRows,
    Interactions,
    Join,
    KeepColumns,
    ParseDates,
    Polynomial,
    Rename,
    SetRole,
)
from backend.science.recipes.values import Kind

Operation = Callable[..., pl.DataFrame]
OPERATIONS: Final[Mapping[str, Operation | None]] = {
    "drop_columns": shape.drop_columns,
    "keep_columns": shape.keep_columns,
    "rename": shape.rename,
    "cast": casting.cast,
    "parse_dates": casting.parse_dates,
    # About the columns; their values stay, or become text, see `plan`.
    "set_role": None,
    "replace_values": cells.replace_values,
    "drop_nulls": shape.drop_nulls,
    "fill_nulls": cells.fill_nulls,
    "filter_rows": shape.filter_rows,
    "clip": cells.clip,
    "winsorise": cells.winsorise,
    "derive": deriving.derive,
    "date_parts": deriving.date_parts,
    "interactions": deriving.interactions,
    "polynomial": deriving.polynomial,
    "join": joining.join,
    "deduplicate": shape.deduplicate,
    "sort": shape.sort,
    "sample": shape.sample,
}
ROLES_OF_KINDS: Final[Mapping[Kind, frozenset[ColumnRole]]] = {
    "number": frozenset({"numeric", "categorical", "id"}),
    "boolean": frozenset({"boolean", "numeric", "categorical"}),
    "string": frozenset({"categorical", "text", "id"}),
    "date": frozenset({"datetime"}),
    "datetime": frozenset({"datetime"}),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A function of the frame with its arguments.

    Attributes
    ----------
    sources
        Python text of the arguments that are expressions.
    """

    operation: Operation
    arguments: Mapping[str, Any]
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlined:
    """What is known of a column without looking at its values; `role` only if it was given."""

    kind: Kind
    role: ColumnRole | None = None


Outline = dict[str, Outlined]


def plan(step: AnyStep, outline: Outline) -> Plan | None:
    """How to do a step on a table of these columns; None where its values stay as they are.

    A join takes the other table as `other` besides.

    Raises
    ------
    StepProblem
        An expression does not go with the columns.
    """
    given = {name: value for name, value in step.model_dump().items() if value is not None}
    operation = OPERATIONS[given.pop("kind")]
    if isinstance(step, FilterRows) and step.expression is not None:
        met = _compile(step.expression, outline)
        if met.kind != "boolean":
            raise refuse(
                f"the expression gives {NOUNS[met.kind]}; a filter needs true or false, "
                "such as age > 18",
                "expression",
            )
        return Plan(shape.filter_where, {"met": met.expression}, {"met": met.source})
    if isinstance(step, Derive):
        value = _compile(step.expression, outline)
        whole_if = None if value.whole_if is None else sorted(value.whole_if)
        arguments = {"name": step.name, "value": value.expression, "whole_if": whole_if}
        return Plan(deriving.derive, arguments, {"value": value.source})
    if isinstance(step, SetRole):
        texts = _becoming_text(step, outline)
        arguments = {"columns": texts, "to": "string", "errors": "null"}
        return Plan(casting.cast, arguments) if texts else None
    if isinstance(step, Join):
        del given["dataset_id"], given["version"]
    return None if operation is None else Plan(operation, given)


def _compile(text: str, outline: Outline) -> Compiled:
    try:
        return compile_expression(text, {name: one.kind for name, one in outline.items()})
    except ExpressionProblem as problem:
        raise refuse(str(problem), "expression") from None


def follow(outline: Outline, step: AnyStep, other: Outline | None = None) -> Outline:
    """The columns after a step that went well.

    Parameters
    ----------
    other
        Columns of the table that a join brings.

    Raises
    ------
    StepProblem
        A role does not go with a column.
    """
    match step:
        case DropColumns():
            return {name: one for name, one in outline.items() if name not in step.columns}
        case KeepColumns():
            return {name: outline[name] for name in step.columns}
        case Rename():
            return {clean_name(step.columns.get(n, n)): one for n, one in outline.items()}
        case Cast():
            return outline | dict.fromkeys(
                step.columns, Outlined("number" if step.to == "integer" else step.to)
            )
        case ParseDates():
            timed = any(casting.HOURS.search(pattern) for pattern in step.formats)
            return outline | dict.fromkeys(step.columns, Outlined("datetime" if timed else "date"))
        case SetRole():
            return outline | _with_roles(outline, step)
        case Derive():
            kind = _compile(step.expression, outline).kind
            return outline | {clean_name(step.name): Outlined(kind)}
        case DateParts() | Interactions() | Polynomial():
            return outline | dict.fromkeys(_new_names(step), Outlined("number")) | _weekends(step)
        case Join():
            theirs = other or {}
            named = joining.joined_names(
                list(outline), list(theirs), step.on, step.columns, step.suffix
            )
            return outline | {new: Outlined(theirs[name].kind) for name, new in named.items()}
        case _:
            return outline


def _becoming_text(step: SetRole, outline: Outline) -> list[str]:
    """Numbers that are categories: a fit takes text as such, and only text."""
    return [
        name
        for name, role in step.columns.items()
        if role == "categorical" and name in outline and outline[name].kind in ("number", "boolean")
    ]


def _with_roles(outline: Outline, step: SetRole) -> Outline:
    blames: list[Blame] = []
    made: Outline = {}
    for name, role in step.columns.items():
        one = outline.get(name)
        if one is None:
            blames.append(Blame(f"there is no column {name!r}", ("columns", name)))
        elif role is not None and role not in ROLES_OF_KINDS[one.kind]:
            allowed = ", ".join(sorted(ROLES_OF_KINDS[one.kind]))
            blames.append(Blame(f"{name} holds {NOUNS[one.kind]}: {allowed}", ("columns", name)))
        else:
            made[name] = replace(one, role=role)
    for name in _becoming_text(step, outline):
        made[name] = Outlined("string", "categorical")
    if blames:
        raise StepProblem(*blames)
    return made


def _new_names(step: DateParts | Interactions | Polynomial) -> list[str]:
    match step:
        case DateParts():
            return [f"{name}_{part}" for name in step.columns for part in step.parts]
        case Interactions():
            return deriving.names_of_products(step.columns)
        case Polynomial():
            return deriving.names_of_powers(step.columns, step.degree)


def _weekends(step: AnyStep) -> Outline:
    if not isinstance(step, DateParts) or "is_weekend" not in step.parts:
        return {}
    return {f"{name}_is_weekend": Outlined("boolean") for name in step.columns}
