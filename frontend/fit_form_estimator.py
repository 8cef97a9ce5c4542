"""The form's estimator: which one, from which preset, with which parameters, or a search."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import streamlit as st

from backend.fits.schemas import EstimatorOut
from frontend import identity, queries, text
from frontend.fit_form_data import Form, Task
from frontend.forms import draw_parameters

Preset = Literal["fast", "balanced", "accurate"]
SearchKind = Literal["tpe", "random", "grid", "halving"]
DEFAULT_ESTIMATORS: Final = {
    "regression": ("ordinary_least_squares", "ridge"),
    "binary": ("random_forest", "k_nearest_neighbors"),
    "multiclass": ("random_forest", "k_nearest_neighbors"),
}
PRESETS: Final[tuple[Preset, ...]] = ("fast", "balanced", "accurate")
AS_BEFORE: Final = "as before"
SEARCHES: Final[dict[SearchKind, str]] = {
    "tpe": "Bayesian (TPE)",
    "random": "Random",
    "grid": "Grid",
    "halving": "Halving",
}
SEARCH_HINTS: Final[dict[SearchKind, str]] = {
    "tpe": "Learns from its trials where to look next, and ends hopeless ones early.",
    "random": "Draws combinations at random.",
    "grid": "Tries all combinations; ranges are cut into a few points.",
    "halving": "Starts many combinations on few rows and goes on with the better half.",
}


@dataclass(frozen=True)
class Chosen:
    """An estimator with its parameters."""

    estimator: EstimatorOut
    preset: Preset | None
    params: dict[str, Any]


def fitting(form: Form, task: Task) -> list[EstimatorOut]:
    """What does the task with such data, installed or not."""
    return [
        entry
        for entry in queries.estimators(identity.fits_api())
        if task in entry.tasks and entry.data == form.dataset.kind
    ]


def draw_estimator(form: Form, task: Task) -> EstimatorOut | None:
    """The chosen one; None where none that fits is installed."""
    known = fitting(form, task)
    available = [entry for entry in known if entry.available]
    if not available:
        for entry in known:
            st.warning(f"{text.plain(entry.title)} is not installed on the server. To install it:")
            st.code(entry.install or "", language="sh")
        return None
    names = [entry.name for entry in available]
    wanted = [form.start.estimator, *DEFAULT_ESTIMATORS[task]]
    family = "regression" if task == "regression" else "classes"
    chosen = st.selectbox(
        "Estimator",
        range(len(available)),
        index=next((names.index(name) for name in wanted if name in names), 0),
        format_func=lambda position: available[position].title,
        key=f"{form.key}.{family}.estimator",
    )
    form.fields.room("estimator")
    estimator = available[chosen]
    st.caption(text.plain(estimator.summary))
    return estimator


def draw_preset(form: Form, estimator: EstimatorOut) -> Preset | None:
    """Where the parameters start from; None for their defaults or those of an earlier fit."""
    again = _is_again(form, estimator)
    if not any(estimator.presets.values()):
        return None
    options = [AS_BEFORE, *PRESETS] if again else list(PRESETS)
    chosen = st.segmented_control(
        "Preset",
        options,
        default=AS_BEFORE if again else "balanced",
        required=True,
        format_func=lambda name: name.capitalize(),
        key=f"{form.key}.{estimator.name}.preset",
    )
    form.fields.room("preset")
    return next((name for name in PRESETS if name == chosen), None)


def _is_again(form: Form, estimator: EstimatorOut) -> bool:
    return form.origin is not None and estimator.name == form.start.estimator


def draw_estimator_parameters(form: Form, estimator: EstimatorOut, preset: Preset | None) -> Chosen:
    """One input per parameter."""
    base = {**estimator.defaults, **(estimator.presets.get(preset, {}) if preset else {})}
    again = preset is None and _is_again(form, estimator)
    with st.expander("More: parameters"):
        if not estimator.params_schema.get("properties"):
            st.caption("It has no parameters.")
        params = draw_parameters(
            estimator.params_schema,
            base,
            key=f"{form.key}.{estimator.name}.{preset}",
            shown={**base, **form.start.params} if again else None,
        )
        form.fields.room("params")
        st.caption(f"Reference: {text.plain(estimator.reference)}")
    return Chosen(estimator, preset, params)


def draw_search(form: Form, estimator: EstimatorOut) -> dict[str, Any] | None:
    """How good parameters are looked for; None where they are not."""
    start = form.start.search.model_dump() if form.start.search else {}
    key = f"{form.key}.search"
    with st.expander("Search: look for good parameters"):
        if not estimator.search_space:
            st.caption("This estimator has no parameters to search over.")
            return None
        if not st.toggle("Search", value=bool(start), key=f"{key}.on"):
            st.caption(
                "Off. A search scores combinations inside the training rows; the rows that give "
                "the reported score stay untouched."
            )
            return None
        kind = st.segmented_control(
            "Kind",
            list(SEARCHES),
            default=start.get("kind", "tpe"),
            required=True,
            format_func=lambda name: SEARCHES[name],
            key=f"{key}.kind",
        )
        st.caption(SEARCH_HINTS[kind])
        budget = _draw_budget(key, start)
        space = _draw_space(form, estimator, start.get("space"))
        form.fields.room("search")
    return {"kind": kind, **budget, "space": space}


def _draw_budget(key: str, start: Mapping[str, Any]) -> dict[str, Any]:
    trials, seconds, folds = st.columns(3)
    return {
        "trials": trials.number_input(
            "Trials", 1, 1_000, value=start.get("trials", 30), key=f"{key}.trials"
        ),
        "seconds": seconds.number_input(
            "Seconds",
            1.0,
            86_400.0,
            value=start.get("seconds"),
            step=60.0,
            format="%g",
            placeholder="no limit",
            key=f"{key}.seconds",
            help="No new trial after this time",
        ),
        "folds": folds.number_input(
            "Inner folds", 2, 10, value=start.get("folds", 3), key=f"{key}.folds"
        ),
    }


def _draw_space(
    form: Form, estimator: EstimatorOut, start: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """A row per parameter; None for the usual space."""
    usual = estimator.search_space
    rows = [_space_row(name, entry, start) for name, entry in usual.items()]
    edited = st.data_editor(
        rows,
        hide_index=True,
        disabled=["Parameter"],
        column_config={
            "Search": st.column_config.CheckboxColumn(width=70),
            "From": st.column_config.NumberColumn(format="%g"),
            "To": st.column_config.NumberColumn(format="%g"),
            "Values": st.column_config.TextColumn(help="Separated by commas", width=240),
        },
        key=f"{form.key}.{estimator.name}.space",
        alt="What is tried of each parameter",
    )
    if start is None and edited == rows:
        return None
    space = {
        row["Parameter"]: _space_entry(row, usual[row["Parameter"]])
        for row in edited
        if row["Search"]
    }
    if not space:
        st.warning("Nothing is searched: tick a parameter.")
    return space


def _space_row(name: str, entry: Any, start: Mapping[str, Any] | None) -> dict[str, Any]:
    asked = entry if start is None else start.get(name, entry)
    given = asked if isinstance(asked, list) else asked.get("values", [])
    bounds = asked if isinstance(asked, dict) else {}
    return {
        "Search": start is None or name in start,
        "Parameter": name,
        "From": bounds.get("low"),
        "To": bounds.get("high"),
        "Values": ", ".join("none" if value is None else str(value) for value in given),
    }


def _space_entry(row: Mapping[str, Any], usual: Mapping[str, Any]) -> Any:
    if row["Values"]:
        return [_value(word.strip()) for word in str(row["Values"]).split(",") if word.strip()]
    whole = isinstance(usual.get("low"), int)
    low, high = (
        int(row[name]) if whole and row[name] is not None else row[name] for name in ("From", "To")
    )
    return {"low": low, "high": high, "log": bool(usual.get("log"))}


def _value(word: str) -> Any:
    """A typed word as the value that it means."""
    named = {"none": None, "true": True, "false": False}
    if word.lower() in named:
        return named[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
