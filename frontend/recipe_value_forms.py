"""Forms of the steps that change types and values."""

from typing import Any, Final

import streamlit as st

from frontend.recipe_inputs import MOST_AT_ONCE, NUMERIC, Inputs, Step, shown_value
from frontend.text import plain

TYPES: Final = {
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "string": "text",
    "date": "date",
    "datetime": "date and time",
}
DECIMALS: Final = {".": "a point: 1234.5", ",": "a comma: 1234,5"}
FILLS: Final = {
    "median": "its median",
    "mean": "its mean",
    "most_frequent": "its most frequent value",
    "constant": "a value",
}
BECOMES_MISSING: Final = "What does not fit becomes missing"


def cast(inputs: Inputs) -> Step | None:
    columns = inputs.several()
    to = inputs.choice("As", TYPES, name="to")
    step: Step = {"kind": "cast", "columns": columns, "to": to}
    if to in ("number", "integer"):
        decimal = inputs.choice("Decimals are written with", DECIMALS, name="decimal")
        if decimal != ".":
            step["decimal"] = decimal
    step["errors"] = errors_choice(inputs)
    return step if columns else None


def errors_choice(inputs: Inputs) -> str:
    """What is done with values that do not fit."""
    given = inputs.before.get("errors", "null") == "null"
    return "null" if inputs.flag(BECOMES_MISSING, name="errors", given=given) else "refuse"


def replace(inputs: Inputs) -> Step | None:
    column = inputs.one()
    same = column == inputs.before.get("column")
    given = list((inputs.before.get("values") or {}).items()) if same else []
    count = inputs.count("Values to replace", name="values", given=len(given))
    values: dict[str, Any] = {}
    for at in range(count):
        old, new = given[at] if at < len(given) else (None, None)
        left, right = st.columns(2)
        with left:
            key = inputs.value("Value to replace", column, name=f"old.{at}", given=old)
        with right:
            by = inputs.value("By (empty: missing)", column, name=f"new.{at}", given=new)
        if key is not None:
            values[shown_value(key)] = by
    ready = column is not None and len(values) == count
    return {"kind": "replace_values", "column": column, "values": values} if ready else None


def fill(inputs: Inputs) -> Step | None:
    given: dict[str, Step] = inputs.before.get("columns") or {}
    columns = inputs.with_before({"columns": list(given)}).several()
    first: Step = next(iter(given.values()), {})
    method = inputs.choice("With", FILLS, name="method", given=first.get("method"))
    filling: Step = {"method": method}
    if method == "constant":
        column = columns[0] if columns else None
        filling["value"] = inputs.value("Value", column, name="value", given=first.get("value"))
    ready = bool(columns) and filling.get("value", 0) is not None
    return {"kind": "fill_nulls", "columns": dict.fromkeys(columns, filling)} if ready else None


def clip(inputs: Inputs) -> Step | None:
    given: dict[str, Step] = inputs.before.get("columns") or {}
    chosen = inputs.with_before({"columns": list(given)}).several(
        kinds=NUMERIC, at_most=MOST_AT_ONCE
    )
    columns: dict[str, Step] = {}
    for column in chosen:
        bounds = given.get(column, {})
        left, right = st.columns(2)
        with left:
            lower = inputs.number(
                f"Least of {plain(column)}", name=f"lower.{column}", given=bounds.get("lower")
            )
        with right:
            upper = inputs.number(
                f"Most of {plain(column)}", name=f"upper.{column}", given=bounds.get("upper")
            )
        wanted = {"lower": lower, "upper": upper}
        columns[column] = {name: bound for name, bound in wanted.items() if bound is not None}
    ready = bool(columns) and all(columns.values())
    return {"kind": "clip", "columns": columns} if ready else None


def winsorise(inputs: Inputs) -> Step | None:
    columns = inputs.several(kinds=NUMERIC)
    left, right = st.columns(2)
    with left:
        lower = inputs.share("Lower quantile", name="lower", given=0.01, least=0.0, most=0.499)
    with right:
        upper = inputs.share("Upper quantile", name="upper", given=0.99, least=0.501, most=1.0)
    step: Step = {"kind": "winsorise", "columns": columns, "lower": lower, "upper": upper}
    return step if columns else None
