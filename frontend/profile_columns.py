"""The table of a version's columns: to sort, to filter, and to look closer at one."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ColumnOut, ProfileOut
from frontend import text

TYPES: Final = {
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "string": "text",
    "date": "date",
    "datetime": "time",
    "image": "image",
}
ROLES: Final = {
    "numeric": "number",
    "categorical": "category",
    "boolean": "true or false",
    "datetime": "time",
    "text": "text",
    "id": "identifier",
    "constant": "constant",
    "image": "image",
}
SHORT: Final = {
    "id_like": "identifier?",
    "high_cardinality": "many values",
    "missing": "missing",
}
ESTIMATE: Final = "≈"
# A filter for fewer is only in the way.
FILTERED_FROM: Final = 8


def draw_columns(profile: ProfileOut, *, key: str) -> None:
    """The table, with what restricts it above."""
    shown = profile.columns
    if len(shown) >= FILTERED_FROM:
        shown = _filtered(shown, key=key)
    if not shown:
        st.caption("No column is like that.")
        return
    rows = [_row(column, profile) for column in shown]
    if not any(column.warnings for column in shown):
        for row in rows:
            del row["Look at"]
    st.dataframe(
        rows,
        hide_index=True,
        column_config=_config(),
        placeholder="",
        alt="The columns with their types, gaps and values",
    )
    estimated = [column.name for column in profile.columns if column.is_approximate]
    if estimated:
        names = text.plain(", ".join(estimated))
        st.caption(f"{ESTIMATE} Different values and quantiles are estimates: {names}.")


def _filtered(columns: Sequence[ColumnOut], *, key: str) -> list[ColumnOut]:
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    with left:
        part = (
            st.text_input("Name contains", key=f"{key}.name", persist_state="session")
            .strip()
            .lower()
        )
    with middle:
        there = [kind for kind in TYPES if any(column.type == kind for column in columns)]
        kinds = st.multiselect(
            "Types",
            there,
            format_func=lambda kind: TYPES[kind],
            key=f"{key}.types",
            persist_state="session",
        )
    with right:
        warned = st.checkbox("With warnings", key=f"{key}.warned", persist_state="session")
    return [
        column
        for column in columns
        if part in column.name.lower()
        and (not kinds or column.type in kinds)
        and (column.warnings or not warned)
    ]


def _row(column: ColumnOut, profile: ProfileOut) -> dict[str, Any]:
    middle = (column.quantiles or {}).get("0.5")
    return {
        "Column": column.name,
        "Look at": [SHORT.get(warning.kind, warning.kind) for warning in column.warnings],
        "Type": TYPES[column.type],
        "Role": ROLES[column.role] + (", as told" if column.role_given else ""),
        "Missing": column.nulls / profile.rows if profile.rows else 0.0,
        "Different": column.distinct,
        "Shape": shape_of(column),
        "Mean": column.mean,
        "SD": column.sd,
        "Least": _as_number(column.min),
        "Median": _as_number(middle),
        "Most": _as_number(column.max),
        "In a fit": use_in_fit(column, profile),
    }


def _as_number(value: object) -> float | None:
    """Text and dates have no place in a column of numbers; they stand in the details."""
    return float(value) if isinstance(value, int | float) else None


def shape_of(column: ColumnOut) -> list[int]:
    """The heights of a small histogram."""
    if column.histogram is not None:
        return column.histogram.counts
    return [top.count for top in column.top or ()]


def use_in_fit(column: ColumnOut, profile: ProfileOut) -> str:
    """What a fit does with the column unless it is told otherwise."""
    guess = profile.suggested_target
    if guess is not None and guess.column == column.name:
        return "suggested target"
    if column.left_out_because:
        return f"left out: {column.left_out_because}"
    return "feature"


def _config() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    share = st.column_config.ProgressColumn(
        width=100, min_value=0.0, max_value=1.0, format="percent"
    )
    chart = st.column_config.BarChartColumn(y_min=0, width=110, help="How often which values come")
    return {
        "Column": st.column_config.TextColumn(pinned=True),
        "Missing": share,
        "Different": number(format="localized"),
        **{name: number(format="%.4g") for name in ("Mean", "SD", "Least", "Median", "Most")},
        "Shape": chart,
        "Look at": st.column_config.ListColumn(width=130, help="Warnings; choose the column below"),
    }
