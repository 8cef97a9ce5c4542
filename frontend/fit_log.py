"""What a fit told while it ran: its log lines, and scores of its folds as they come."""

from typing import Any, Final

import streamlit as st

from backend.fits.result_schemas import EventOut
from backend.fits.schemas import FitSummary
from frontend import identity, metrics, text
from frontend.clock import reader_zone
from frontend.state import FitLog, state
from frontend.widgets import is_unfinished

KEPT_EVENTS: Final = 2_000
LIVE_LINES: Final = 12
LAST_LINES: Final = 20
MOST_LINES: Final = 500
# As many events the server answers at a time.
PAGE: Final = 500
MOST_PAGES: Final = 10


def read_log(fit_id: int) -> tuple[EventOut, ...]:
    """All events so far; only what is new is asked for."""
    known = state.fit_log
    if known is None or known.fit_id != fit_id:
        known = FitLog(fit_id, 0, ())
    for _ in range(MOST_PAGES):
        fresh = identity.fits_api().log(fit_id, after=known.last_id)
        events = (*known.events, *fresh.items)[-KEPT_EVENTS:]
        known = FitLog(fit_id, max(known.last_id, fresh.last_id), events)
        if len(fresh.items) < PAGE:
            break
    state.fit_log = known
    return known.events


def draw_log(fit: FitSummary) -> None:
    """The tab."""
    events = read_log(fit.id)
    lines = _lines(events)
    if not lines:
        st.caption("Nothing was told.")
        return
    if len(lines) > MOST_LINES:
        st.caption(f"The last {MOST_LINES} of {text.counted(len(lines), 'line')}.")
    _draw_lines(lines[-MOST_LINES:])


def draw_last_lines(fit_id: int) -> None:
    """What came before a failure."""
    lines = _lines(read_log(fit_id))
    if lines:
        with st.expander(
            f"The last {text.counted(min(len(lines), LAST_LINES), 'line')} of the log"
        ):
            _draw_lines(lines[-LAST_LINES:])


def draw_live(fit: FitSummary) -> None:
    """The newest lines, and the scores of the folds that are done; for a fit that runs."""
    events = [event for event in read_log(fit.id) if event.attempt == fit.attempt]
    scores = [_scores(event.content) for event in events if event.kind == "metrics"]
    if scores and is_unfinished(fit):
        st.dataframe(scores, hide_index=True, alt="Scores of the folds that are done")
    lines = _lines(events)
    if lines:
        _draw_lines(lines[-LIVE_LINES:])


def _scores(content: dict[str, Any]) -> dict[str, Any]:
    """One row: which part was scored, and how well."""
    parts = {name.capitalize(): content[name] + 1 for name in ("repeat", "fold") if name in content}
    found = content.get("metrics", {})
    figures = {
        metrics.title(name): text.number(found[name]) for name in metrics.in_order(found, None)
    }
    return {**parts, **figures}


def _lines(events: list[EventOut] | tuple[EventOut, ...]) -> list[str]:
    zone = reader_zone()
    return [
        f"{event.at.astimezone(zone):%H:%M:%S}  {said}"
        for event in events
        if (said := _told(event))
    ]


def _told(event: EventOut) -> str:
    """One event as a line."""
    content = event.content
    match event.kind:
        case "log":
            return str(content.get("text", ""))
        case "state":
            extra = str(content.get("message") or "")
            attempt = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            return f"{content.get('state', '')}{attempt}" + (f": {extra}" if extra else "")
        case "trial":
            score = content.get("score")
            found = "" if score is None else f", score {text.number(score)}"
            return f"trial {content.get('number')} {content.get('state')}{found}"
        case "metrics":
            row = _scores(content)
            return ", ".join(f"{name.lower()} {value}" for name, value in row.items())


def _draw_lines(lines: list[str]) -> None:
    st.code("\n".join(lines), language=None, wrap_lines=True)
