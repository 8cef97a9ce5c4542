"""The audit as a table: filters, pages, and all about one deed."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import streamlit as st

from backend.audit.schemas import AuditEventOut, AuditFilter
from backend.core.actions import Action, Outcome
from backend.core.schemas import Page
from frontend import permission, text
from frontend.accounts_client import audit_parameters
from frontend.clock import reader_zone
from frontend.routes import PREFIX
from frontend.state import state
from frontend.tables import clickable_table, table_time

PAGE: Final = 50
OUTCOMES: Final[tuple[Outcome, ...]] = ("done", "denied", "failed")
OBJECTS: Final = (
    *("user", "session", "token", "project", "dataset", "fit", "model", "retraining", "job"),
)


class Events(Protocol):
    """A call of the API that answers one page of deeds."""

    def __call__(
        self, query: AuditFilter, *, limit: int, cursor: str | None = None
    ) -> Page[AuditEventOut]: ...


def draw_events(events: Events, *, own: bool) -> None:
    """All of it; one's own history has fewer filters."""
    query = _draw_filters(own=own)
    if state.audit_filters != repr((own, query)):
        state.audit_filters, state.audit_pages = repr((own, query)), ()
    pages = state.audit_pages
    page = events(query, limit=PAGE, cursor=pages[-1] if pages else None)
    _draw_bar(page, query, own=own)
    if page.items:
        _draw_table({event.id: event for event in page.items}, own=own)


def _draw_filters(*, own: bool) -> AuditFilter:
    columns = st.columns(4 if own else 5)
    column = iter(columns)
    actor = None if own else _text(next(column), "Who", "user name")
    with next(column):
        action = st.selectbox("What", list(Action), index=None, key="audit.what", placeholder="any")
    with next(column):
        outcome = st.selectbox(
            "Outcome", OUTCOMES, index=None, key="audit.outcome", placeholder="any"
        )
    since, until = _draw_days(next(column), next(column))
    common = AuditFilter(actor=actor, action=action, outcome=outcome, since=since, until=until)
    return common if own else _draw_more_filters(common)


def _draw_more_filters(query: AuditFilter) -> AuditFilter:
    columns = st.columns(4)
    with columns[0]:
        kind = st.selectbox(
            "Kind of object", OBJECTS, index=None, key="audit.kind", placeholder="any"
        )
    with columns[1]:
        number = st.number_input(
            "Object no.", min_value=1, value=None, step=1, key="audit.number", placeholder="any"
        )
    with columns[2]:
        projects = permission.project_names()
        project = st.selectbox(
            "Project",
            list(projects),
            index=None,
            format_func=lambda one: projects.get(one, str(one)),
            key="audit.project",
            placeholder="any",
        )
    address = _text(columns[3], "Address", "192.0.2.7")
    return replace(query, object_type=kind, object_id=number, project_id=project, address=address)


def _text(column: Any, label: str, placeholder: str) -> str | None:
    with column:
        typed = st.text_input(label, key=f"audit.{label.lower()}", placeholder=placeholder)
    return typed.strip() or None


def _draw_days(left: Any, right: Any) -> tuple[datetime | None, datetime | None]:
    with left:
        first = st.date_input("From day", value=None, key="audit.since", format="YYYY-MM-DD")
    with right:
        last = st.date_input("To day", value=None, key="audit.until", format="YYYY-MM-DD")
    return _start_of(first), _start_of(last and last + timedelta(days=1))


def _start_of(day: date | None) -> datetime | None:
    """Midnight where the reader is."""
    return None if day is None else datetime.combine(day, time(), reader_zone()).astimezone(UTC)


def _draw_bar(page: Page[AuditEventOut], query: AuditFilter, *, own: bool) -> None:
    turned = len(state.audit_pages)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Newer", key="audit.newer", disabled=not turned):
            state.audit_pages = state.audit_pages[:-1]
            st.rerun()
        if st.button("Older", key="audit.older", disabled=page.next_cursor is None):
            state.audit_pages = (*state.audit_pages, page.next_cursor or "")
            st.rerun()
        if not own:
            address = f"{PREFIX}/audit.csv?{urlencode(audit_parameters(query))}".rstrip("?")
            st.link_button("Download as CSV", address, key="audit.csv")
        first = turned * PAGE + 1
        shown = f"{first:,} to {first + len(page.items) - 1:,}" if page.items else "No entry"
        st.caption(f"{shown}, the newest first. Times are those of {reader_zone()}.")
    if not page.items:
        st.info("Nothing was noted that matches these filters.")


def _draw_table(events: dict[int, AuditEventOut], *, own: bool) -> None:
    columns = {
        "No.": st.column_config.NumberColumn(width=70, format="%d"),
        "When": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss", width=150),
        "Object": st.column_config.TextColumn(width=200),
    }
    state.selected_event = clickable_table(
        [_row(event) for event in events.values()],
        ids=list(events),
        selected=state.selected_event,
        key=f"audit.table.{own}",
        columns=columns,
        alt="Table of deeds; the box below shows all about the chosen number",
    )
    default = state.selected_event or next(iter(events))
    number = st.selectbox(
        "All about no.",
        list(events),
        index=list(events).index(default),
        key=f"audit.chosen.{default}",
        width=160,
    )
    _draw_details(events[number])


def _row(event: AuditEventOut) -> dict[str, Any]:
    return {
        "No.": event.id,
        "When": table_time(event.at, reader_zone()),
        "Who": event.actor_name,
        "What": event.action,
        "Outcome": event.outcome,
        "Object": _object(event),
        "Address": event.address or "",
    }


def _object(event: AuditEventOut) -> str:
    parts = [event.object_type, None if event.object_id is None else str(event.object_id)]
    numbered = " ".join(part for part in parts if part)
    return f"{numbered} · {event.object_name}" if event.object_name else numbered


def _draw_details(event: AuditEventOut) -> None:
    with st.container(border=True, key="audit_details"):
        by_token = "" if event.token_id is None else f" by token {event.token_id}"
        st.markdown(
            f"**{text.plain(event.actor_name)}**{by_token} · {text.plain(event.action)} · "
            f"{event.outcome} · {text.plain(_object(event)) or 'no object'}"
        )
        where = text.plain(event.address or "an unknown address")
        project = "" if event.project_id is None else f" · project {event.project_id}"
        st.caption(
            f"{event.at.astimezone(reader_zone()):%Y-%m-%d %H:%M:%S} · from {where}{project} · "
            f"request {text.plain(event.request_id)}"
        )
        if event.details:
            shown = json.dumps(event.details, indent=2, ensure_ascii=False)
            st.code(shown, language="json", wrap_lines=True)
