"""The form that any estimator's JSON Schema gives."""

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import NumberInput, Selectbox, TextInput, Toggle

from backend.science.catalogue import ESTIMATORS
from frontend.forms import resolve

SCRIPT = """
import json
import streamlit as st
from frontend.forms import draw_parameters
schema, defaults = json.loads(st.session_state["schema"])
st.session_state["values"] = draw_parameters(schema, defaults, key="p")
"""


class Everything(BaseModel):
    trees: int = Field(100, ge=1, le=500, description="*How* many")
    rate: float = Field(0.1, gt=0, lt=1)
    depth: int | None = Field(None, ge=1)
    shuffle: bool = True
    kind: Literal["gini", "entropy"] = "gini"
    power: Literal[1, 2] = 2
    share: Literal["sqrt", "log2"] | None = "sqrt"
    note: str = ""
    steps: list[int] = Field(default_factory=lambda: [1, 2])


def _draw(schema: dict[str, Any], defaults: dict[str, Any]) -> AppTest:
    app = AppTest.from_string(SCRIPT)
    app.session_state["schema"] = json.dumps([schema, defaults])
    return app.run()


@pytest.fixture
def form() -> AppTest:
    return _draw(Everything.model_json_schema(), Everything().model_dump(mode="json"))


def test_untouched_form_sends_nothing(form: AppTest) -> None:
    assert not form.exception
    assert form.session_state["values"] == {}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("number_input", "trees", 250),
        ("number_input", "rate", 0.5),
        ("number_input", "depth", 3),
        ("toggle", "shuffle", False),
        ("selectbox", "kind", "entropy"),
        ("selectbox", "power", 1),
        ("selectbox", "share", "log2"),
        ("text_input", "note", "hello"),
    ],
)
def test_each_kind_of_parameter_is_sent_when_changed(
    form: AppTest, kind: str, name: str, value: object
) -> None:
    widget = next(widget for widget in form.get(kind) if widget.key == f"p.{name}")
    assert isinstance(widget, NumberInput | Toggle | Selectbox | TextInput)
    widget.set_value(value)  # type: ignore[arg-type]  # each kind gets a value of its own
    form.run()
    assert form.session_state["values"] == {name: value}
    assert Everything.model_validate(form.session_state["values"])


def test_bounds_come_from_the_schema(form: AppTest) -> None:
    trees = form.number_input(key="p.trees")
    assert (trees.min, trees.max, trees.step) == (1, 500, 1)


def test_description_is_not_markdown(form: AppTest) -> None:
    assert form.number_input(key="p.trees").help == r"\*How\* many"


def test_list_stays_at_its_default(form: AppTest) -> None:
    assert form.text_input(key="p.steps").disabled


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_form_of_every_estimator_draws_and_keeps_its_defaults(name: str) -> None:
    params = ESTIMATORS[name].Params
    form = _draw(params.model_json_schema(), params().model_dump(mode="json"))
    assert not form.exception
    assert form.session_state["values"] == {}
    drawn = {
        widget.key for kind in ("number_input", "toggle", "selectbox") for widget in form.get(kind)
    }
    assert drawn >= {f"p.{field}" for field in params.model_fields}


def test_references_are_followed() -> None:
    root = {"$defs": {"Kind": {"enum": ["a", "b"], "type": "string"}}}
    field = {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}], "default": None}
    assert resolve(field, root)["enum"] == ["a", "b"]
    assert resolve(field, root)["nullable"]
