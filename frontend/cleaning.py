"""Cleaning a table: steps are chosen one by one, tried, and made into the next version."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ProfileOut
from backend.datasets.recipe_schemas import RecipeOut
from backend.datasets.schemas import DatasetOut
from frontend import identity, text
from frontend.client import ApiError, SignedOut
from frontend.pages import PageName, go
from frontend.state import Recipe, state
from frontend.widgets import show_problems

Step = dict[str, Any]
FILLS: Final = ("median", "mean", "most_frequent", "constant")
OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "is_missing", "is_known")
TYPES: Final = ("number", "integer", "boolean", "string", "date", "datetime")
NUMERIC: Final = frozenset({"number", "integer"})
DOUBT: Final = "are not numbers"


def draw_cleaning(dataset: DatasetOut, version: int, profile: ProfileOut) -> None:
    """The tab; what was chosen belongs to one version."""
    recipe = state.recipe
    if recipe is None or (recipe.dataset_id, recipe.version) != (dataset.id, version):
        recipe = Recipe(dataset.id, version)
    for column in _doubtful(profile):
        label = f"Read {text.plain(column)} as numbers; the rest becomes missing"
        if st.button(label, key=f"clean.doubt.{column}", icon=":material/build:"):
            _add(recipe, _to_numbers(column))
    _draw_form(recipe, profile)
    if not recipe.steps:
        st.caption("No step yet. Steps are applied in their order; this version stays as it is.")
        return
    _draw_steps(recipe)
    with st.container(horizontal=True, key="clean_actions"):
        if st.button("Try", help="Tells what each step would do; makes nothing"):
            _send(recipe, dry_run=True)
        if st.button("Make the next version", type="primary"):
            _send(recipe, dry_run=False)


def _doubtful(profile: ProfileOut) -> list[str]:
    """Text columns that are mostly numbers."""
    return [
        column.name
        for column in profile.columns
        if column.type == "string"
        and any(
            warning.startswith(f"{column.name}: ") and DOUBT in warning
            for warning in profile.warnings
        )
    ]


def _to_numbers(column: str) -> Step:
    return {"kind": "cast", "columns": [column], "to": "number", "errors": "null"}


def _add(recipe: Recipe, step: Step) -> None:
    if step not in recipe.steps:
        _keep(recipe, (*recipe.steps, step))


def _keep(recipe: Recipe, steps: tuple[Step, ...]) -> None:
    """Other steps are another request, and what the old ones would do counts no more."""
    state.recipe = Recipe(recipe.dataset_id, recipe.version, steps, key=uuid.uuid4().hex)
    state.form_round += 1
    st.rerun()


def _draw_form(recipe: Recipe, profile: ProfileOut) -> None:
    with st.container(border=True, key="clean_form"):
        label = st.selectbox("Step", list(_FORMS))
        step = _FORMS[label](profile)
        if st.button("Add step", disabled=step is None) and step is not None:
            _add(recipe, step)


def _draw_steps(recipe: Recipe) -> None:
    reports = [None] * len(recipe.steps) if recipe.report is None else recipe.report.steps
    for at, (step, report) in enumerate(zip(recipe.steps, reports, strict=True)):
        with st.container(horizontal=True, vertical_alignment="center", key=f"clean_step_{at}"):
            st.markdown(f"**{at + 1}.** {text.plain(_sentence(step))}")
            if report is not None:
                st.caption(
                    f"{report.rows_before:,} → {report.rows_after:,} rows · "
                    f"{report.columns_before:,} → {report.columns_after:,} columns · "
                    f"{report.missing_before:,} → {report.missing_after:,} missing values"
                )
            if st.button("Remove", key=f"clean.remove.{at}"):
                _keep(recipe, recipe.steps[:at] + recipe.steps[at + 1 :])


def _sentence(step: Step) -> str:
    details = [f"{name}: {_shown(value)}" for name, value in step.items() if name != "kind"]
    return f"{str(step['kind']).replace('_', ' ')} ({'; '.join(details)})"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} → {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "missing" if value is None else str(value)


def _send(recipe: Recipe, *, dry_run: bool) -> None:
    api = identity.api()
    try:
        answer: RecipeOut = api.clean(
            recipe.dataset_id,
            recipe.version,
            list(recipe.steps),
            dry_run=dry_run,
            key=recipe.key,
        )
    except SignedOut:
        raise
    except ApiError as error:
        show_problems(error)
        return
    if answer.version is None:
        state.recipe = Recipe(
            recipe.dataset_id, recipe.version, recipe.steps, key=recipe.key, report=answer
        )
        st.rerun()
    state.recipe = None
    state.notice = f"Version {answer.version.version} is made."
    go(PageName.DATASET, id=recipe.dataset_id, v=answer.version.version)


def _key(name: str) -> str:
    """Of a widget that starts afresh with the next step."""
    return f"clean.{name}.{state.form_round}"


def _names(profile: ProfileOut, *, numeric: bool = False) -> list[str]:
    return [c.name for c in profile.columns if not numeric or c.type in NUMERIC]


def _several(profile: ProfileOut) -> list[str]:
    return list(st.multiselect("Columns", _names(profile), key=_key("columns")))


def _one(profile: ProfileOut, *, numeric: bool = False) -> str | None:
    return st.selectbox("Column", _names(profile, numeric=numeric), key=_key("column"))


def _value(profile: ProfileOut, column: str | None, label: str) -> Any:
    """What was typed, as the column's kind; None where it is empty."""
    typed = st.text_input(label, key=_key(label)).strip()
    kind = next((c.type for c in profile.columns if c.name == column), "string")
    if not typed:
        return None
    if kind == "boolean" and typed.lower() in ("true", "false"):
        return typed.lower() == "true"
    if kind in NUMERIC:
        try:
            return int(typed) if typed.lstrip("+-").isdigit() else float(typed)
        except ValueError:
            return typed  # the server says what is wrong with it
    return typed


def _drop_columns(profile: ProfileOut) -> Step | None:
    columns = _several(profile)
    return {"kind": "drop_columns", "columns": columns} if columns else None


def _cast(profile: ProfileOut) -> Step | None:
    columns = _several(profile)
    to = st.selectbox("As", TYPES, key=_key("to"))
    keep = st.checkbox("What does not fit becomes missing", value=True, key=_key("errors"))
    step = {"kind": "cast", "columns": columns, "to": to, "errors": "null" if keep else "refuse"}
    return step if columns else None


def _fill(profile: ProfileOut) -> Step | None:
    column = _one(profile)
    method = st.selectbox("With", FILLS, key=_key("method"))
    fill: Step = {"method": method}
    if method == "constant":
        fill["value"] = _value(profile, column, "Value")
    ready = column is not None and fill.get("value", 0) is not None
    return {"kind": "fill_nulls", "columns": {column: fill}} if ready else None


def _drop_missing(profile: ProfileOut) -> Step | None:
    columns = _several(profile)
    st.caption("Without columns: rows in which any value is missing.")
    return {"kind": "drop_nulls", "columns": columns or None}


def _filter(profile: ProfileOut) -> Step | None:
    column = _one(profile)
    operator = st.selectbox("Comparison", OPERATORS, key=_key("operator"))
    condition: Step = {"column": column, "operator": operator}
    if not operator.startswith("is_"):
        condition["value"] = _value(profile, column, "Value")
    ready = column is not None and condition.get("value", 0) is not None
    return {"kind": "filter_rows", "conditions": [condition]} if ready else None


def _replace(profile: ProfileOut) -> Step | None:
    column = _one(profile)
    old = st.text_input("Value to replace", key=_key("old"))
    new = _value(profile, column, "By (empty: missing)")
    ready = column is not None and old
    return {"kind": "replace_values", "column": column, "values": {old: new}} if ready else None


def _rename(profile: ProfileOut) -> Step | None:
    column = _one(profile)
    name = st.text_input("New name", key=_key("name")).strip()
    return {"kind": "rename", "columns": {column: name}} if column and name else None


def _clip(profile: ProfileOut) -> Step | None:
    column = _one(profile, numeric=True)
    bounds = {"lower": _value(profile, column, "Least"), "upper": _value(profile, column, "Most")}
    given = {name: value for name, value in bounds.items() if value is not None}
    return {"kind": "clip", "columns": {column: given}} if column and given else None


def _deduplicate(profile: ProfileOut) -> Step | None:
    columns = _several(profile)
    st.caption("Without columns: rows that agree in all.")
    return {"kind": "deduplicate", "columns": columns or None}


def _sort(profile: ProfileOut) -> Step | None:
    column = _one(profile)
    descending = st.checkbox("Largest first", key=_key("descending"))
    key = {"column": column, "descending": descending}
    return {"kind": "sort", "by": [key]} if column else None


def _sample(profile: ProfileOut) -> Step | None:
    rows = st.number_input(
        "Rows", min_value=1, max_value=max(profile.rows, 1), step=1, key=_key("rows")
    )
    seed = st.number_input("Seed", min_value=0, max_value=2**32 - 1, step=1, key=_key("seed"))
    return {"kind": "sample", "rows": int(rows), "seed": int(seed)}


_FORMS: Final[Mapping[str, Callable[[ProfileOut], Step | None]]] = {
    "Drop columns": _drop_columns,
    "Read as another type": _cast,
    "Fill missing values": _fill,
    "Drop rows with missing values": _drop_missing,
    "Keep rows that meet a condition": _filter,
    "Replace a value": _replace,
    "Rename a column": _rename,
    "Clip numbers": _clip,
    "Drop rows that repeat": _deduplicate,
    "Sort rows": _sort,
    "Draw a sample of rows": _sample,
}
