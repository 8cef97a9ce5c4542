"""The trials of a search: the best so far as a line, and all of them as rows."""

import uuid
from typing import Any

import streamlit as st

from backend.fits.result_schemas import TrialList, TrialOut
from backend.fits.schemas import FitOut
from frontend import identity, metrics, text
from frontend.fit_charts import draw_trials_chart
from frontend.pages import PageName, go


def draw_trials(fit: FitOut, *, may_rerun: bool) -> None:
    """The tab."""
    trials = identity.fits_api().trials(fit.id)
    if not trials.items:
        st.caption("No trial yet.")
        return
    draw_trials_chart(trials)
    _draw_best(trials)
    if may_rerun and fit.best_params and st.button("Rerun with the best", key="rerun_best"):
        changes = {"params": {**fit.params, **fit.best_params}, "search": None}
        again = identity.fits_api().rerun_fit(fit.id, key=uuid.uuid4().hex, changes=changes)
        go(PageName.FIT, id=again.id)
    _draw_table(trials)


def draw_live_trials(fit_id: int) -> None:
    """While the search runs."""
    trials = identity.fits_api().trials(fit_id)
    if not trials.items:
        return
    draw_trials_chart(trials)
    _draw_best(trials)
    with st.expander(text.counted(len(trials.items), "trial"), key="live_trials"):
        _draw_table(trials)


def _draw_best(trials: TrialList) -> None:
    best = next((one for one in trials.items if one.number == trials.best_number), None)
    if best is None:
        return
    said = f"Best: trial {best.number} with {metrics.title(trials.metric)} "
    st.markdown(f"**{text.plain(said + text.number(best.score))}**: {text.plain(_params(best))}")


def _params(trial: TrialOut) -> str:
    return ", ".join(f"{name} = {_short(value)}" for name, value in trial.params.items())


def _short(value: Any) -> str:
    return text.number(value) if type(value) in (int, float) else str(value)


def _draw_table(trials: TrialList) -> None:
    rows = [
        {
            "Trial": trial.number,
            "State": trial.state,
            metrics.title(trials.metric): trial.score,
            "±": trial.spread,
            "Took": text.duration(trial.seconds),
            **{name: _short(value) for name, value in trial.params.items()},
            "Message": trial.message or "",
        }
        for trial in trials.items
    ]
    st.dataframe(rows, hide_index=True, placeholder="", alt="Trials in their order")
