"""The form of a new fit: every block has a default, so that one press runs it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backend.datasets.profile_schemas import ColumnOut, ProfileOut
from backend.datasets.schemas import DatasetOut
from backend.fits.schemas import EstimatorOut, FitCreate, FitOut
from frontend import identity, queries, text
from frontend.client import ApiError, Refused, SignedOut
from frontend.forms import draw_parameters
from frontend.pages import PageName, go
from frontend.state import Deed, state
from frontend.widgets import errors_shown, show_error

DEFAULT_ESTIMATORS: Final = {
    "regression": ("ordinary_least_squares", "ridge"),
    "binary": ("random_forest", "k_nearest_neighbors"),
    "multiclass": ("random_forest", "k_nearest_neighbors"),
}
# A numeric column with few values may be a number or a class; the person says which.
Task = Literal["regression", "binary", "multiclass"]
FEW_VALUES: Final = 20
TWO_CLASSES: Final = 2
SHOWN_EXCLUDED: Final = 8
SHORTCUT: Final = "Ctrl+Enter"


@dataclass(frozen=True)
class _Form:
    """What a fit's form is about."""

    dataset: DatasetOut
    version: int
    profile: ProfileOut
    key: str
    """Begins the keys of its widgets, so that each version has a form of its own."""

    def column(self, name: str) -> ColumnOut:
        return next(column for column in self.profile.columns if column.name == name)


@st.fragment
def fit_form(dataset: DatasetOut, version: int) -> None:
    """Draws the form; a press of Run leaves for the fit's page."""
    with errors_shown("form"):
        profile = queries.profile(identity.datasets_api(), dataset.id, version)
        form = _Form(dataset, version, profile, f"form.{dataset.id}.{version}")
        if not _possible_targets(profile):
            st.warning("No column of this file can be predicted: none varies.")
            return
        _draw(form)


def _possible_targets(profile: ProfileOut) -> list[str]:
    return [
        column.name
        for column in profile.columns
        if column.role in ("numeric", "categorical", "boolean")
    ]


def _draw(form: _Form) -> None:
    left, right = st.columns(2)
    with left:
        target = _draw_target(form)
    task = _draw_task(form, target)
    with right:
        estimator = _draw_estimator(form, task)
    if estimator is None:
        return
    features = _draw_features(form, target)
    _draw_more_and_run(form, target, task, estimator, features)


def _draw_target(form: _Form) -> str:
    options = _possible_targets(form.profile)
    guess = form.profile.suggested_target
    index = options.index(guess.column) if guess and guess.column in options else 0
    target: str = st.selectbox(
        "Predict", options, index=index, key=f"{form.key}.target", help="The target column"
    )
    if guess is not None and target == guess.column:
        st.caption(f"Picked for you: {text.plain(guess.reason)}.")
    return target


def _draw_task(form: _Form, target: str) -> Task:
    column = form.column(target)
    classes: Task = "binary" if column.distinct == TWO_CLASSES else "multiclass"
    if column.role != "numeric":
        return classes
    # Not counted yet: a large table, so hardly a number that stands for a class.
    if column.distinct is None or column.distinct > FEW_VALUES:
        return "regression"
    as_class = st.segmented_control(
        "Read it as",
        ["a number", "a class"],
        default="a class" if column.distinct == TWO_CLASSES else "a number",
        required=True,
        key=f"{form.key}.{target}.task",
        help=f"This column has only {column.distinct} different values",
    )
    return classes if as_class == "a class" else "regression"


def _draw_estimator(form: _Form, task: Task) -> EstimatorOut | None:
    """The chosen one; None where none that fits is installed."""
    known = [
        entry
        for entry in queries.estimators(identity.api())
        if task in entry.tasks and entry.data == form.dataset.kind
    ]
    fitting = [entry for entry in known if entry.available]
    if not fitting:
        for entry in known:
            st.warning(f"{text.plain(entry.title)} is not installed on the server. To install it:")
            st.code(entry.install or "", language="sh")
        return None
    names = [entry.name for entry in fitting]
    wanted = [name for name in DEFAULT_ESTIMATORS[task] if name in names]
    family = "regression" if task == "regression" else "classes"
    chosen = st.selectbox(
        "Estimator",
        range(len(fitting)),
        index=names.index(wanted[0]) if wanted else 0,
        format_func=lambda position: fitting[position].title,
        key=f"{form.key}.{family}.estimator",
    )
    estimator = fitting[chosen]
    st.caption(text.plain(estimator.summary))
    return estimator


def _draw_features(form: _Form, target: str) -> list[str] | None:
    """The chosen columns; None means all that the server would take."""
    others = [column for column in form.profile.columns if column.name != target]
    usual = [column.name for column in others if column.left_out_because is None]
    key = f"{form.key}.{target}.features"
    held = state.widget(key)
    count = len(usual) if held is None else len(held)
    with st.expander(f"From {count} of {text.counted(len(others), 'column')}"):
        chosen: list[str] = st.multiselect(
            "Columns",
            [column.name for column in others],
            default=usual,
            key=key,
            label_visibility="collapsed",
        )
        excluded = [column for column in others if column.left_out_because]
        for column in excluded[:SHOWN_EXCLUDED]:
            reason = text.plain(column.left_out_because or "")
            st.caption(f"Left out: **{text.plain(column.name)}**, {reason}.")
        if len(excluded) > SHOWN_EXCLUDED:
            st.caption(f"… and {len(excluded) - SHOWN_EXCLUDED} more.")
    return None if set(chosen) == set(usual) else chosen


def _draw_more_and_run(
    form: _Form, target: str, task: Task, estimator: EstimatorOut, features: list[str] | None
) -> None:
    with st.expander("More: parameters, hold-out, seed, name"):
        errors = st.empty()
        params = draw_parameters(
            estimator.params_schema, estimator.defaults, key=f"{form.key}.{estimator.name}"
        )
        share, seed, name = _draw_validation(form)
    st.caption(_summary(form, target, estimator, features, share))
    pressed = st.button(
        "Run fit",
        type="primary",
        shortcut=SHORTCUT,
        key=f"{form.key}.run",
        disabled=features == [],
        help="Takes at least one column" if features == [] else None,
    )
    if not pressed:
        return
    wanted = FitCreate.model_validate(
        {
            "dataset_id": form.dataset.id,
            "version": form.version,
            "target": target,
            "features": features,
            "task": task,
            "estimator": estimator.name,
            "params": params,
            "validation": _validation(share),
            "seed": seed,
            "name": name,
        }
    )
    try:
        fit = _run(wanted)
    except SignedOut:
        raise
    except ApiError as error:
        _show_field_problems(errors, error)
        show_error(error)
    else:
        state.chosen = None
        go(PageName.FIT, id=fit.id)


def _validation(share: int) -> dict[str, str | float]:
    return {"kind": "holdout", "test_size": share / 100} if share else {"kind": "none"}


def _show_field_problems(place: DeltaGenerator, error: ApiError) -> None:
    """Beside the parameters, for all that the server found."""
    if isinstance(error, Refused) and error.fields:
        with place.container():
            for where, message in error.fields.items():
                st.error(f"{text.plain(where)}: {text.plain(message)}")


def _draw_validation(form: _Form) -> tuple[int, int, str | None]:
    left, middle, right = st.columns([2, 1, 2])
    share = left.slider(
        "Hold-out share",
        min_value=0,
        max_value=50,
        value=20,
        step=5,
        format="%d %%",
        key=f"{form.key}.share",
        help="Rows kept for scoring. 0: fit all rows, nothing is scored",
    )
    seed = middle.number_input(
        "Seed", min_value=0, max_value=2**32 - 1, value=0, step=1, key=f"{form.key}.seed"
    )
    name = right.text_input(
        "Name", key=f"{form.key}.name", max_chars=200, placeholder="made from target and estimator"
    )
    return share, int(seed), name.strip() or None


def _summary(
    form: _Form,
    target: str,
    estimator: EstimatorOut,
    features: list[str] | None,
    share: int,
) -> str:
    rows = form.profile.rows
    how = (
        f"{share} % of {text.counted(rows, 'row')} are kept for scoring"
        if share
        else f"all {text.counted(rows, 'row')} are fitted, nothing is scored"
    )
    columns = "all usable columns" if features is None else text.counted(len(features), "column")
    return f"{text.plain(estimator.title)} predicts {text.plain(target)} from {columns}; {how}."


def _run(wanted: FitCreate) -> FitOut:
    """Sends the form; the same press sent again, after a lost answer, is the same fit."""
    if not state.run_key:
        state.run_key = uuid.uuid4().hex
    key = uuid.uuid5(uuid.UUID(state.run_key), wanted.model_dump_json()).hex
    fit = identity.api().create_fit(wanted, key=key)
    state.run_key = ""
    state.remember(Deed("ran", fit.id, fit.name, datetime.now(UTC)))
    return fit
