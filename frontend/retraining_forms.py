"""Forms of administrators: retrain a model now, and when it is retrained by itself."""

from collections.abc import Callable, Mapping
from datetime import time
from functools import cache, partial
from typing import Any, Final
from zoneinfo import available_timezones

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.registry.schemas import CHAMPION, ModelOut, ModelVersionOut
from backend.retraining.schemas import PolicyOut, RetrainingOut, RetrainRequest
from frontend import identity, text
from frontend.client import ApiError, SignedOut
from frontend.datasets_client import DatasetQuery
from frontend.dialogs import done
from frontend.schedule import DAYS, LAST_DAY, Every, Schedule, in_words, read_cron
from frontend.state import state
from frontend.uploads import FILE_TYPES
from frontend.widgets import errors_shown, show_problems

MOST_DATASETS: Final = 200
STORED, NEW_FILE = "A stored version", "A new file"
OTHER: Final = "cron expression"
REPEATS: Final[Mapping[str, Every]] = {
    "every hour": "hour",
    "every day": "day",
    "Monday to Friday": "weekday",
    "every week": "week",
    "every month": "month",
}
GAIN_HELP: Final = "By how much the challenger has to be better than the champion, in the metric"
REMOVE_HELP: Final = "Forgets all that stands in this form; a run that has started goes on"
APPROVAL_HELP: Final = "A better challenger waits until an administrator says yes"


def draw_retrain(model: ModelOut) -> None:
    """What to learn from, what is better enough, and the button."""
    champion = model.aliases.get(CHAMPION)
    if champion is None:
        st.info("Retraining needs a champion to compare with. Promote a version first.")
        return
    version = identity.models_api().model_version(model.id, champion)
    # A new key closes it after each start: what was asked for stands below.
    with (
        st.container(key="retrain_form"),
        st.expander("Retrain now", key=f"retrain.{model.id}.{state.form_round}"),
    ):
        _draw_retrain(model, version)


@st.fragment
def _draw_retrain(model: ModelOut, champion: ModelVersionOut) -> None:
    with errors_shown("retrain"):
        key = f"retrain.{model.id}"
        estimator = champion.estimator.replace("_", " ")
        st.caption(
            f"The champion's recipe learns from new data: {text.plain(estimator)} with the same "
            "columns and parameters. Both are then compared on the rows that the champion held "
            "out."
        )
        source = st.segmented_control(
            "Learn from", [STORED, NEW_FILE], default=STORED, required=True, key=f"{key}.source"
        )
        file: UploadedFile | None = None
        request: dict[str, Any] = {}
        if source == NEW_FILE:
            st.caption(
                f"It becomes the next version of {text.plain(champion.dataset_name)}, if all "
                "columns fit; else nothing is stored."
            )
            file = st.file_uploader(
                "File",
                type=list(FILE_TYPES),
                key=f"{key}.file.{state.uploader_round}",
                label_visibility="collapsed",
            )
        else:
            request |= _draw_source(champion, key=key)
        request |= _draw_gate(champion, None, key=key)
        missing = source == NEW_FILE and file is None
        if st.button("Retrain", type="primary", key=f"{key}.start", disabled=missing):
            _start(model, RetrainRequest.model_validate(request), file)


def _draw_source(champion: ModelVersionOut, *, key: str) -> dict[str, int]:
    left, right = st.columns([2, 1])
    with left:
        dataset_id = _draw_dataset(champion.dataset_id, key=key)
    versions = [entry.version for entry in identity.datasets_api().versions(dataset_id)]
    with right:
        version = st.selectbox("Version", versions, key=f"{key}.{dataset_id}.version")
    return {"dataset_id": dataset_id, "version": version}


def _draw_dataset(usual: int, *, key: str) -> int:
    api = identity.datasets_api()
    names = {entry.id: entry.name for entry in api.datasets(DatasetQuery(limit=MOST_DATASETS))}
    if usual not in names:  # older than the list
        names[usual] = api.dataset(usual).name
    chosen: int = st.selectbox(
        "Dataset",
        list(names),
        index=list(names).index(usual),
        format_func=lambda number: f"{number} · {names[number]}",
        key=f"{key}.dataset",
    )
    return chosen


def _draw_gate(champion: ModelVersionOut, known: PolicyOut | None, *, key: str) -> dict[str, Any]:
    names = [name for name in text.METRIC_TITLES if name in champion.metrics]
    usual = known.metric if known and known.metric in names else None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.selectbox(
            "Better by",
            names,
            index=names.index(usual) if usual else 0,
            format_func=lambda name: text.METRIC_TITLES[name],
            key=f"{key}.metric",
            width=240,
        )
        gain = st.number_input(
            "Required gain",
            min_value=0.0,
            value=known.minimum_gain if known else 0.0,
            step=0.01,
            format="%g",
            key=f"{key}.gain",
            help=GAIN_HELP,
            width=180,
        )
        approval = st.toggle(
            "Ask before promoting",
            value=known.require_approval if known else False,
            key=f"{key}.approval",
            help=APPROVAL_HELP,
        )
    return {"metric": metric, "minimum_gain": gain, "require_approval": approval}


def _start(model: ModelOut, request: RetrainRequest, file: UploadedFile | None) -> None:
    api = identity.retraining_api()
    run: RetrainingOut
    try:
        if file is None:
            run = api.retrain(model.id, request)
        else:
            with st.spinner(f"Reading {text.plain(file.name)}, {text.size(file.size)} …"):
                run = api.retrain_with_file(model.id, request, file.name, file)
    except SignedOut:
        raise
    except ApiError as error:
        show_problems(error)
        return
    state.uploader_round += 1
    state.form_round += 1
    state.selected_retraining = run.id
    state.notice = f"Retraining {run.id} is on its way."
    st.rerun()


def draw_policy(model: ModelOut, *, may_change: bool) -> None:
    """When the model is retrained by itself, in words; for administrators also the form."""
    policy = identity.retraining_api().policy(model.id)
    st.markdown(_policy_sentence(policy))
    if policy is not None and policy.next_runs:
        dates = " · ".join(f"{moment:%a %d %b %Y, %H:%M} UTC" for moment in policy.next_runs)
        st.caption(f"Next: {dates}")
    if policy is not None and policy.last_problem:
        st.warning(f"The last one did not start: {text.plain(policy.last_problem)}")
    champion = model.aliases.get(CHAMPION)
    if not may_change or champion is None:
        return
    version = identity.models_api().model_version(model.id, champion)
    with st.expander("Change the schedule", key=f"policy.{model.id}.{state.form_round}"):
        _draw_policy_form(model, version, policy)


def _policy_sentence(policy: PolicyOut | None) -> str:
    """As Markdown."""
    if policy is None or policy.schedule is None:
        return "Not retrained by itself."
    words = f"{in_words(policy.schedule)}, {policy.timezone}"
    return (
        f"Retrained by itself **{text.plain(words)}** from the latest version of "
        f"{text.plain(policy.dataset_name)}."
    )


@st.fragment
def _draw_policy_form(model: ModelOut, champion: ModelVersionOut, policy: PolicyOut | None) -> None:
    with errors_shown("policy"):
        key = f"policy.{model.id}"
        is_on = st.toggle(
            "By schedule",
            value=policy is not None and policy.schedule is not None,
            key=f"{key}.on",
        )
        schedule = _draw_schedule(policy, key=key) if is_on else None
        usual = policy.dataset_id if policy else champion.dataset_id
        dataset_id = _draw_dataset(usual, key=key)
        st.caption("Its latest version at that time is what the challenger learns from.")
        body: dict[str, Any] = {
            "dataset_id": dataset_id,
            "schedule": schedule,
            "timezone": _draw_zone(policy, key=key) if is_on else "UTC",
            **_draw_gate(champion, policy, key=key),
        }
        with st.container(horizontal=True):
            saved = st.button("Save", type="primary", key=f"{key}.save")
            removed = policy is not None and st.button(
                "Remove the schedule", key=f"{key}.remove", help=REMOVE_HELP
            )
        if saved or removed:
            _end_form(partial(_save, model.id, body) if saved else partial(_remove, model.id))


@cache
def _zones() -> list[str]:
    """Read from the machine's files, once."""
    return sorted(available_timezones())


def _draw_zone(policy: PolicyOut | None, *, key: str) -> str:
    zones = _zones()
    usual = policy.timezone if policy and policy.timezone in zones else "UTC"
    chosen: str = st.selectbox("Time zone", zones, index=zones.index(usual), key=f"{key}.zone")
    return chosen


def _draw_schedule(policy: PolicyOut | None, *, key: str) -> str:
    """The form's schedule as a cron expression."""
    cron = policy.schedule if policy and policy.schedule else Schedule("week").cron()
    known = read_cron(cron)
    labels = [*REPEATS, OTHER]
    usual = next((label for label in REPEATS if known and REPEATS[label] == known.every), OTHER)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(
            "Repeat", labels, index=labels.index(usual), key=f"{key}.repeat", width=220
        )
        if label == OTHER:
            return st.text_input(
                "Minute, hour, day, month, weekday", value=cron, key=f"{key}.cron", width=280
            )
        return _draw_moment(REPEATS[label], known or Schedule("week"), key=key).cron()


def _draw_moment(every: Every, known: Schedule, *, key: str) -> Schedule:
    weekday, day = known.weekday, known.day
    if every == "hour":
        minute = st.number_input(
            "At minute", 0, 59, known.at.minute, key=f"{key}.minute", width=120
        )
        return Schedule("hour", time(0, int(minute)))
    if every == "week":
        names = list(range(len(DAYS)))
        weekday = st.selectbox(
            "On",
            names,
            index=known.weekday,
            format_func=lambda number: DAYS[number],
            key=f"{key}.weekday",
            width=160,
        )
    if every == "month":
        day = int(st.number_input("On day", 1, LAST_DAY, known.day, key=f"{key}.day", width=120))
    at = st.time_input("At", value=known.at, key=f"{key}.at", width=120)
    return Schedule(every, at or known.at, weekday=weekday, day=day)


def _end_form(act: Callable[[], str]) -> None:
    if done(act):
        state.form_round += 1
        st.rerun()


def _save(model_id: int, body: Mapping[str, Any]) -> str:
    identity.retraining_api().set_policy(model_id, body)
    return "The schedule is saved."


def _remove(model_id: int) -> str:
    identity.retraining_api().remove_policy(model_id)
    return "The schedule is removed."
