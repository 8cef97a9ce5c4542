"""Forms of the steps that choose, name and order columns and rows."""

from typing import Any, Final

import streamlit as st

from frontend.recipe_inputs import EXPRESSION_HINT, MOST_AT_ONCE, Inputs, Step
from frontend.text import plain

OPERATORS: Final = {
    "==": "is",
    "!=": "is not",
    "<": "<",
    "<=": "≤",
    ">": ">",
    ">=": "≥",
    "in": "is one of",
    "not_in": "is none of",
    "is_missing": "is missing",
    "is_known": "is known",
}
NO_VALUE: Final = ("is_missing", "is_known")
SEVERAL_VALUES: Final = ("in", "not_in")
MOST_ROWS: Final = 2**31 - 1


def drop_columns(inputs: Inputs) -> Step | None:
    columns = inputs.several()
    return {"kind": "drop_columns", "columns": columns} if columns else None


def keep_columns(inputs: Inputs) -> Step | None:
    columns = inputs.several()
    return {"kind": "keep_columns", "columns": columns} if columns else None


def rename(inputs: Inputs) -> Step | None:
    given: dict[str, str] = inputs.before.get("columns") or {}
    chosen = _several_of(inputs, given)
    names = {
        old: inputs.text(f"New name of {plain(old)}", name=f"new.{old}", given=given.get(old))
        for old in chosen
    }
    ready = bool(names) and all(names.values())
    return {"kind": "rename", "columns": names} if ready else None


def _several_of(inputs: Inputs, given: dict[str, Any]) -> list[str]:
    return inputs.with_before({"columns": list(given)}).several(at_most=MOST_AT_ONCE)


def drop_missing(inputs: Inputs) -> Step | None:
    columns = inputs.several()
    st.caption("Without columns: rows in which any value is missing.")
    return {"kind": "drop_nulls", "columns": columns or None}


def filter_rows(inputs: Inputs) -> Step | None:
    ways = {"conditions": "Conditions", "expression": "An expression"}
    given = "expression" if inputs.before.get("expression") else "conditions"
    if inputs.choice("How", ways, name="way", given=given) == "expression":
        expression = inputs.lines(
            "Keep the rows where",
            name="expression",
            hint=EXPRESSION_HINT,
            placeholder="body_mass_g > 3000 and species in ('Adelie', 'Gentoo')",
        )
        return {"kind": "filter_rows", "expression": expression} if expression else None
    return _filter_by_conditions(inputs)


def _filter_by_conditions(inputs: Inputs) -> Step | None:
    given: list[Step] = inputs.before.get("conditions") or []
    count = inputs.count("Conditions", name="conditions", given=len(given))
    match = "all"
    if count > 1:
        ways = {"all": "all of them", "any": "any of them"}
        match = inputs.choice("Keep the rows that meet", ways, name="match")
    conditions = []
    for at in range(count):
        with st.container(border=count > 1):
            conditions.append(_condition(inputs, at, given[at] if at < len(given) else {}))
    known = [condition for condition in conditions if condition is not None]
    if len(known) < count:
        return None
    step: Step = {"kind": "filter_rows", "conditions": known}
    return step if match == "all" else {**step, "match": match}


def _condition(inputs: Inputs, at: int, given: Step) -> Step | None:
    name = f"condition.{at}"
    left, middle, right = st.columns(3)
    with left:
        column = inputs.one(name=f"{name}.column", given=given.get("column"))
    with middle:
        operator = inputs.choice(
            "Comparison", OPERATORS, name=f"{name}.operator", given=given.get("operator")
        )
    condition: Step = {"column": column, "operator": operator}
    with right:
        if operator in SEVERAL_VALUES:
            condition["value"] = inputs.values(
                "Values", column, name=f"{name}.values", given=given.get("value")
            )
        elif operator not in NO_VALUE:
            value = given.get("value") if column == given.get("column") else None
            condition["value"] = inputs.value("Value", column, name=f"{name}.value", given=value)
    complete = column is not None and condition.get("value", 0) not in (None, [])
    return condition if complete else None


def deduplicate(inputs: Inputs) -> Step | None:
    columns = inputs.several()
    st.caption("Without columns: rows that agree in all.")
    keep = inputs.choice("Keep", {"first": "the first", "last": "the last"}, name="keep")
    step: Step = {"kind": "deduplicate", "columns": columns or None}
    return step if keep == "first" else {**step, "keep": keep}


def sort(inputs: Inputs) -> Step | None:
    given: list[Step] = inputs.before.get("by") or []
    count = inputs.count("Columns to sort by", name="by", given=len(given))
    keys = []
    for at in range(count):
        key = given[at] if at < len(given) else {}
        left, right = st.columns(2, vertical_alignment="bottom")
        with left:
            column = inputs.one(name=f"by.{at}", given=key.get("column"))
        with right:
            descending = inputs.flag(
                "Largest first", name=f"by.{at}.descending", given=bool(key.get("descending"))
            )
        keys.append({"column": column, "descending": descending})
    ready = all(key["column"] is not None for key in keys)
    return {"kind": "sort", "by": keys} if ready else None


def sample(inputs: Inputs) -> Step | None:
    ways = {"rows": "A number of rows", "share": "A share of the rows"}
    given = "share" if inputs.before.get("share") else "rows"
    way = inputs.choice("How many", ways, name="way", given=given)
    step: Step = {"kind": "sample"}
    if way == "rows":
        rows = int(inputs.before.get("rows") or 1_000)
        step["rows"] = inputs.whole("Rows", name="rows", given=rows, least=1, most=MOST_ROWS)
    else:
        share = float(inputs.before.get("share") or 0.1)
        step["share"] = inputs.share("Share", name="share", given=share)
    seed = int(inputs.before.get("seed") or 0)
    step["seed"] = inputs.whole("Seed", name="seed", given=seed, least=0, most=2**32 - 1)
    return step if step.get("share", 1) > 0 else None
