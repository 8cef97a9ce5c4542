"""A table whose selection stays with its object.

Streamlit keeps a selection by position: when a row arrives on top, the selected object silently
becomes another one. The widget's key is made from the ids, and the selection is given anew.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import streamlit as st


def clickable_table(
    rows: Sequence[Mapping[str, Any]],
    *,
    ids: Sequence[int],
    selected: int | None,
    key: str,
    columns: Mapping[str, Any],
    alt: str,
    placeholder: str | None = None,
) -> int | None:
    """Draws the table; answers the id of the selected row.

    `placeholder` stands where a cell is None.
    """
    positions = [ids.index(selected)] if selected in ids else []
    digest = hashlib.sha256(repr(ids).encode()).hexdigest()[:16]
    shown = st.dataframe(
        [dict(row) for row in rows],
        hide_index=True,
        column_config=dict(columns),
        key=f"{key}.{digest}",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": positions}},
        placeholder=placeholder,
        alt=alt,
    )
    chosen = [position for position in shown["selection"]["rows"] if position < len(ids)]
    return ids[chosen[0]] if chosen else None


def table_time(moment: datetime | None, zone: tzinfo = UTC) -> datetime | None:
    """The moment as a cell: without its zone; columns of distances count from UTC."""
    return None if moment is None else moment.astimezone(zone).replace(tzinfo=None)
