"""What a fit's form is about: the columns of a version, its target, task and features."""

from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st

from backend.datasets.profile_schemas import ColumnOut, ProfileOut
from backend.datasets.schemas import DatasetOut
from backend.fits.schemas import FitCreate, FitOut
from frontend import text
from frontend.fields import Fields
from frontend.state import state

# A numeric column with few values may be a number or a class; the person says which.
Task = Literal["regression", "binary", "multiclass"]
TARGET_ROLES: Final = ("numeric", "categorical", "boolean")
FEW_VALUES: Final = 20
TWO_CLASSES: Final = 2
SHOWN_EXCLUDED: Final = 8
# As the request of an earlier fit names them.
ASKED: Final = (
    *("dataset_id", "version", "target", "features", "task", "estimator", "params"),
    *("preprocessing", "target_transform", "class_weight", "weights", "validation", "search"),
    *("main_metric", "seed", "limits"),
)


@dataclass(frozen=True)
class Form:
    """A form for fits of one version."""

    dataset: DatasetOut
    version: int
    profile: ProfileOut
    key: str
    """Begins the keys of its widgets, so that each version has a form of its own."""
    start: FitCreate
    """What its inputs hold at first."""
    origin: int | None
    """The fit that is run again with changes; None for a new one."""
    fields: Fields
    """Room for what is wrong, by the names of the request."""

    def column(self, name: str) -> ColumnOut:
        return next(column for column in self.profile.columns if column.name == name)

    def columns_of(self, *roles: str) -> list[str]:
        """The names of the columns with one of the roles."""
        return [column.name for column in self.profile.columns if column.role in roles]


def possible_targets(profile: ProfileOut) -> list[str]:
    """What can be predicted at all."""
    return [column.name for column in profile.columns if column.role in TARGET_ROLES]


def start_of(dataset: DatasetOut, version: int, profile: ProfileOut) -> FitCreate:
    """The usual request, with the target that is guessed."""
    options = possible_targets(profile)
    guess = profile.suggested_target
    target = guess.column if guess and guess.column in options else options[0]
    return FitCreate(dataset_id=dataset.id, version=version, target=target, estimator="usual")


def start_again(fit: FitOut, version: int) -> FitCreate:
    """The request that an earlier fit came from, for a version of its dataset."""
    asked = {name: value for name, value in fit.model_dump().items() if name in ASKED}
    return FitCreate.model_validate({**asked, "version": version})


def draw_target(form: Form) -> str:
    """The column that is predicted."""
    options = possible_targets(form.profile)
    wanted = form.start.target
    target: str = st.selectbox(
        "Predict",
        options,
        index=options.index(wanted) if wanted in options else 0,
        key=f"{form.key}.target",
        help="The target column",
    )
    form.fields.room("target")
    guess = form.profile.suggested_target
    if guess is not None and target == guess.column:
        st.caption(f"Picked for you: {text.plain(guess.reason)}.")
    return target


def draw_task(form: Form, target: str) -> Task:
    """Whether a number or a class is predicted."""
    column = form.column(target)
    classes: Task = "binary" if column.distinct == TWO_CLASSES else "multiclass"
    if column.role != "numeric":
        return classes
    # Not counted yet: a large table, so hardly a number that stands for a class.
    if column.distinct is None or column.distinct > FEW_VALUES:
        return "regression"
    usual: str = "a class" if column.distinct == TWO_CLASSES else "a number"
    if target == form.start.target and form.start.task is not None:
        usual = "a number" if form.start.task == "regression" else "a class"
    as_class = st.segmented_control(
        "Read it as",
        ["a number", "a class"],
        default=usual,
        required=True,
        key=f"{form.key}.{target}.task",
        help=f"This column has only {column.distinct} different values",
    )
    return classes if as_class == "a class" else "regression"


def draw_features(form: Form, target: str) -> list[str] | None:
    """The chosen columns; None means all that the server would take."""
    others = [column for column in form.profile.columns if column.name != target]
    usual = [column.name for column in others if column.left_out_because is None]
    names = [column.name for column in others]
    wanted = usual
    if form.start.features is not None and target == form.start.target:
        wanted = [name for name in form.start.features if name in names]
    key = f"{form.key}.{target}.features"
    held = state.widget(key)
    count = len(wanted) if held is None else len(held)
    with st.expander(f"Features: {count} of {text.counted(len(others), 'column')}"):
        chosen: list[str] = st.multiselect(
            "Columns", names, default=wanted, key=key, label_visibility="collapsed"
        )
        form.fields.room("features")
        _draw_left_out([column for column in others if column.left_out_because])
    return None if set(chosen) == set(usual) else chosen


def _draw_left_out(columns: list[ColumnOut]) -> None:
    for column in columns[:SHOWN_EXCLUDED]:
        reason = text.plain(column.left_out_because or "")
        st.caption(f"Left out: **{text.plain(column.name)}**, {reason}.")
    if len(columns) > SHOWN_EXCLUDED:
        st.caption(f"… and {len(columns) - SHOWN_EXCLUDED} more.")
