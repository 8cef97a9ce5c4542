"""Retrainings: where each stands, and the evidence that decided about it."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import streamlit as st

from backend.registry.schemas import CHAMPION
from backend.retraining.schemas import EvidenceOut, RetrainingOut
from frontend import identity, text
from frontend.client import Refused
from frontend.dialogs import close_dialog, confirm_with_reason, is_open, open_dialog
from frontend.fit_data import draw_dataset_of
from frontend.model_versions import draw_metrics
from frontend.pages import PageName, link
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import Color, errors_shown

LIVE_SECONDS: Final = 3
FAST_SECONDS: Final = 2
MOST_RUNS: Final = 200
ACTIVE: Final = frozenset({"queued", "running"})
STATES: Final = (
    *("queued", "running", "waiting_for_approval", "promoted", "rejected", "failed", "cancelled"),
)
COLORS: Final[Mapping[str, Color]] = MappingProxyType(
    {
        "queued": "gray",
        "running": "blue",
        "waiting_for_approval": "orange",
        "promoted": "green",
        "rejected": "gray",
        "failed": "red",
        "cancelled": "orange",
    }
)
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=60, format="%d"),
    "Progress": st.column_config.ProgressColumn(
        min_value=0.0, max_value=1.0, format="percent", width=100
    ),
}


def state_word(name: str) -> str:
    return name.replace("_", " ")


def draw_runs(
    *,
    model_id: int | None,
    run_state: str | None = None,
    with_model: bool = False,
    archived: bool = False,
) -> None:
    """The table, and all about the chosen run; of an archived project's there is no deciding."""
    runs = identity.retraining_api().retrainings(
        model_id=model_id, state=run_state, limit=MOST_RUNS
    )
    if not runs:
        st.info("No retraining matches these filters." if run_state else "No retraining yet.")
        return
    if any(run.state in ACTIVE for run in runs):
        before = tuple((run.id, run.state) for run in runs)
        _draw_live(model_id, run_state, before, with_model=with_model)
    else:
        _draw_table(runs, with_model=with_model)
    ids = [run.id for run in runs]
    default = state.selected_retraining if state.selected_retraining in ids else ids[0]
    number = st.selectbox(
        "Retraining no.",
        ids,
        index=ids.index(default),
        key=f"retraining_number.{default}",
        width=140,
    )
    draw_run(runs[ids.index(number)], archived=archived)


@st.fragment(run_every=LIVE_SECONDS)
def _draw_live(
    model_id: int | None,
    run_state: str | None,
    before: tuple[tuple[int, str], ...],
    *,
    with_model: bool,
) -> None:
    with errors_shown("retrainings"):
        runs = identity.retraining_api().retrainings(
            model_id=model_id, state=run_state, limit=MOST_RUNS
        )
        if tuple((run.id, run.state) for run in runs) != before:
            st.rerun()
        chosen = state.selected_retraining
        _draw_table(runs, with_model=with_model)
        if state.selected_retraining != chosen:
            st.rerun()


def _draw_table(runs: list[RetrainingOut], *, with_model: bool) -> None:
    state.selected_retraining = clickable_table(
        [_row(run, with_model=with_model) for run in runs],
        ids=[run.id for run in runs],
        selected=state.selected_retraining,
        key="retrainings",
        columns=COLUMNS,
        alt="Table of retrainings; the box below chooses one by its number",
    )


def _row(run: RetrainingOut, *, with_model: bool) -> dict[str, Any]:
    return {
        "No.": run.id,
        **({"Model": run.model_name} if with_model else {}),
        "State": state_word(run.state),
        "Progress": run.progress if run.state in ACTIVE else None,
        "Gain": f"{run.evidence.title} {_signed(run.evidence.gain)}" if run.evidence else "",
        "Champion": f"v{run.champion_version}",
        "Challenger": "" if run.challenger_version is None else f"v{run.challenger_version}",
        "Data": f"{run.dataset_name} v{run.dataset_version}",
        "Asked by": "schedule" if run.trigger == "schedule" else run.requested_by,
        "When": text.ago(run.created_at),
    }


def _signed(value: float) -> str:
    return f"+{text.number(value)}" if value > 0 else text.number(value)


def draw_run(run: RetrainingOut, *, archived: bool = False) -> None:
    """All about one run, and what can be done about it."""
    with st.container(border=True, key="retraining"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(state_word(run.state), color=COLORS[run.state])
            st.caption(
                f"Retraining {run.id} of {text.plain(run.model_name)} · {_asked(run)} · "
                f"{text.ago(run.created_at)}"
            )
        if run.state in ACTIVE:
            _watch(run.id)
        if run.error is not None:
            _draw_error(run)
        if run.evidence is not None:
            draw_evidence(run.evidence, run)
        if run.decision_reason:
            who = f" · {text.plain(run.decided_by)}" if run.decided_by else ""
            st.markdown(f"**Decision**{who}: {text.plain(run.decision_reason)}")
        if identity.current_user().role.value == "admin" and not archived:
            _draw_decisions(run)
        _draw_lineage(run)


def _asked(run: RetrainingOut) -> str:
    who = "by schedule" if run.trigger == "schedule" else f"by {text.plain(run.requested_by)}"
    return f"asked for {who}"


@st.fragment(run_every=FAST_SECONDS)
def _watch(number: int) -> None:
    with errors_shown("retraining_progress"):
        api = identity.retraining_api()
        run = api.retraining(number)
        if run.state not in ACTIVE:
            st.rerun()
        message = text.plain(run.progress_message) or "Waiting for a worker …"
        st.progress(min(1.0, max(0.0, run.progress)), text=message)
        is_admin = identity.current_user().role.value == "admin"
        if is_admin and st.button("Cancel", key="cancel_retraining"):
            with suppress(Refused):  # it may have ended in the meantime
                api.cancel_retraining(number)
            st.rerun()


def _draw_error(run: RetrainingOut) -> None:
    if run.error is None:
        return
    column = f"Column **{text.plain(run.error.column)}**: " if run.error.column else ""
    st.error(column + text.plain(run.error.message))
    st.caption("The champion goes on answering. Mend the data and retrain again.")


def draw_evidence(evidence: EvidenceOut, run: RetrainingOut) -> None:
    """Champion and challenger on the same rows, and what follows from it."""
    st.markdown(f"**{text.plain(evidence.verdict)}**")
    with st.container(horizontal=True):
        title = text.plain(evidence.title)
        st.metric(f"Champion v{run.champion_version}", text.number(evidence.champion), border=True)
        st.metric("Challenger", text.number(evidence.challenger), border=True)
        st.metric(
            "Gain", _signed(evidence.gain), border=True, help=f"In {title}; above 0 is better"
        )
        st.metric("Required", text.number(evidence.minimum_gain), border=True)
    st.caption(f"{title} · {_sureness(evidence)} · {_rows(evidence)}")
    with st.expander("All metrics on these rows"):
        draw_metrics(
            {
                "Challenger": evidence.challenger_metrics,
                f"Champion, version {run.champion_version}": evidence.champion_metrics,
            }
        )


def _sureness(evidence: EvidenceOut) -> str:
    if evidence.interval_low is None or evidence.interval_high is None:
        return "no interval of the gain for this metric and these rows"
    low, high = _signed(evidence.interval_low), _signed(evidence.interval_high)
    return f"95 % interval of the gain: {low} to {high}"


def _rows(evidence: EvidenceOut) -> str:
    rows = text.counted(evidence.rows, "row")
    withheld = ""
    if evidence.withheld_rows:
        withheld = (
            f"; {text.counted(evidence.withheld_rows, 'row')} of the new data were kept from "
            "learning because they are among these"
        )
    return f"on {rows} that the champion held out{withheld}"


def _draw_decisions(run: RetrainingOut) -> None:
    with st.container(horizontal=True, key="retraining_actions"):
        if run.state == "waiting_for_approval":
            _decision_button(run, "Approve", "approve", primary=True)
            _decision_button(run, "Reject", "reject")
        if run.challenger_version is not None:
            _draw_second_thoughts(run)
    for act, (title, draw) in _DIALOGS.items():
        if is_open(f"{act}.{run.id}"):
            st.dialog(title, on_dismiss=close_dialog)(draw)(run)


def _draw_second_thoughts(run: RetrainingOut) -> None:
    """Against what the retraining decided; not where the champion went on since."""
    model = identity.models_api().model(run.model_id)
    is_champion = model.aliases.get(CHAMPION) == run.challenger_version
    back = model.rollback_to == run.champion_version
    if run.state == "promoted" and is_champion and back:
        _decision_button(run, f"Roll back to version {run.champion_version}", "rollback")
    if run.state == "rejected" and not is_champion:
        _decision_button(run, f"Promote version {run.challenger_version} anyway", "promote")


def _decision_button(run: RetrainingOut, label: str, act: str, *, primary: bool = False) -> None:
    if st.button(label, key=f"{act}_retraining", type="primary" if primary else "secondary"):
        open_dialog(f"{act}.{run.id}")


def _approve(run: RetrainingOut) -> None:
    with errors_shown("approve"):
        st.markdown(
            f"The challenger becomes the champion instead of version **{run.champion_version}**. "
            "You can roll back at any time."
        )
        act = partial(_decide, run.id, approve=True)
        confirm_with_reason("Promote it", act, key="approve", hint="The gain is worth it")


def _reject(run: RetrainingOut) -> None:
    with errors_shown("reject"):
        st.markdown(f"Version **{run.champion_version}** stays the champion.")
        act = partial(_decide, run.id, approve=False)
        confirm_with_reason("Reject it", act, key="reject", hint="The new data look wrong")


def _decide(number: int, reason: str, *, approve: bool) -> str:
    run = identity.retraining_api().decide_retraining(number, approve=approve, reason=reason)
    return f"Retraining {run.id} is {state_word(run.state)}."


def _promote_anyway(run: RetrainingOut) -> None:
    with errors_shown("promote_anyway"):
        st.markdown(
            f"The evidence was against it; say why version **{run.challenger_version}** becomes "
            "the champion all the same."
        )
        act = partial(_do_promote, run)
        confirm_with_reason("Promote it", act, key="promote_anyway", hint="The old data are gone")


def _do_promote(run: RetrainingOut, reason: str) -> str:
    if run.challenger_version is not None:
        api = identity.models_api()
        api.point_alias(run.model_id, CHAMPION, run.challenger_version, reason)
    return f"Version {run.challenger_version} is the champion."


def _roll_back(run: RetrainingOut) -> None:
    with errors_shown("rollback_retraining"):
        st.markdown(
            f"Version **{run.champion_version}** becomes the champion again; version "
            f"**{run.challenger_version}** stays a version and can be promoted again."
        )
        act = partial(_do_roll_back, run.model_id)
        confirm_with_reason("Roll back", act, key="rollback_run", hint="Wrong for the small ones")


def _do_roll_back(model_id: int, reason: str) -> str:
    answer = identity.models_api().roll_back(model_id, reason)
    return f"Version {answer.version} is the champion again."


_DIALOGS: Final = {
    "approve": ("Promote the challenger", _approve),
    "reject": ("Reject the challenger", _reject),
    "promote": ("Promote all the same", _promote_anyway),
    "rollback": ("Roll back", _roll_back),
}


def _draw_lineage(run: RetrainingOut) -> None:
    with st.container(horizontal=True):
        link(PageName.MODEL, f"Model {run.model_id}", id=run.model_id)
        link(PageName.FIT, f"The challenger's fit {run.fit_id}", id=run.fit_id)
        data = f"{text.plain(run.dataset_name)}, version {run.dataset_version}"
        draw_dataset_of(run.dataset_id, run.dataset_version, data)
