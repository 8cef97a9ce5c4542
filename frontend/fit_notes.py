"""A fit's name, notes and tags: read by all, changed by editors."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, text
from frontend.dialogs import done
from frontend.state import state

MOST_TAGS: Final = 50
FENCE: Final = re.compile(r"^ {0,3}(```|~~~)")
# Emphasis, headings, lists, quotes and tables stay. Pictures, links, HTML, formulas, icons and
# references need one of these.
_DANGEROUS: Final = re.compile(r"([\\\[\]<&$:!`])")


def draw_notes(fit: FitOut, *, may_edit: bool) -> None:
    """The tab."""
    if may_edit and state.edited_notes == fit.id:
        _draw_editor(fit)
    else:
        draw_safe_markdown(fit.notes) if fit.notes.strip() else st.caption("No notes.")
        if may_edit and st.button("Edit notes", key="edit_notes"):
            state.edited_notes = fit.id
            st.rerun()
    st.markdown("**Tags**")
    _draw_tags(fit, may_edit=may_edit)


def draw_safe_markdown(source: str) -> None:
    """Notes as a subset of Markdown, of which nothing makes the browser call another host."""
    for is_code, piece in pieces(source):
        if is_code:
            st.code(piece, language=None)
        elif piece.strip():
            st.markdown(piece)


def pieces(source: str) -> Iterator[tuple[bool, str]]:
    """Code between fences as it is, and the text around it with what is dangerous escaped."""
    lines: list[str] = []
    fence = ""
    for line in source.splitlines():
        mark = FENCE.match(line)
        opens, closes = bool(mark) and not fence, bool(mark and fence and mark[1] == fence)
        if opens or closes:
            yield bool(fence), _piece(lines, is_code=bool(fence))
            lines, fence = [], (mark[1] if mark and opens else "")
        else:
            lines.append(line)
    yield bool(fence), _piece(lines, is_code=bool(fence))


def _piece(lines: list[str], *, is_code: bool) -> str:
    joined = "\n".join(lines)
    return joined if is_code else _DANGEROUS.sub(r"\\\1", joined)


def _draw_editor(fit: FitOut) -> None:
    notes = st.text_area(
        "Notes",
        value=fit.notes,
        max_chars=20_000,
        height=240,
        key=f"notes.{fit.id}",
        help="Headings, lists, tables, emphasis and code between lines of ```",
    )
    with st.container(horizontal=True):
        if st.button("Save notes", type="primary", key="save_notes"):
            _save(partial(_change, fit.id, {"notes": notes}, "The notes are saved."))
        if st.button("Not now", key="leave_notes"):
            state.edited_notes = None
            st.rerun()


def _draw_tags(fit: FitOut, *, may_edit: bool) -> None:
    if not may_edit:
        shown = ", ".join(f"{key} = {value}" if value else key for key, value in fit.tags.items())
        st.caption(text.plain(shown) or "No tags.")
        return
    edited = st.data_editor(
        [{"Key": key, "Value": value} for key, value in fit.tags.items()]
        or [{"Key": "", "Value": ""}],
        num_rows="dynamic",
        hide_index=True,
        column_config={
            "Key": st.column_config.TextColumn(max_chars=100),
            "Value": st.column_config.TextColumn(max_chars=500),
        },
        key=f"tags.{fit.id}.{hash(tuple(sorted(fit.tags.items())))}",
        alt="Tags: a row each",
    )
    rows: list[dict[str, Any]] = list(edited)
    tags = {
        key: str(row.get("Value") or "").strip()
        for row in rows
        if (key := str(row.get("Key") or "").strip())
    }
    if st.button("Save tags", key="save_tags") and tags != fit.tags:
        _save(partial(_change, fit.id, {"tags": tags}, "The tags are saved."))


def draw_rename(fit: FitOut) -> None:
    """A box with the name, and the button that saves it."""
    name = st.text_input("Name", value=fit.name, max_chars=200, key=f"rename.{fit.id}.{fit.name}")
    wanted = name.strip()
    if st.button("Rename", key="rename_fit") and wanted not in ("", fit.name):
        _save(partial(_change, fit.id, {"name": wanted}, "It has a new name."))


def _change(fit_id: int, changes: dict[str, Any], notice: str) -> str:
    identity.fits_api().change_fit(fit_id, changes)
    return notice


def _save(act: Callable[[], str]) -> None:
    if done(act):
        state.edited_notes = None
        st.rerun()
