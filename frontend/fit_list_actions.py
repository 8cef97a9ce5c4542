"""What can be done with the fits that are ticked: each action as a button."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import streamlit as st

from backend.fits.schemas import BulkOut, FitSummary
from frontend import identity, permission, text
from frontend.dialogs import done
from frontend.fit_data import data_of, draw_why_no_rerun
from frontend.fits_client import BulkAction
from frontend.pages import PageName, go
from frontend.permission import Access
from frontend.state import state
from frontend.widgets import is_unfinished

# Of different projects; they differ by whom to ask.
SHOWN_REASONS: Final = 3
# As a sentence tells what was done.
DONE: Final[dict[BulkAction, str]] = {
    "cancel": "cancelled",
    "archive": "archived",
    "unarchive": "taken out of the archive",
    "trash": "moved to the trash",
    "restore": "restored",
    "tag": "tagged",
    "star": "starred",
    "unstar": "not starred any more",
}


def draw_actions(fits: Mapping[int, FitSummary]) -> None:
    """The grid is no place for a keyboard: fits are named by number as well."""
    ticked = [number for number in state.ticked_fits if number in fits]
    with st.container(horizontal=True, vertical_alignment="bottom", key="fit_bar"):
        numbers = st.multiselect(
            "Fits no.",
            list(fits),
            default=ticked,
            key=f"fit_numbers.{ticked}.{hash(tuple(fits))}",
            placeholder="tick rows, or choose numbers",
            width=280,
        )
        chosen = [fits[number] for number in numbers]
        accesses = _accesses(chosen or list(fits.values()))
        if len(chosen) == 1:
            _draw_single(chosen[0], accesses[chosen[0].project_id])
        if chosen:
            _draw_bulk(chosen, accesses)
    if len(chosen) == 1:
        _draw_reasons(chosen[0], accesses[chosen[0].project_id])
    else:
        reasons = dict.fromkeys(access.why_not for access in accesses.values() if access.why_not)
        for reason in list(reasons)[:SHOWN_REASONS]:
            st.caption(reason)


def _accesses(fits: Sequence[FitSummary]) -> dict[int, Access]:
    return {number: permission.access_to(number) for number in {fit.project_id for fit in fits}}


def _draw_single(fit: FitSummary, access: Access) -> None:
    if fit.trashed_at is not None:
        return
    if st.button("Open", type="primary", key="open_fit"):
        go(PageName.FIT, id=fit.id)
    may_rerun = access.may_edit and not is_unfinished(fit) and not data_of(fit, access).why_not
    if may_rerun and st.button("Rerun", key="rerun_fit"):
        again = identity.fits_api().rerun_fit(fit.id, key=uuid.uuid4().hex)
        go(PageName.FIT, id=again.id)


def _draw_reasons(fit: FitSummary, access: Access) -> None:
    permission.draw_why_not(access)
    if not is_unfinished(fit) and fit.trashed_at is None:
        draw_why_no_rerun(access, data_of(fit, access))


def _draw_bulk(fits: Sequence[FitSummary], accesses: Mapping[int, Access]) -> None:
    """Only what all of them allow; stars are everybody's own."""
    may_edit = all(accesses[fit.project_id].may_edit for fit in fits)
    may_stop = all(accesses[fit.project_id].may_stop for fit in fits)
    if any(fit.trashed_at is not None for fit in fits):
        if may_edit:
            _draw_button("Restore", "restore", fits)
        return
    if may_stop and any(is_unfinished(fit) for fit in fits):
        _draw_button("Cancel", "cancel", fits)
    if all(fit.starred for fit in fits):
        _draw_button("Unstar", "unstar", fits)
    else:
        _draw_button("Star", "star", fits)
    if not may_edit:
        return
    if all(fit.archived_at is not None for fit in fits):
        _draw_button("Unarchive", "unarchive", fits)
    else:
        _draw_button("Archive", "archive", fits)
    _draw_tag(fits)
    _draw_button("Trash", "trash", fits)


def _draw_button(label: str, action: BulkAction, fits: Sequence[FitSummary]) -> None:
    if st.button(label, key=f"bulk_{action}"):
        _finish(partial(_change, fits, action))


def _draw_tag(fits: Sequence[FitSummary]) -> None:
    with st.popover("Tag"):
        key = st.text_input("Key", max_chars=100, key="bulk_tag.key")
        value = st.text_input("Value", max_chars=500, key="bulk_tag.value")
        pressed = st.button("Add tag", key="bulk_tag.add", disabled=not key.strip())
    if pressed:
        _finish(partial(_change, fits, "tag", {key.strip(): value.strip()}))


def _finish(act: Callable[[], str]) -> None:
    """The rows are read anew: what was changed may stand in another list."""
    if done(act):
        state.listed_fits = None
        st.rerun()


def _change(
    fits: Sequence[FitSummary], action: BulkAction, tags: Mapping[str, str] | None = None
) -> str:
    answer = identity.fits_api().change_fits([fit.id for fit in fits], action, tags)
    return _told(answer, action)


def _told(answer: BulkOut, action: BulkAction) -> str:
    said = f"{text.counted(len(answer.changed), 'fit')} {DONE[action]}."
    same = len(answer.unchanged)
    return said + (f" Nothing was to be done with {same}." if same else "")
