"""A fit that waits or runs: its place, its progress, its log, its folds and its trials, live."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, permission, text
from frontend.client import Refused
from frontend.fit_log import draw_live
from frontend.fit_trials import draw_live_trials
from frontend.widgets import errors_shown, is_unfinished

FAST_SECONDS: Final = 1
SLOW_SECONDS: Final = 2
FAST_FOR_SECONDS: Final = 30.0


def draw_unfinished(fit: FitOut) -> None:
    """All that is known until its end, which is a rerun of the page."""
    if is_watched_fast(fit):
        _watch_fast(fit.id)
    else:
        _watch_slowly(fit.id)


def is_watched_fast(fit: FitOut) -> bool:
    """Whether it may end at any moment; most fits do within their first seconds."""
    if fit.started_at is None:
        return fit.attempt <= 1
    running = (datetime.now(UTC) - fit.started_at).total_seconds()
    return running < FAST_FOR_SECONDS and fit.attempt <= 1


@st.fragment(run_every=FAST_SECONDS)
def _watch_fast(fit_id: int) -> None:
    _watch(fit_id, fast=True)


@st.fragment(run_every=SLOW_SECONDS)
def _watch_slowly(fit_id: int) -> None:
    _watch(fit_id)


def _watch(fit_id: int, *, fast: bool = False) -> None:
    with errors_shown("watch", live=True):
        api = identity.fits_api()
        fit = api.fit(fit_id)
        if not is_unfinished(fit) or (fast and not is_watched_fast(fit)):
            st.rerun()
        message = _waiting_text(fit) or text.plain(fit.progress_message)
        st.progress(min(1.0, max(0.0, fit.progress)), text=message)
        st.caption(text.plain(_times(fit)))
        if fit.attempt > 1:
            st.caption(f"Attempt {fit.attempt}: the worker of the one before was lost.")
        may_stop = permission.access_to(fit.project_id).may_stop
        if may_stop and st.button("Cancel", key="cancel"):
            with suppress(Refused):  # it may have ended in the meantime
                api.cancel_fit(fit_id)
            st.rerun()
        if fit.started_at is not None:
            if fit.search is not None:
                draw_live_trials(fit_id)
            draw_live(fit)


def _waiting_text(fit: FitOut) -> str:
    """Of one that waits; nothing of one that runs, which says itself what it does."""
    if fit.state.value != "queued":
        return ""
    if fit.position:
        return f"Queued, {fit.position} before you"
    return "Waiting for a worker …"


def _times(fit: FitOut) -> str:
    """How long it runs, and how long similar ones took."""
    parts = []
    if fit.started_at is not None:
        running = max(0.0, (datetime.now(UTC) - fit.started_at).total_seconds())
        parts.append(f"Running for {text.duration(running)}")
    if fit.estimated_seconds is not None:
        parts.append(f"similar fits took about {text.duration(fit.estimated_seconds)}")
    return ", ".join(parts)
