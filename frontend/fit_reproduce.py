"""How a fit is repeated: its script, what it ran with, and second runs that compare all numbers."""

import uuid
from contextlib import suppress
from typing import Any, Final

import streamlit as st

from backend.fits.result_schemas import ReproductionOut
from backend.fits.schemas import FitOut
from frontend import identity, text
from frontend.client import Refused
from frontend.routes import PREFIX
from frontend.widgets import errors_shown

LIVE_SECONDS: Final = 2
RUNNING: Final = frozenset({"queued", "running"})


def draw_reproduce(fit: FitOut, *, may_rerun: bool) -> None:
    """The tab."""
    st.markdown(
        "The same data, request and library versions give the same numbers. The script needs the "
        "downloaded data file and nothing of this server."
    )
    st.link_button("Download the script", f"{PREFIX}/fits/{fit.id}/script")
    facts = {
        "Seed": str(fit.seed),
        "Digest of the data (SHA-256)": fit.dataset_digest,
        **_environment(fit.environment),
    }
    st.table([{"What": name, "Value": value} for name, value in facts.items()])
    _draw_second_runs(fit, may_rerun=may_rerun)


def _environment(environment: dict[str, Any], within: str = "") -> dict[str, str]:
    """Nested entries with their path as a name."""
    found: dict[str, str] = {}
    for name, value in environment.items():
        title = f"{within} {name}".strip().replace("_", " ")
        if isinstance(value, dict):
            found.update(_environment(value, title))
        else:
            found[title.capitalize() if not within else title] = str(value)
    return found


def _draw_second_runs(fit: FitOut, *, may_rerun: bool) -> None:
    st.subheader("Does it come out the same?", anchor=False)
    runs = identity.fits_api().reproductions(fit.id).items
    busy = any(run.state in RUNNING for run in runs)
    if may_rerun and st.button("Reproduce", key="reproduce", disabled=busy):
        identity.fits_api().reproduce(fit.id, key=uuid.uuid4().hex)
        st.rerun()
    if busy:
        _watch(fit.id, may_cancel=may_rerun)
    elif runs:
        _draw_runs(runs, may_cancel=False)
    else:
        st.caption("Not tried yet. A second run compares every number, to the bit.")


@st.fragment(run_every=LIVE_SECONDS)
def _watch(fit_id: int, *, may_cancel: bool) -> None:
    with errors_shown("reproductions", live=True):
        runs = identity.fits_api().reproductions(fit_id).items
        if not any(run.state in RUNNING for run in runs):
            st.rerun()
        _draw_runs(runs, may_cancel=may_cancel)


def _draw_runs(runs: list[ReproductionOut], *, may_cancel: bool) -> None:
    for run in runs:
        with st.container(border=True, key=f"reproduction_{run.id}"):
            _draw_run(run)
            if (
                may_cancel
                and run.state in RUNNING
                and st.button("Cancel", key=f"cancel_reproduction_{run.id}")
            ):
                with suppress(Refused):  # it may have ended in the meantime
                    identity.fits_api().cancel_reproduction(run.fit_id, run.id)
                st.rerun()


def _draw_run(run: ReproductionOut) -> None:
    match run.state:
        case "queued" | "running":
            said = text.plain(run.progress_message) or run.state.capitalize()
            st.progress(min(1.0, max(0.0, run.progress)), text=said)
        case "identical":
            st.success("Bit-identical: every number came out the same.")
        case "different":
            st.warning(f"{text.counted(len(run.differences), 'thing')} came out otherwise.")
            rows = [
                {"What": one.what, "Then": str(one.then), "Now": str(one.now)}
                for one in run.differences
            ]
            st.dataframe(rows, hide_index=True, alt="What came out otherwise")
        case "failed":
            st.error(text.plain(run.error or "The second run failed."))
        case "cancelled":
            st.info("Cancelled.")
    st.caption(f"By {text.plain(run.created_by)}, {text.ago(run.created_at)}")
