"""Whatever a step holds: it is done, or refused with words; the process never breaks."""

import json
from typing import Any, Final

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from backend.science.recipes.apply import apply_recipe
from backend.science.recipes.planning import OPERATIONS
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.steps import Steps
from tests.science.recipes.test_expressions import ATOMS, larger
from tests.science.recipes.test_scripts import EVERY_STEP, OTHER, table

_STEPS: TypeAdapter[Any] = TypeAdapter(Steps)
TABLE: Final = table(12)
NAMES: Final = st.sampled_from([*TABLE.columns, "nope", "N", "*", "^.*$", "", "new", "a" * 501])
NUMBERS: Final = st.sampled_from(
    [0, 1, -1, 2.5, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 1e308, -0.0, float("nan"), True]
)
TIMES: Final = st.sampled_from(["2024-01-01", "0001-01-01", "2024-01-01T25:00", "%d.%m.%Y", "year"])
WORDS: Final = TIMES | st.sampled_from(
    ["a", "", "true", "\x00", "1e400", "9" * 30, "number", "date", "numeric", "==", "in", "left"]
)
VALUES: Final = NUMBERS | WORDS | NAMES | st.none()


def _exchanged(whole: dict[str, Any], key: str) -> st.SearchStrategy[dict[str, Any]]:
    return odd(whole[key]).map(lambda part: {**whole, key: part})


def odd(whole: Any) -> st.SearchStrategy[Any]:
    """The value, or one with a part exchanged."""
    if isinstance(whole, dict):
        parts = [_exchanged(whole, key) for key in whole if key != "kind"]
        added = st.tuples(NAMES, VALUES).map(lambda pair: {**whole, pair[0]: pair[1]})
        return st.one_of([*parts, *parts, added])
    if isinstance(whole, list):
        return st.lists(st.one_of([odd(value) for value in whole]), min_size=1, max_size=3)
    return VALUES | st.just(whole)


EXPRESSIONS: Final = st.recursive(ATOMS, larger, max_leaves=12)
ODD_STEPS: Final = st.one_of(
    [
        *(odd(one) for one in EVERY_STEP),
        EXPRESSIONS.map(lambda text: {"kind": "derive", "name": "new", "expression": text}),
        EXPRESSIONS.map(lambda text: {"kind": "filter_rows", "expression": text}),
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(ODD_STEPS | st.sampled_from(EVERY_STEP), min_size=1, max_size=3))
def test_any_step_is_done_or_refused(steps: list[dict[str, Any]]) -> None:
    try:
        checked = _STEPS.validate_python(steps)
    except ValidationError:
        return
    others = {(one.dataset_id, one.version): OTHER for one in checked if one.kind == "join"}
    try:
        cleaned = apply_recipe(TABLE, checked, others=others, show_changes=True)
    except RecipeProblem as problem:
        message = str(problem)
    else:
        message = ""
        assert cleaned.frame.height
        floats = cleaned.frame.select(pl.selectors.float())
        assert not any(series.is_nan().any() for series in floats)
        json.dumps([vars_of(report.first_changes) for report in cleaned.reports])
    assert "polars refuses" not in message, message


def vars_of(changes: list[Any]) -> list[Any]:
    return [[one.row, one.kind, one.before, one.after] for one in changes]


def test_every_kind_of_step_is_tried() -> None:
    assert {one["kind"] for one in EVERY_STEP} == set(OPERATIONS)
