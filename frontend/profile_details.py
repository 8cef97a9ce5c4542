"""One column looked at closely: its distribution, its most frequent values, what is odd."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ColumnOut, ProfileOut, TopValue
from frontend import text
from frontend.profile_charts import draw_histogram
from frontend.profile_columns import ROLES, TYPES, use_in_fit

QUANTILES: Final = {
    "0.01": "1 %",
    "0.05": "5 %",
    "0.25": "25 %",
    "0.5": "Median",
    "0.75": "75 %",
    "0.95": "95 %",
    "0.99": "99 %",
}


def draw_details(profile: ProfileOut, *, key: str) -> None:
    """The chosen column; the first one with a warning at the beginning."""
    names = [column.name for column in profile.columns]
    warned = [at for at, column in enumerate(profile.columns) if column.warnings]
    chosen = st.selectbox(
        "A closer look at the column",
        names,
        index=warned[0] if warned else 0,
        key=f"{key}.column",
        persist_state="session",
        width=420,
    )
    column = next(known for known in profile.columns if known.name == chosen)
    with st.container(border=True, key="profile_column"):
        _draw_column(column, profile)


def _draw_column(column: ColumnOut, profile: ProfileOut) -> None:
    st.markdown(f"**{text.plain(column.name)}** · {_kind(column)}")
    st.caption(text.plain(f"In a fit: {use_in_fit(column, profile)}"))
    for warning in column.warnings:
        st.warning(text.plain(warning.message))
    st.markdown(text.plain(summary(column, profile.rows)))
    if column.histogram is not None and column.histogram.counts:
        draw_histogram(column.histogram, name=column.name, summary=summary(column, profile.rows))
    measures, top = _measures(column), column.top or []
    # Side by side where there are both.
    left, right = st.columns(2) if measures and top else (st.container(), st.container())
    if measures:
        left.dataframe(measures, hide_index=True, alt=f"Measures of {column.name}")
    if column.is_approximate:
        left.caption("≈ Different values and quantiles are estimates.")
    if top:
        with right:
            _draw_top(column, top, profile.rows)


def _kind(column: ColumnOut) -> str:
    told = " (as told)" if column.role_given else ""
    return f"{TYPES[column.type]} · used as {ROLES[column.role]}{told}"


def summary(column: ColumnOut, rows: int) -> str:
    """What the pictures show, in a sentence or two."""
    present = rows - column.nulls
    parts = [f"{present:,} of {rows:,} values are present"]
    if column.distinct is not None:
        about = "about " if column.is_approximate else ""
        parts.append(f"{about}{column.distinct:,} different")
    said = ", ".join(parts) + "."
    if column.type != "string" and column.min is not None and column.max is not None:
        said += f" They go from {_shown(column.min)} to {_shown(column.max)}."
    quartiles = column.quantiles or {}
    if "0.25" in quartiles and "0.75" in quartiles:
        low, high = _shown(quartiles["0.25"]), _shown(quartiles["0.75"])
        said += f" The middle half lies between {low} and {high}."
    return said


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return text.number(value)


def _measures(column: ColumnOut) -> list[dict[str, str]]:
    known: dict[str, object] = {
        "Mean": column.mean,
        "Standard deviation": column.sd,
        "Skewness": column.skewness,
        "Zeros": column.zeros,
        "Infinite": column.infinite or None,
    }
    for name, label in QUANTILES.items():
        known[label] = (column.quantiles or {}).get(name)
    return [
        {"Measure": label, "Value": _shown(value)}
        for label, value in known.items()
        if value is not None
    ]


def _draw_top(column: ColumnOut, frequent: Sequence[TopValue], rows: int) -> None:
    present = max(rows - column.nulls, 1)
    entries: list[dict[str, Any]] = [
        {"Value": _cell(top.value), "Count": top.count, "Share": top.count / present}
        for top in frequent
    ]
    share = st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="percent")
    count = st.column_config.NumberColumn(format="localized")
    st.dataframe(
        entries,
        hide_index=True,
        column_config={"Share": share, "Count": count},
        alt=f"The most frequent values of {column.name}",
    )


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
