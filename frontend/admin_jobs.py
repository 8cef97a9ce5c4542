"""What waits, runs and was held, and whether all parts of the product are well."""

from typing import Any, Final

import streamlit as st

from backend.operations.schemas import HealthOut, JobOut
from frontend import identity, text
from frontend.pages import PageName, go
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import Color, errors_shown

LIVE_SECONDS: Final = 3
MOST_JOBS: Final = 200
KINDS: Final = ("fits.run", "fits.track", "registry.mirror", "retraining.evaluate")
JOB_STATES: Final = ("waiting", "delayed", "running", "failed")
PART_COLORS: Final[dict[str, Color]] = {"ok": "green", "failed": "red", "unknown": "gray"}
PAGES: Final = {"fit_id": PageName.FIT, "model_id": PageName.MODEL, "dataset_id": PageName.DATASET}
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=70, format="%d"),
    "About": st.column_config.TextColumn(width=180),
}


def draw_jobs() -> None:
    """The tab."""
    health = identity.operations_api().health()
    _draw_health(health)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        job_state = st.selectbox(
            "State", JOB_STATES, index=None, key="job_state", placeholder="any"
        )
        kind = st.selectbox(
            "Kind", KINDS, index=None, key="job_kind", placeholder="any", accept_new_options=True
        )
    _draw_live(job_state, kind)


def _draw_health(health: HealthOut) -> None:
    with st.container(border=True, key="health"):
        with st.container(horizontal=True, vertical_alignment="center"):
            for part in health.components:
                st.badge(text.plain(part.name), color=PART_COLORS[part.state])
        for part in health.components:
            if part.state != "ok":
                st.warning(f"{text.plain(part.name)}: {text.plain(part.detail)}")
        counts = ", ".join(f"{count} {name}" for name, count in health.jobs.items() if count)
        oldest = text.duration(health.oldest_waiting_seconds)
        st.caption(
            f"{text.counted(health.workers, 'worker')} · jobs: {text.plain(counts) or 'none'} · "
            f"the oldest waits {oldest} · {text.counted(health.unrecorded_fits, 'fit')} not yet "
            "in MLflow"
        )


@st.fragment(run_every=LIVE_SECONDS)
def _draw_live(job_state: str | None, kind: str | None) -> None:
    with errors_shown("jobs"):
        api = identity.operations_api()
        jobs = {job.id: job for job in api.jobs(state=job_state, entrypoint=kind, limit=MOST_JOBS)}
        if not jobs:
            filtered = job_state or kind
            st.info("No job matches these filters." if filtered else "Nothing waits or runs.")
            return
        state.selected_job = clickable_table(
            [_row(job) for job in jobs.values()],
            ids=list(jobs),
            selected=state.selected_job,
            key="jobs",
            columns=COLUMNS,
            alt="Table of jobs; the buttons below act on the chosen number",
        )
        _draw_actions(jobs)


def _row(job: JobOut) -> dict[str, Any]:
    return {
        "No.": job.id,
        "State": job.state,
        "Kind": job.entrypoint,
        "About": _about(job),
        "Waits": text.duration(job.waited_seconds),
        "Tries": job.tries,
        "Priority": job.priority,
        "Asked": text.ago(job.created_at),
        "Request": job.request_id or "",
    }


def _about(job: JobOut) -> str:
    return ", ".join(
        f"{name.removesuffix('_id')} {value}" for name, value in sorted(job.about.items())
    )


def _draw_actions(jobs: dict[int, JobOut]) -> None:
    api = identity.operations_api()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_job or next(iter(jobs))
        number = st.selectbox(
            "Job no.",
            list(jobs),
            index=list(jobs).index(default),
            key=f"job_number.{default}",
            width=120,
        )
        job = jobs[number]
        if job.state in ("failed", "delayed") and st.button(
            "Try again now", type="primary", key="retry_job"
        ):
            api.retry_job(job.id)
            st.rerun(scope="fragment")
        if st.button("Cancel", key="cancel_job", help="Cancels what it is about as well"):
            api.cancel_job(job.id)
            st.rerun(scope="fragment")
        for name, page in PAGES.items():
            value = job.about.get(name)
            if isinstance(value, int) and st.button(f"Open {page.value}", key=f"open_{name}"):
                go(page, id=value)
