"""The form of every kind of step sends what the API takes, and shows what it is given."""

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter
from streamlit.testing.v1 import AppTest

from backend.science.recipes.fields import CastType, DatePart, GivenRole, Operator
from backend.science.recipes.steps import AnyStep
from frontend.recipe_column_forms import PARTS, ROLES
from frontend.recipe_forms import FORMS, as_step, has_room
from frontend.recipe_inputs import as_number, as_value
from frontend.recipe_row_forms import OPERATORS
from frontend.recipe_sentences import sentence
from frontend.recipe_value_forms import TYPES
from frontend.state import Recipe
from tests.frontend.conftest import Open, labels, press, texts
from tests.frontend.world import World

STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)
KINDS = {
    get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(AnyStep)[0])
}
EXAMPLES: list[dict[str, Any]] = [
    {"kind": "drop_columns", "columns": ["rowid", "year"]},
    {"kind": "keep_columns", "columns": ["species", "sex"]},
    {"kind": "rename", "columns": {"sex": "gender", "year": "season"}},
    {"kind": "cast", "columns": ["year"], "to": "number", "decimal": ",", "errors": "refuse"},
    {"kind": "cast", "columns": ["species"], "to": "string", "errors": "null"},
    {"kind": "parse_dates", "columns": ["sex"], "formats": ["%d.%m.%y"], "errors": "null"},
    {"kind": "set_role", "columns": {"year": "categorical", "rowid": "categorical"}},
    {"kind": "set_role", "columns": {"year": None}},
    {"kind": "replace_values", "column": "sex", "values": {"?": None, "m": "male"}},
    {"kind": "replace_values", "column": "year", "values": {"2007": 2008}},
    {"kind": "drop_nulls", "columns": None},
    {"kind": "fill_nulls", "columns": {"body_mass_g": {"method": "median"}}},
    {"kind": "fill_nulls", "columns": {"sex": {"method": "constant", "value": "female"}}},
    {
        "kind": "filter_rows",
        "match": "any",
        "conditions": [
            {"column": "species", "operator": "in", "value": ["Adelie", "Gentoo"]},
            {"column": "body_mass_g", "operator": ">=", "value": 3000.5},
            {"column": "sex", "operator": "is_known"},
        ],
    },
    {"kind": "filter_rows", "expression": "body_mass_g > 3000 and sex is not null"},
    {"kind": "clip", "columns": {"year": {"upper": 2008}, "body_mass_g": {"lower": 1.5}}},
    {"kind": "winsorise", "columns": ["body_mass_g"], "lower": 0.0, "upper": 0.9},
    {"kind": "derive", "name": "ratio", "expression": "body_mass_g / flipper_length_mm"},
    {"kind": "date_parts", "columns": ["year"], "parts": ["quarter"]},
    {"kind": "interactions", "columns": ["year", "body_mass_g"]},
    {"kind": "polynomial", "columns": ["year"], "degree": 4},
    {
        "kind": "join",
        "dataset_id": 7,
        "version": 1,
        "on": {"species": "species", "year": "year"},
        "how": "inner",
        "columns": ["sex"],
        "suffix": "_there",
        "many": True,
    },
    {"kind": "deduplicate", "columns": ["species"], "keep": "last"},
    {
        "kind": "sort",
        "by": [{"column": "year", "descending": True}, {"column": "sex", "descending": False}],
    },
    {"kind": "sample", "rows": 20, "seed": 3},
    {"kind": "sample", "share": 0.25, "seed": 0},
]
UNROOMY: list[dict[str, Any]] = [
    {"kind": "rename", "columns": {f"a{n}": f"b{n}" for n in range(30)}},
    {
        "kind": "fill_nulls",
        "columns": {"year": {"method": "median"}, "sex": {"method": "most_frequent"}},
    },
]


def _edit(app: AppTest, step: dict[str, Any]) -> AppTest:
    """Opens the form of a step that was chosen before."""
    app.session_state["goodfit.recipes"] = {(7, 1): Recipe(7, 1, (step,), "key", edited=0)}
    return app.run()


def _steps(app: AppTest) -> tuple[dict[str, Any], ...]:
    recipe: Recipe = app.session_state["goodfit.recipes"][7, 1]
    return recipe.steps


def _as_sent(step: dict[str, Any]) -> BaseModel:
    checked: BaseModel = STEP.validate_python(step)
    return checked


def test_every_kind_has_a_form_a_sentence_and_an_example() -> None:
    assert set(FORMS) == KINDS
    assert {example["kind"] for example in EXAMPLES} == KINDS
    for example in EXAMPLES:
        assert not sentence(example).startswith(example["kind"].replace("_", " ") + " (")


def test_answers_to_choose_from_are_those_of_the_api() -> None:
    assert set(TYPES) == set(get_args(CastType))
    assert set(OPERATORS) == set(get_args(Operator))
    assert set(PARTS) == set(get_args(DatePart))
    assert set(filter(None, ROLES)) == set(get_args(GivenRole))


def test_every_form_sends_the_step_that_it_shows(sign_in: Open) -> None:
    app = sign_in("ada", "dataset", id="7", tab="Recipe")
    for step in EXAMPLES:
        app = press(_edit(app, step), "Keep the change")
        assert not app.exception
        [sent] = _steps(app)
        assert _as_sent(sent) == _as_sent(step)


@pytest.mark.parametrize("step", UNROOMY, ids=lambda step: step["kind"])
def test_step_that_fits_no_form_is_edited_as_json(sign_in: Open, step: dict[str, Any]) -> None:
    assert not has_room(step)
    app = _edit(sign_in("ada", "dataset", id="7", tab="Recipe"), step)
    [box] = [box for box in app.text_area if box.label == "The step"]
    app = box.set_value('{"kind": "drop_nulls"}').run()
    app = press(app, "Keep the change")
    assert _steps(app) == ({"kind": "drop_nulls"},)


def test_broken_json_is_told_and_nothing_changes(sign_in: Open) -> None:
    app = _edit(sign_in("ada", "dataset", id="7", tab="Recipe"), UNROOMY[0])
    [box] = [box for box in app.text_area if box.label == "The step"]
    for broken in ("{", "[]", '{"kind": 3}', '{"kind": "clip", "columns": {"a": NaN}}'):
        app = box.set_value(broken).run()
        app = press(app, "Keep the change")
        assert any("This is no step" in error.value for error in app.error)
    assert _steps(app) == (UNROOMY[0],)


def test_new_form_of_every_kind_draws(sign_in: Open) -> None:
    app = sign_in("ada", "dataset", id="7", tab="Recipe")
    for kind in FORMS:
        [box] = [box for box in app.selectbox if box.label == "Step"]
        app = box.set_value(kind).run()
        assert not app.exception
        assert "Add step" in labels(app)


def test_incomplete_step_is_not_added(sign_in: Open) -> None:
    app = press(sign_in("ada", "dataset", id="7", tab="Recipe"), "Add step")
    assert "Something is missing" in texts(app)
    assert "No step yet." in texts(app)


def test_typed_values_become_what_the_column_holds(world: World) -> None:
    assert world
    assert [as_number(typed) for typed in ("3", "-4", "2.5", "1e3")] == [3, -4, 2.5, 1000.0]
    assert [as_number(typed) for typed in ("nan", "inf", "²", "x")] == ["nan", "inf", "²", "x"]
    assert as_value("TRUE", "boolean") is True
    assert as_value("true", "string") == "true"
    json.dumps([as_number("9" * 30)], allow_nan=False)


@pytest.mark.parametrize("columns", ["?", 3, ["a"], [[1]], {"a": 1}])
def test_step_of_a_wrong_shape_has_no_form(columns: Any) -> None:
    assert not any(has_room({"kind": kind, "columns": columns}) for kind in ("rename", "set_role"))


def test_what_is_no_step_is_refused() -> None:
    wrongs: list[Any] = [[], "x", {"columns": []}, {"kind": None}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="kind"):
            as_step(wrong)
