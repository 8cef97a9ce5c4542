"""The form of a new fit: every block has a default, so that one press runs it."""

from typing import Any, Final

import streamlit as st

from backend.datasets.schemas import DatasetOut
from backend.fits.schemas import EstimatorOut, FitOut
from frontend import identity, metrics, queries, text
from frontend.fields import Fields
from frontend.fit_form_data import (
    Form,
    Task,
    draw_features,
    draw_target,
    draw_task,
    possible_targets,
    start_again,
    start_of,
)
from frontend.fit_form_estimator import (
    draw_estimator,
    draw_estimator_parameters,
    draw_preset,
    draw_search,
    fitting,
)
from frontend.fit_form_preprocessing import draw_preprocessing
from frontend.fit_form_run import draw_estimate, draw_run, draw_summary, draw_try_several
from frontend.fit_form_validation import draw_validation
from frontend.widgets import errors_shown

GIGABYTE: Final = 10**9
SMALLEST_MEMORY: Final = 0.1
LARGEST_MEMORY: Final = 1_000_000.0
LONGEST_SECONDS: Final = 604_800


@st.fragment
def fit_form(dataset: DatasetOut, version: int, origin: FitOut | None = None) -> None:
    """Draws the form; a press of Run leaves for the fit's page.

    `origin` is the fit that is run again with changes.
    """
    with errors_shown("form"):
        profile = queries.profile(identity.datasets_api(), dataset.id, version)
        if not possible_targets(profile):
            st.warning("No column of this file can be predicted: none varies.")
            return
        number = origin.id if origin else None
        key = f"form.{dataset.id}.{version}" + (f".again{number}" if number else "")
        start = start_again(origin, version) if origin else start_of(dataset, version, profile)
        _draw(Form(dataset, version, profile, key, start, number, Fields()))


def _draw(form: Form) -> None:
    left, right = st.columns([5, 3], gap="medium")
    with left:
        target_side, estimator_side = st.columns(2)
        with target_side:
            target = draw_target(form)
            task = draw_task(form, target)
        with estimator_side:
            estimator = draw_estimator(form, task)
        if estimator is None:
            return
        wanted = _draw_blocks(form, target, task, estimator)
    with right, st.container(border=True, key="fit_summary"):
        draw_summary(form, wanted, estimator.title)
        estimate = st.empty()
        draw_run(form, wanted)
        if form.dataset.kind == "table":
            draw_try_several(form, wanted, fitting(form, task))
    # Last of all: Run is there before this answer is.
    with estimate:
        draw_estimate(wanted)


def _draw_blocks(form: Form, target: str, task: Task, estimator: EstimatorOut) -> dict[str, Any]:
    preset = draw_preset(form, estimator)
    features = draw_features(form, target)
    chosen = draw_estimator_parameters(form, estimator, preset)
    return {
        "dataset_id": form.dataset.id,
        "version": form.version,
        "target": target,
        "features": features,
        "task": task,
        "estimator": estimator.name,
        "preset": chosen.preset,
        "params": chosen.params,
        "validation": draw_validation(form),
        **draw_preprocessing(form, target, task, estimator, features),
        "search": draw_search(form, estimator),
        **_draw_rest(form, task),
    }


def _draw_rest(form: Form, task: Task) -> dict[str, Any]:
    with st.expander("Main metric, limits, seed, name, notes"):
        metric = _draw_main_metric(form, task)
        limits = _draw_limits(form)
        left, right = st.columns([1, 2])
        seed = left.number_input(
            "Seed", 0, 2**32 - 1, value=form.start.seed, step=1, key=f"{form.key}.seed"
        )
        name = right.text_input(
            "Name",
            key=f"{form.key}.name",
            max_chars=200,
            placeholder="made from target and estimator",
        )
        form.fields.room("name")
        notes = st.text_area(
            "Notes",
            key=f"{form.key}.notes",
            max_chars=20_000,
            height=90,
            placeholder="What is tried, and why",
        )
        urgent = _draw_priority(form)
    return {
        "main_metric": metric,
        "limits": limits,
        "seed": int(seed),
        "name": name.strip() or None,
        "notes": notes,
        "priority": "high" if urgent else "normal",
    }


def _draw_main_metric(form: Form, task: Task) -> str | None:
    titles = {name: metrics.title(name) for name in metrics.of_task(task)}
    names = list(titles)
    wanted = form.start.main_metric
    chosen = st.selectbox(
        "Main metric",
        names,
        index=names.index(wanted) if wanted in names else None,
        format_func=lambda name: titles[name],
        placeholder="the usual one",
        key=f"{form.key}.{task}.main_metric",
        help="Fits are ranked by it, and searches look for it",
    )
    form.fields.room("main_metric")
    if chosen is not None:
        st.caption(text.plain(metrics.catalogue()[chosen].description))
    return chosen


def _draw_limits(form: Form) -> dict[str, Any]:
    start = form.start.limits
    left, right = st.columns(2)
    seconds = left.number_input(
        "Time limit in seconds",
        1,
        LONGEST_SECONDS,
        value=start.seconds,
        placeholder="the server's",
        key=f"{form.key}.limit.seconds",
    )
    gigabytes = right.number_input(
        "Memory limit in GB",
        SMALLEST_MEMORY,
        LARGEST_MEMORY,
        value=None if start.memory_bytes is None else start.memory_bytes / GIGABYTE,
        step=0.5,
        format="%g",
        placeholder="the server's",
        key=f"{form.key}.limit.memory",
    )
    form.fields.room("limits")
    return {
        "seconds": seconds,
        "memory_bytes": None if gigabytes is None else round(gigabytes * GIGABYTE),
    }


def _draw_priority(form: Form) -> bool:
    """Administrators alone may go before all others."""
    if identity.current_user().role.value != "admin":
        return False
    urgent: bool = st.toggle("Before all others", key=f"{form.key}.priority")
    return urgent
