"""The end of a fit's form: what will run, how long it takes, and the buttons that start it."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import streamlit as st
from pydantic import ValidationError

from backend.fits.leaderboard_schemas import LeaderboardCreate
from backend.fits.schemas import EstimatorOut, FitCreate, FitOut
from frontend import identity, queries, text
from frontend.client import ApiError, Refused, SignedOut
from frontend.fit_form_data import Form
from frontend.fit_form_estimator import PRESETS, SEARCHES
from frontend.fit_form_validation import sentence
from frontend.pages import PageName, go
from frontend.state import Deed, state
from frontend.widgets import show_error

SHORTCUT: Final = "Ctrl+Enter"
USUAL_BUDGET_MINUTES: Final = 5
MOST_BUDGET_MINUTES: Final = 1_440
# A leaderboard has its own parameters, budget and place in the queue.
OF_FITS_ALONE: Final = frozenset(
    {"estimator", "params", "preset", "search", "limits", "priority", "notes", "name", "tags"}
)


def draw_summary(form: Form, wanted: Mapping[str, Any], title: str) -> None:
    """What will run, as plain text."""
    features = wanted["features"]
    columns = "all usable columns" if features is None else text.counted(len(features), "column")
    target = text.plain(wanted["target"])
    parts = [
        f"**{text.plain(title)}** predicts **{target}** from {columns}",
        text.plain(sentence(wanted["validation"], form.profile.rows)),
    ]
    search = wanted.get("search")
    if search:
        kind = SEARCHES[search["kind"]].lower()
        limit = f" or {text.duration(search['seconds'])}" if search["seconds"] else ""
        parts.append(f"a {kind} search tries up to {search['trials']} combinations{limit}")
    st.markdown("; ".join(parts) + ".")
    for fact in _details(wanted):
        st.caption(text.plain(fact))


def _details(wanted: Mapping[str, Any]) -> list[str]:
    """What is not as usual."""
    preparation = wanted.get("preprocessing", {})
    found = []
    if wanted["params"]:
        changed = ", ".join(f"{name} = {value}" for name, value in wanted["params"].items())
        found.append(f"Parameters: {changed}")
    if wanted.get("target_transform", "none") != "none":
        found.append(f"Target: {wanted['target_transform'].replace('_', '-')}")
    if wanted.get("class_weight", "none") != "none":
        found.append("Classes are weighed")
    if wanted.get("weights"):
        found.append(f"Rows are weighed by {wanted['weights']}")
    if preparation.get("columns"):
        found.append(f"Prepared in their own way: {', '.join(preparation['columns'])}")
    found += [
        f"{step['kind'].capitalize()} of {', '.join(step['columns'])}"
        for step in preparation.get("features", ())
    ]
    return found


def draw_estimate(wanted: Mapping[str, Any]) -> None:
    """How long it takes; nothing where no similar fit is known or the server has no answer."""
    try:
        request = FitCreate.model_validate(wanted)
        found = queries.estimate(identity.fits_api(), request.model_dump_json())
    except SignedOut:
        raise
    except (ApiError, ValidationError):
        return
    if found.seconds is not None:
        # Of others' fits only the time is told.
        similar = text.counted(found.fits, "similar fit") if found.fits else "similar fits"
        st.caption(f"Takes about {text.duration(found.seconds)}, by {similar}.")


def draw_run(form: Form, wanted: Mapping[str, Any]) -> None:
    """The button; a press leaves for the fit's page, or says what is wrong with which field."""
    nothing = wanted["features"] == []
    pressed = st.button(
        "Run fit",
        type="primary",
        shortcut=SHORTCUT,
        key=f"{form.key}.run",
        disabled=nothing,
        help="Takes at least one column" if nothing else None,
        width="stretch",
    )
    if pressed:
        _start(form, wanted)


def _start(form: Form, wanted: Mapping[str, Any]) -> None:
    try:
        request = FitCreate.model_validate(wanted)
        fit = _run(request, form.origin)
    except ValidationError as error:
        for entry in error.errors():
            _complain(form, ".".join(str(part) for part in entry["loc"]), entry["msg"])
    except SignedOut:
        raise
    except ApiError as error:
        _explain(form, error)
    else:
        state.chosen = None
        go(PageName.FIT, id=fit.id)


def _explain(form: Form, error: ApiError) -> None:
    """All that the server found, here and beside the fields; the form stays as it is."""
    if isinstance(error, Refused) and error.fields:
        for where, message in error.fields.items():
            _complain(form, where, message)
    else:
        show_error(error)


def _complain(form: Form, where: str, message: str) -> None:
    # The field may be in a block that is folded.
    st.error(f"{text.plain(where)}: {text.plain(message)}")
    form.fields.complain_inside(where, message)


def _run(wanted: FitCreate, origin: int | None) -> FitOut:
    """Sends the form; the same press sent again, after a lost answer, is the same fit."""
    if not state.run_key:
        state.run_key = uuid.uuid4().hex
    key = uuid.uuid5(uuid.UUID(state.run_key), f"{origin}.{wanted.model_dump_json()}").hex
    api = identity.fits_api()
    if origin is None:
        fit = api.create_fit(wanted, key=key)
    else:
        changes = wanted.model_dump(mode="json", exclude={"tags"})
        fit = api.rerun_fit(origin, key=key, changes=changes)
    state.run_key = ""
    state.remember(Deed("ran", fit.id, fit.name, datetime.now(UTC)))
    return fit


def draw_try_several(form: Form, wanted: Mapping[str, Any], estimators: list[EstimatorOut]) -> None:
    """The same request for several estimators within a time budget."""
    key = f"{form.key}.several"
    titles = {entry.name: entry.title for entry in estimators if entry.available}
    with st.popover("Try several estimators", width="stretch", key=key):
        st.caption("All on the same rows, the quick ones first; the best one comes out on top.")
        chosen = st.multiselect(
            "Estimators",
            list(titles),
            format_func=lambda name: titles[name],
            placeholder=f"all {len(titles)} that do this",
            key=f"{key}.estimators",
        )
        preset = st.segmented_control(
            "Preset", PRESETS, default="balanced", required=True, key=f"{key}.preset"
        )
        minutes = st.number_input(
            "Time budget in minutes",
            min_value=1,
            max_value=MOST_BUDGET_MINUTES,
            value=USUAL_BUDGET_MINUTES,
            key=f"{key}.minutes",
        )
        # What is wrong with it is said below, beside the form.
        pressed = st.button("Start the leaderboard", type="primary", key=f"{key}.start")
    if pressed:
        rows = {name: value for name, value in wanted.items() if name not in OF_FITS_ALONE}
        budget = {"preset": preset, "budget_seconds": minutes * 60, "estimators": chosen or None}
        _start_leaderboard(form, LeaderboardCreate.model_validate({**rows, **budget}))


def _start_leaderboard(form: Form, wanted: LeaderboardCreate) -> None:
    if not state.run_key:
        state.run_key = uuid.uuid4().hex
    key = uuid.uuid5(uuid.UUID(state.run_key), wanted.model_dump_json()).hex
    try:
        board = identity.leaderboards_api().create_leaderboard(wanted, key=key)
    except SignedOut:
        raise
    except ApiError as error:
        _explain(form, error)
    else:
        state.run_key, state.chosen = "", None
        go(PageName.LEADERBOARD, id=board.id)
