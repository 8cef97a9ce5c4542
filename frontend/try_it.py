"""Try a model: a form made from its inputs, the prediction, and the same call for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

import streamlit as st

from backend.registry.schemas import CHAMPION, ModelOut
from backend.serving.schemas import InputOut, PredictOut, SchemaOut
from frontend import identity, queries, text
from frontend.client import ApiError, SignedOut
from frontend.model_code import predict_command, predict_image_command
from frontend.state import Trial, state
from frontend.widgets import errors_shown, show_problems

FIRST_INPUTS: Final = 24
INPUTS_IN_A_ROW: Final = 3
LARGEST_EXACT: Final = 2**53 - 1
SHOWN_CLASSES: Final = 20
IMAGE_TYPES: Final = ("png", "jpg", "jpeg")
EARLIEST, LATEST = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001  # days, no instants
Value = float | int | bool | str | None


def draw_try_it(model: ModelOut) -> None:
    """The tab."""
    version = choose_version(model, key="try")
    schema = queries.model_schema(identity.models_api(), model.id, version)
    if schema.kind == "image":
        _draw_image_form(model, version, schema)
    else:
        _draw_form(model, version, schema)


def choose_version(model: ModelOut, *, key: str) -> int:
    """Which version is asked; the champion unless somebody says otherwise."""
    names: dict[int, list[str]] = {}
    for alias, version in sorted(model.aliases.items()):
        names.setdefault(version, []).append(alias)
    numbers = list(range(model.latest_version, 0, -1))
    champion = model.aliases.get(CHAMPION, model.latest_version)
    chosen: int = st.selectbox(
        "Version",
        numbers,
        index=numbers.index(champion),
        format_func=lambda number: ", ".join([f"Version {number}", *names.get(number, [])]),
        key=f"{key}.{model.id}.version.{champion}",
        width=320,
    )
    return chosen


@st.fragment
def _draw_form(model: ModelOut, version: int, schema: SchemaOut) -> None:
    with errors_shown("try_it"):
        key = f"try.{model.id}.{version}"
        row = _draw_inputs(schema.inputs[:FIRST_INPUTS], key=key)
        rest = schema.inputs[FIRST_INPUTS:]
        if rest:
            with st.expander(text.counted(len(rest), "more input")):
                row |= _draw_inputs(rest, key=key)
        empty = [name for name, value in row.items() if value is None]
        if empty:
            st.caption(f"Empty, so filled as in training: {text.plain(', '.join(empty))}.")
        if st.button("Predict", type="primary", key=f"{key}.predict", shortcut="Ctrl+Enter"):
            _predict(model.id, version, row)
        _draw_answer(model.id, version, schema, row)
        st.caption("The same from a terminal:")
        st.code(predict_command(model.id, version, row), language="bash", wrap_lines=True)


def _draw_inputs(inputs: Sequence[InputOut], *, key: str) -> dict[str, Value]:
    values: dict[str, Value] = {}
    # Row by row: on a phone the columns stand one below the other, and the order must stay.
    for first in range(0, len(inputs), INPUTS_IN_A_ROW):
        columns = st.columns(INPUTS_IN_A_ROW)
        for column, entry in zip(columns, inputs[first : first + INPUTS_IN_A_ROW], strict=False):
            with column:
                values[entry.name] = draw_input(entry, key=f"{key}.{entry.name}")
    return values


def draw_input(entry: InputOut, *, key: str) -> Value:
    """The input's own kind of box, filled with a usual value; empty stands for missing."""
    label = text.plain(entry.name)
    if entry.categories is not None and entry.type not in ("number", "integer", "boolean"):
        return _draw_category(label, entry.categories, key=key)
    match entry.type:
        case "number" | "integer":
            return _draw_number(label, entry, key=key)
        case "boolean":
            answer = st.segmented_control(label, ["yes", "no"], default="no", key=key)
            return None if answer is None else answer == "yes"
        case "date":
            day: date | None = st.date_input(
                label, value=None, min_value=EARLIEST.date(), max_value=LATEST.date(), key=key
            )
            return None if day is None else day.isoformat()
        case "datetime":
            moment: datetime | None = st.datetime_input(
                label, value=None, min_value=EARLIEST, max_value=LATEST, key=key
            )
            return None if moment is None else moment.isoformat()
        case _:
            return st.text_input(label, key=key) or None


def _draw_category(label: str, categories: list[str], *, key: str) -> str | None:
    if categories:
        state.preset(key, categories[0])
    chosen: str | None = st.selectbox(
        label,
        categories,
        index=None,
        key=key,
        accept_new_options=True,
        placeholder="missing",
        help="Choose, or type another value",
    )
    if chosen is not None and chosen not in categories:
        st.caption(":orange[Not seen in training: the model knows nothing about it.]")
    return chosen


def _draw_number(label: str, entry: InputOut, *, key: str) -> float | int | None:
    low, high = entry.minimum, entry.maximum
    whole = entry.type == "integer"
    middle = _middle(low, high)
    if middle is not None:
        state.preset(key, round(middle) if whole else middle)
    value: float | int | None
    if whole:
        value = st.number_input(
            label,
            value=None,
            min_value=-LARGEST_EXACT,
            max_value=LARGEST_EXACT,
            step=1,
            key=key,
            placeholder="missing",
        )
    else:
        value = st.number_input(
            label,
            value=None,
            step=_step(low, high),
            format="%g",
            key=key,
            placeholder="missing",
        )
    if low is not None and high is not None:
        st.caption(_range_hint(value, low, high))
    return value


def _range_hint(value: float | int | None, low: float, high: float) -> str:
    """As Markdown."""
    known = f"{text.number(low)} to {text.number(high)}"
    if value is not None and not low <= value <= high:
        return f":orange[Outside the training range, {known}: an extrapolation.]"
    return f"trained on {known}"


def _middle(low: float | None, high: float | None) -> float | None:
    """With three digits: a value to start from, not a statistic."""
    return None if low is None or high is None else float(f"{low / 2 + high / 2:.3g}")


def _step(low: float | None, high: float | None) -> float:
    """About a fiftieth of the range, as a power of ten."""
    if low is None or high is None or high <= low:
        return 0.1
    return float(f"1e{int(f'{(high - low) / 50:e}'.partition('e')[2])}")


def _predict(model_id: int, version: int, row: Mapping[str, Value]) -> None:
    state.trial = None
    try:
        answer = identity.models_api().predict(model_id, version, row)
    except SignedOut:
        raise
    except ApiError as error:
        show_problems(error)
    else:
        state.trial = Trial(model_id, version, dict(row), answer)


def _draw_answer(
    model_id: int, version: int, schema: SchemaOut, row: Mapping[str, Value] | None
) -> None:
    trial = state.trial
    if trial is None or (trial.model_id, trial.version) != (model_id, version):
        return
    with st.container(border=True, key="prediction"):
        prediction = trial.answer.predictions[0]
        shown = text.number(prediction) if _is_number(prediction) else str(prediction)
        st.metric(text.plain(schema.output.name), text.plain(shown))
        _draw_probabilities(trial.answer)
        if row is not None and dict(row) != trial.row:
            st.caption("For the values before your last change. Press Predict for these.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw_probabilities(answer: PredictOut) -> None:
    if not answer.probabilities:
        return
    ranked = sorted(answer.probabilities[0].items(), key=lambda entry: -entry[1])
    rows = [{"Class": name, "Probability": share} for name, share in ranked[:SHOWN_CLASSES]]
    config = {
        "Probability": st.column_config.ProgressColumn(
            min_value=0.0, max_value=1.0, format="percent"
        )
    }
    st.dataframe(rows, hide_index=True, column_config=config, alt="Classes, the likeliest first")


def _draw_image_form(model: ModelOut, version: int, schema: SchemaOut) -> None:
    wanted = schema.inputs[0]
    st.caption(
        f"Trained on pictures of {wanted.width} x {wanted.height}; others are brought to that size."
    )
    file = st.file_uploader(
        "A picture", type=list(IMAGE_TYPES), key=f"try.{model.id}.image.{state.uploader_round}"
    )
    if file is not None:
        state.trial = None
        try:
            with st.spinner("Predicting …"):
                answer = identity.models_api().predict_image(model.id, version, file.name, file)
        except SignedOut:
            raise
        except ApiError as error:
            show_problems(error)
        else:
            state.trial = Trial(model.id, version, {"image": file.name}, answer)
    if state.trial is not None and "image" in state.trial.row:
        st.caption(text.plain(str(state.trial.row["image"])))
    _draw_answer(model.id, version, schema, None)
    st.caption("The same from a terminal:")
    st.code(predict_image_command(model.id, version), language="bash", wrap_lines=True)
