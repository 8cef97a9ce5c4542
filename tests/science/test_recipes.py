"""Each cleaning step on a small table."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter

from backend.science.recipes.apply import Cleaned, apply_recipe
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.steps import Steps

CARS = pl.DataFrame(
    {
        "power": [130, 165, None, 90, 90],
        "speed": [1.5, float("nan"), 3.0, 4.0, 4.0],
        "fuel": ["gas", None, "diesel", "gas", "gas"],
        "new": [True, False, None, True, True],
        "sold": [date(2024, 1, day) for day in (1, 2, 3, 4, 4)],
    }
)
_STEPS: TypeAdapter[Any] = TypeAdapter(Steps)


def clean(*steps: dict[str, Any], frame: pl.DataFrame = CARS) -> Cleaned:
    return apply_recipe(frame, _STEPS.validate_python(list(steps)))


def column(name: str, *steps: dict[str, Any], frame: pl.DataFrame = CARS) -> list[Any]:
    return clean(*steps, frame=frame).frame[name].to_list()


def test_nan_counts_as_missing() -> None:
    cleaned = clean({"kind": "drop_nulls", "columns": ["speed", "speed"]})
    assert cleaned.frame.height == 4
    assert cleaned.reports[0].missing_before == 4


@pytest.mark.parametrize(
    ("texts", "to", "expected"),
    [
        ([" 1", "2.5", "?", None, "1e999", "nan"], "number", [1, 2.5, None, None, None, None]),
        (["1", "2.0", "2.5", "9007199254740993"], "integer", [1, 2, None, 9007199254740993]),
        (["TRUE", "0", "yes"], "boolean", [True, False, None]),
        (["2024-05-17", "17.05.2024"], "date", [date(2024, 5, 17), None]),
        (
            ["2024-05-17T08:30:00Z", "2024-05-17", "x"],
            "datetime",
            [datetime(2024, 5, 17, 8, 30), datetime(2024, 5, 17), None],  # noqa: DTZ001  # naive
        ),
    ],
)
def test_text_is_cast_and_the_rest_becomes_missing(
    texts: list[str | None], to: str, expected: list[Any]
) -> None:
    step = {"kind": "cast", "columns": ["t"], "to": to, "errors": "null"}
    assert column("t", step, frame=pl.DataFrame({"t": texts})) == expected


@pytest.mark.parametrize(
    ("name", "to", "expected"),
    [
        ("power", "string", ["130", "165", None, "90", "90"]),
        ("power", "number", [130.0, 165.0, None, 90.0, 90.0]),
        ("new", "integer", [1, 0, None, 1, 1]),
        ("speed", "boolean", [None] * 5),
        ("sold", "string", [f"2024-01-0{day}" for day in (1, 2, 3, 4, 4)]),
        ("sold", "number", [None] * 5),
        ("power", "date", [None] * 5),
    ],
)
def test_typed_column_is_cast(name: str, to: str, expected: list[Any]) -> None:
    step = {"kind": "cast", "columns": [name], "to": to, "errors": "null"}
    assert column(name, step) == expected


def test_values_are_replaced_by_the_columns_own_kind() -> None:
    fuel = {"kind": "replace_values", "column": "fuel", "values": {"gas": "petrol", "diesel": None}}
    assert column("fuel", fuel) == ["petrol", None, None, "petrol", "petrol"]
    power = {"kind": "replace_values", "column": "power", "values": {"90": 90.5}}
    assert column("power", power) == [130.0, 165.0, None, 90.5, 90.5]
    sold = {"kind": "replace_values", "column": "sold", "values": {"2024-01-01": "2023-12-31"}}
    assert column("sold", sold)[0] == date(2023, 12, 31)
    new = {"kind": "replace_values", "column": "new", "values": {"true": False}}
    assert column("new", new) == [False, False, None, False, False]


@pytest.mark.parametrize(
    ("name", "fill", "expected"),
    [
        ("power", {"method": "median"}, 110),
        ("power", {"method": "mean"}, 118.75),
        ("power", {"method": "most_frequent"}, 90),
        ("power", {"method": "constant", "value": 0.5}, 0.5),
        ("fuel", {"method": "most_frequent"}, "gas"),
        ("new", {"method": "constant", "value": False}, False),
        ("speed", {"method": "median"}, 3.5),
    ],
)
def test_missing_values_are_filled(name: str, fill: dict[str, Any], expected: Any) -> None:
    at = CARS[name].fill_nan(None).is_null() if name == "speed" else CARS[name].is_null()
    filled = clean({"kind": "fill_nulls", "columns": {name: fill}}).frame[name]
    assert filled.filter(at).to_list() == [expected]
    assert filled.null_count() == 0


def test_median_near_the_largest_whole_number_makes_a_column_of_numbers() -> None:
    frame = pl.DataFrame({"n": [2**63 - 1, 2**63 - 1, None]})
    step = {"kind": "fill_nulls", "columns": {"n": {"method": "median"}}}
    assert column("n", step, frame=frame) == [2.0**63] * 3


@pytest.mark.parametrize(
    ("conditions", "match", "rows"),
    [
        ([("power", "<", 130.5)], "all", [0, 3, 4]),
        ([("power", "!=", 90)], "all", [0, 1]),
        ([("fuel", "in", ["diesel", "steam"])], "all", [2]),
        ([("fuel", "not_in", ["diesel"])], "all", [0, 3, 4]),
        ([("fuel", "is_missing", None), ("power", "is_missing", None)], "any", [1, 2]),
        ([("new", "==", True), ("sold", ">=", "2024-01-04")], "all", [3, 4]),
        ([("speed", "is_known", None), ("power", ">=", 130)], "all", [0]),
    ],
)
def test_rows_that_meet_the_conditions_stay(
    conditions: list[tuple[str, str, Any]], match: str, rows: list[int]
) -> None:
    step = {
        "kind": "filter_rows",
        "conditions": [{"column": c, "operator": o, "value": v} for c, o, v in conditions],
        "match": match,
    }
    frame = CARS.with_row_index("at")
    assert column("at", step, frame=frame) == rows


def test_columns_change_names_and_may_swap_them() -> None:
    step = {"kind": "rename", "columns": {"power": "speed", "speed": " power "}}
    assert clean(step).frame.columns == ["speed", "power", "fuel", "new", "sold"]


def test_numbers_are_clipped_also_to_fractions() -> None:
    step = {"kind": "clip", "columns": {"power": {"lower": 90.5, "upper": 150}}}
    assert column("power", step) == [130.0, 150.0, None, 90.5, 90.5]


def test_equal_rows_are_dropped_and_order_is_kept() -> None:
    assert clean({"kind": "deduplicate"}).frame.height == 4
    last = {"kind": "deduplicate", "columns": ["fuel"], "keep": "last"}
    assert column("at", last, frame=CARS.with_row_index("at")) == [1, 2, 4]


def test_rows_are_sorted_with_missing_values_last() -> None:
    keys = [{"column": "power", "descending": True}, {"column": "at", "descending": True}]
    sorted_rows = column("at", {"kind": "sort", "by": keys}, frame=CARS.with_row_index("at"))
    assert sorted_rows == [1, 0, 4, 3, 2]


def test_sample_depends_on_the_seed_alone() -> None:
    frame = pl.DataFrame({"at": range(1_000)})
    one, two = [column("at", {"kind": "sample", "rows": 50, "seed": 3}, frame=frame)] * 2
    assert one == two == sorted(one)
    assert len(set(one)) == 50
    assert one != column("at", {"kind": "sample", "share": 0.05, "seed": 4}, frame=frame)


def test_every_step_kind_says_what_it_refuses_by_name() -> None:
    absent = "nowhere"
    steps: list[dict[str, Any]] = [
        {"kind": "drop_columns", "columns": [absent]},
        {"kind": "rename", "columns": {absent: "x"}},
        {"kind": "cast", "columns": [absent], "to": "number"},
        {"kind": "replace_values", "column": absent, "values": {"a": "b"}},
        {"kind": "drop_nulls", "columns": [absent]},
        {"kind": "fill_nulls", "columns": {absent: {"method": "mean"}}},
        {"kind": "filter_rows", "conditions": [{"column": absent, "operator": "is_known"}]},
        {"kind": "clip", "columns": {absent: {"lower": 1}}},
        {"kind": "deduplicate", "columns": [absent]},
        {"kind": "sort", "by": [{"column": absent}]},
    ]
    for step in steps:
        with pytest.raises(RecipeProblem, match=f"there is no column '{absent}'"):
            clean(step)


@pytest.mark.parametrize(
    "values", [{"1e400": 1}, {str(2**70): 1}, {"x": 1}, {"1": "x"}, {"90": True}, {"1": 1, "01": 2}]
)
def test_odd_keys_and_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RecipeProblem):
        clean({"kind": "replace_values", "column": "power", "values": values})
