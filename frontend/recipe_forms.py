"""The form of every kind of step: a new one, or one that is edited."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st
from pydantic import ValidationError

from backend.datasets.recipe_schemas import RecipeRequest
from frontend import recipe_column_forms as columns
from frontend import recipe_row_forms as rows
from frontend import recipe_value_forms as values
from frontend.recipe_inputs import KEPT, MOST_AT_ONCE, Inputs, Step
from frontend.text import plain

NO_STEP: Final = 'A step is an object with a kind: {"kind": "drop_columns", "columns": ["id"]}'


@dataclass(frozen=True)
class Form:
    """How a kind of step is called and asked for."""

    label: str
    draw: Callable[[Inputs], Step | None]
    """Answers the step, or None while something is missing."""


FORMS: Final[Mapping[str, Form]] = {
    "cast": Form("Read as another type", values.cast),
    "parse_dates": Form("Read dates", columns.parse_dates),
    "set_role": Form("Say what columns are for", columns.set_role),
    "drop_columns": Form("Drop columns", rows.drop_columns),
    "keep_columns": Form("Keep only some columns", rows.keep_columns),
    "rename": Form("Rename columns", rows.rename),
    "replace_values": Form("Replace values", values.replace),
    "fill_nulls": Form("Fill missing values", values.fill),
    "drop_nulls": Form("Drop rows with missing values", rows.drop_missing),
    "filter_rows": Form("Keep rows that meet conditions", rows.filter_rows),
    "derive": Form("Compute a column", columns.derive),
    "date_parts": Form("Add parts of dates", columns.date_parts),
    "interactions": Form("Add products of columns", columns.interactions),
    "polynomial": Form("Add powers of columns", columns.polynomial),
    "clip": Form("Clip numbers", values.clip),
    "winsorise": Form("Winsorise numbers", values.winsorise),
    "join": Form("Join with another dataset", columns.join),
    "deduplicate": Form("Drop rows that repeat", rows.deduplicate),
    "sort": Form("Sort rows", rows.sort),
    "sample": Form("Draw a sample of rows", rows.sample),
}


def draw_new(inputs: Inputs) -> Step | None:
    """A form for a step of any kind."""
    kind = st.selectbox(
        "Step",
        list(FORMS),
        format_func=lambda kind: FORMS[kind].label,
        key=f"{inputs.key}.kind",
        persist_state=KEPT,
    )
    # Each kind has inputs of its own; one that was chosen first must not fill another's.
    return FORMS[kind].draw(inputs.under(kind))


def draw_edited(inputs: Inputs) -> Step | None:
    """The form of a step that is there already; as JSON where the form has no room for all."""
    form = FORMS.get(str(inputs.before.get("kind")))
    roomy = form is not None and has_room(inputs.before)
    as_json = st.toggle(
        "As JSON", value=not roomy, disabled=not roomy, key=f"{inputs.key}.json", persist_state=KEPT
    )
    if as_json or form is None:
        return _draw_json(inputs)
    st.markdown(f"**{form.label}**")
    return form.draw(inputs)


def has_room(step: Step) -> bool:
    """Whether the form of the step's kind can show all of it."""
    try:
        RecipeRequest.model_validate({"steps": [step]})
    except ValidationError:
        # From a file, or typed as JSON: there it can be corrected.
        return False
    given = step.get("columns")
    match step.get("kind"):
        case "rename" | "clip":
            return len(given or ()) <= MOST_AT_ONCE
        case "fill_nulls" | "set_role":
            entries = list((given or {}).values())
            return all(entry == entries[0] for entry in entries)
        case "replace_values":
            return len(step.get("values") or ()) <= MOST_AT_ONCE
        case "filter_rows":
            return len(step.get("conditions") or ()) <= MOST_AT_ONCE
        case "sort":
            return len(step.get("by") or ()) <= MOST_AT_ONCE
        case _:
            return True


def _draw_json(inputs: Inputs) -> Step | None:
    start = json.dumps(inputs.before, indent=2, ensure_ascii=False)
    typed = st.text_area(
        "The step", value=start, height=220, key=f"{inputs.key}.text", persist_state=KEPT
    )
    try:
        return as_step(json.loads(typed, parse_constant=_refuse_constant))
    except ValueError as error:
        st.error(plain(f"This is no step: {error}"))
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def as_step(value: Any) -> Step:
    """What may be sent as a step; the server checks the rest."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise ValueError(NO_STEP)
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("The text contains an unpaired surrogate") from None
    except ValueError:
        raise ValueError("A number is infinite or none") from None
    return value
