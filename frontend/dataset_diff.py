"""Two versions side by side: what one should look at first, then every column."""

from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ColumnDiff, VersionDiff
from backend.datasets.schemas import DatasetOut, VersionOut
from frontend import identity, queries, text
from frontend.profile_columns import TYPES

SHOWN_CATEGORIES: Final = 5
CHANGES: Final = {"added": "new", "dropped": "gone", "changed": "changed", "same": ""}
COLUMNS: Final[dict[str, Any]] = {
    "Column": st.column_config.TextColumn(width=160),
    "Shift": st.column_config.ProgressColumn(
        min_value=0.0,
        max_value=1.0,
        format="%.3f",
        help="How far the distributions are apart: 0 is the same, 1 has nothing in common",
    ),
}


def draw_diff(dataset: DatasetOut, versions: list[VersionOut], shown: int) -> None:
    """Two boxes, and what changed from the one to the other."""
    numbers = [version.version for version in versions]
    after_usual = shown if shown > numbers[-1] and shown in numbers else numbers[0]
    with st.container(horizontal=True, vertical_alignment="bottom", key="compared"):
        after = st.selectbox(
            "Version",
            numbers,
            index=numbers.index(after_usual),
            key=f"after.{dataset.id}.{shown}.{numbers[0]}",
            width=120,
        )
        others = [number for number in numbers if number != after]
        before = st.selectbox(
            "compared with",
            others,
            index=next((at for at, number in enumerate(others) if number < after), 0),
            key=f"before.{dataset.id}.{after}.{numbers[0]}",
            width=120,
        )
    with st.spinner(f"Comparing version {before} with version {after} …"):
        diff = queries.version_diff(identity.datasets_api(), dataset.id, before, after)
    _draw_sentences(diff)
    st.dataframe(
        [_row(column) for column in _changed_first(diff)],
        hide_index=True,
        column_config=COLUMNS,
        placeholder="",
        alt=f"The columns of version {before} and of version {after}, changed ones first",
    )


def _draw_sentences(diff: VersionDiff) -> None:
    if diff.same_content:
        st.success("The content is the same, value for value.")
    for column in diff.columns:
        if column.verdict:
            st.warning(text.plain(column.verdict))
    for names, what in (
        (_names(diff, "added"), "New columns"),
        (_names(diff, "dropped"), "Columns that are gone"),
        (_other_types(diff), "Other types"),
    ):
        if names:
            st.markdown(f"{what}: {text.plain(', '.join(names))}")
    st.markdown(_rows_sentence(diff))


def _names(diff: VersionDiff, change: str) -> list[str]:
    return [column.name for column in diff.columns if column.change == change]


def _other_types(diff: VersionDiff) -> list[str]:
    return [
        f"{column.name} ({_pair(*_types(column))})"
        for column in diff.columns
        if _has_other_type(column)
    ]


def _has_other_type(column: ColumnDiff) -> bool:
    return column.change == "changed" and column.type_before != column.type_after


def _types(column: ColumnDiff) -> tuple[str | None, str | None]:
    """In the words of the profile."""
    before, after = column.type_before, column.type_after
    return TYPES.get(before or "", before), TYPES.get(after or "", after)


def _rows_sentence(diff: VersionDiff) -> str:
    rows = f"{diff.rows_before:,} → {diff.rows_after:,} rows"
    if diff.rows_only_before is None or diff.rows_only_after is None:
        return f"{rows}."
    return (
        f"{rows}: {text.counted(diff.rows_only_after, 'row')} only in version {diff.after}, "
        f"{text.counted(diff.rows_only_before, 'row')} only in version {diff.before}."
    )


def _changed_first(diff: VersionDiff) -> list[ColumnDiff]:
    return sorted(
        diff.columns,
        key=lambda column: (
            not column.verdict,
            column.change not in ("added", "dropped") and not _has_other_type(column),
            column.change == "same",
            -(column.shift or 0.0),
        ),
    )


def _row(column: ColumnDiff) -> dict[str, Any]:
    return {
        "Column": column.name,
        "Change": CHANGES[column.change],
        "Type": _pair(*_types(column)),
        "Missing": _pair(column.nulls_before, column.nulls_after),
        "Different values": _pair(column.distinct_before, column.distinct_after),
        "Mean": _pair(column.mean_before, column.mean_after),
        "Shift": column.shift,
        "Categories": _categories(column),
    }


def _pair(before: Any, after: Any) -> str:
    """Both where they differ."""
    shown = [_shown(before), _shown(after)]
    return shown[0] if shown[0] == shown[1] else " → ".join(entry or "-" for entry in shown)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else text.number(value)


def _categories(column: ColumnDiff) -> str:
    parts = [
        f"{sign}{name}"
        for sign, names in (("+", column.categories_added), ("-", column.categories_gone))
        for name in names
    ]
    more = f" and {len(parts) - SHOWN_CATEGORIES} more" if len(parts) > SHOWN_CATEGORIES else ""
    return ", ".join(parts[:SHOWN_CATEGORIES]) + more
