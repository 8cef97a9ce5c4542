"""Steps that add, keep, parse, bound and join columns, and the roles they carry."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from backend.science.recipes.apply import Cleaned, apply_recipe
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.steps import Steps

CARS = pl.DataFrame(
    {
        "power": [130, 165, None, 90],
        "speed": [1.5, 2.0, 3.0, 4.0],
        "fuel": ["gas", None, "diesel", "gas"],
        "sold": [date(2024, 1, 6), date(2024, 12, 31), None, date(2023, 4, 4)],
    }
)
FUELS = pl.DataFrame({"name": ["diesel", "gas"], "Speed": [7.5, 8.5], "code": [1, 2]})
_STEPS: TypeAdapter[Any] = TypeAdapter(Steps)


def clean(*steps: dict[str, Any], frame: pl.DataFrame = CARS, **options: Any) -> Cleaned:
    return apply_recipe(frame, _STEPS.validate_python(list(steps)), **options)


def refusal(*steps: dict[str, Any], frame: pl.DataFrame = CARS, **options: Any) -> RecipeProblem:
    with pytest.raises(RecipeProblem) as problem:
        clean(*steps, frame=frame, **options)
    return problem.value


def test_kept_columns_take_the_order_of_the_list() -> None:
    step = {"kind": "keep_columns", "columns": ["sold", "power", "sold"]}
    assert clean(step).frame.columns == ["sold", "power"]


def test_decimal_commas_become_numbers_and_points_among_them_are_refused() -> None:
    frame = pl.DataFrame({"t": ["1,5", " -2 ", "1.234,5", "1.234"]})
    step = {"kind": "cast", "columns": ["t"], "to": "number", "decimal": ",", "errors": "null"}
    assert clean(step, frame=frame).frame["t"].to_list() == [1.5, -2, None, None]


def test_dates_are_parsed_by_the_first_format_that_fits() -> None:
    frame = pl.DataFrame({"t": ["01.02.2024", "2024/3/5", "?", None]})
    step = {
        "kind": "parse_dates",
        "columns": ["t"],
        "formats": ["%d.%m.%Y", "%Y/%m/%d"],
        "errors": "null",
    }
    found = clean(step, frame=frame).frame["t"].to_list()
    assert found == [date(2024, 2, 1), date(2024, 3, 5), None, None]
    said = refusal({**step, "errors": "refuse"}, frame=frame)
    assert str(said) == "Step 1: t: 1 of 3 values are not dates of this format: '?'."


def test_times_are_parsed_with_half_days() -> None:
    frame = pl.DataFrame({"t": ["1/31/2024 2:05 PM", "2/1/2024"]})
    formats = ["%m/%d/%Y %I:%M %p", "%m/%d/%Y"]
    step = {"kind": "parse_dates", "columns": ["t"], "formats": formats}
    found = clean(step, frame=frame).frame["t"].to_list()
    assert found == [datetime(2024, 1, 31, 14, 5), datetime(2024, 2, 1)]  # noqa: DTZ001  # naive


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("%d.%m.%Y", ["1.2.2024", "01.02.24"]),
        ("%Y-%m-%d", ["2024-2-1", "24-02-01"]),
        ("%Y%m%d", ["20240201", "240201"]),
        ("%d. %m.%Y", ["1.  2.2024", "1. 2.+2024"]),
        ("%d.%m.%y", ["1.2.24", "1.2.4"]),
        ("%d/%m/%Y %H:%M:%S%.f", ["1/2/2024 00:00:00.0000", "1/2/24 00:00:00.2024"]),
    ],
)
def test_years_have_all_digits_that_the_format_asks_for(pattern: str, texts: list[str]) -> None:
    frame = pl.DataFrame({"t": texts})
    step = {"kind": "parse_dates", "columns": ["t"], "formats": [pattern], "errors": "null"}
    found = clean(step, frame=frame).frame["t"].cast(pl.Date).to_list()
    assert found == [date(2024, 2, 1), None]


@pytest.mark.parametrize("to", ["date", "datetime"])
def test_text_with_a_short_year_is_no_date(to: str) -> None:
    frame = pl.DataFrame({"t": ["24-02-01", "24-02-01T10:00:00", "2024-02-01"]})
    made = clean({"kind": "cast", "columns": ["t"], "to": to, "errors": "null"}, frame=frame)
    assert made.frame["t"].cast(pl.Date).to_list() == [None, None, date(2024, 2, 1)]


@pytest.mark.parametrize("pattern", ["%d.%m", "%Y-%m-%d %H", "%Q", "%Y%Y%m%d", "%Y-%m-%d %z", ""])
def test_odd_formats_are_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        clean({"kind": "parse_dates", "columns": ["fuel"], "formats": [pattern]})


def test_rows_are_filtered_by_an_expression() -> None:
    step = {"kind": "filter_rows", "expression": "power > 100 or fuel == 'diesel'"}
    assert clean(step).frame["speed"].to_list() == [1.5, 2.0, 3.0]
    number = refusal({"kind": "filter_rows", "expression": "power + 1"})
    assert number.blames[0].field == ("expression",)
    with pytest.raises(ValidationError, match="either `conditions` or `expression`"):
        clean({"kind": "filter_rows"})


def test_column_is_derived_or_replaced_in_its_place() -> None:
    made = clean(
        {"kind": "derive", "name": "ratio", "expression": "power / speed"},
        {"kind": "derive", "name": "speed", "expression": "round(speed * 2)"},
        {"kind": "derive", "name": "big", "expression": "power * 9007199254740991"},
        {"kind": "derive", "name": "one", "expression": "1"},
    ).frame
    assert made.columns == [*CARS.columns, "ratio", "big", "one"]
    assert made["ratio"].to_list() == [130 / 1.5, 82.5, None, 22.5]
    assert made["speed"].to_list() == [3, 4, 6, 8]
    # Beyond what double precision holds exactly, whole numbers stay approximate.
    assert [made[name].dtype for name in ("speed", "big", "one")] == [
        pl.Int64,
        pl.Float64,
        pl.Int64,
    ]


def test_names_that_look_alike_are_refused() -> None:
    said = refusal({"kind": "derive", "name": "POWER", "expression": "1"})
    assert said.blames[0].field == ("name",)
    assert "stands twice" in str(said)
    twice = {"kind": "polynomial", "columns": ["power"], "degree": 2}
    assert "stands twice" in str(refusal(twice, twice))


def test_parts_of_dates_products_and_powers_become_columns() -> None:
    made = clean(
        {"kind": "date_parts", "columns": ["sold"], "parts": ["quarter", "is_weekend"]},
        {"kind": "interactions", "columns": ["power", "speed", "sold_quarter"]},
        {"kind": "polynomial", "columns": ["power"], "degree": 3},
    ).frame
    assert made["sold_quarter"].to_list() == [1, 4, None, 2]
    assert made["sold_is_weekend"].to_list() == [True, False, None, False]
    assert made.columns[6:] == [
        "power_x_speed",
        "power_x_sold_quarter",
        "speed_x_sold_quarter",
        "power_pow2",
        "power_pow3",
    ]
    assert made["power_pow3"].to_list() == [130**3, 165**3, None, 90**3]
    hours = {"kind": "date_parts", "columns": ["sold"], "parts": ["year", "hour"]}
    assert refusal(hours).blames[0].field == ("parts", 1)


def test_tails_are_moved_onto_the_quantiles() -> None:
    frame = pl.DataFrame({"n": [0, *range(50, 149), 1_000]})
    step = {"kind": "winsorise", "columns": ["n"], "lower": 0.05, "upper": 0.95}
    found = clean(step, frame=frame).frame["n"]
    assert (found.min(), found.max()) == (54, 144)
    assert found.dtype == pl.Int64
    assert refusal({"kind": "winsorise", "columns": ["fuel"]}).blames[0].field == ("columns", 0)


JOIN = {"kind": "join", "dataset_id": 5, "version": 2, "on": {"fuel": "name"}}


def joined(*steps: dict[str, Any], other: pl.DataFrame = FUELS) -> Cleaned:
    return clean(*steps, others={(5, 2): other})


def test_columns_of_another_table_are_joined_in_the_order_of_the_rows() -> None:
    made = joined(JOIN).frame
    assert made.columns == [*CARS.columns, "Speed_right", "code"]
    assert made["code"].to_list() == [2, None, 1, 2]
    inner = joined({**JOIN, "how": "inner", "columns": ["code"]}).frame
    assert inner["code"].to_list() == [2, 1, 2]
    assert inner.columns == [*CARS.columns, "code"]


def test_repeated_keys_are_refused_unless_they_are_wanted() -> None:
    twice = pl.concat([FUELS, FUELS.head(1)])
    with pytest.raises(RecipeProblem, match="such as diesel") as said:
        joined(JOIN, other=twice)
    assert said.value.blames[0].field == ("many",)
    assert joined({**JOIN, "many": True}, other=twice).frame.height == 5


def test_join_that_would_explode_is_refused_before_it_is_made() -> None:
    frame = pl.DataFrame({"k": [1] * 2_000})
    step = {**JOIN, "on": {"k": "k"}, "many": True}
    steps = _STEPS.validate_python([step])
    with pytest.raises(RecipeProblem, match="4,000,000 rows would come of 2,000"):
        apply_recipe(frame, steps, others={(5, 2): frame})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"on": {"nope": "name"}}, ("on", "nope")),
        ({"on": {"fuel": "nope"}}, ("on", "fuel")),
        ({"on": {"power": "name"}}, ("on", "power")),
        ({"columns": ["code", "nope"]}, ("columns", 1)),
    ],
)
def test_join_that_does_not_fit_is_refused_by_place(
    changes: dict[str, Any], field: tuple[str | int, ...]
) -> None:
    with pytest.raises(RecipeProblem) as said:
        joined({**JOIN, **changes})
    assert said.value.blames[0].field == field


def test_given_roles_follow_their_columns() -> None:
    given = {"kind": "set_role", "columns": {"power": "categorical", "fuel": "id"}}
    cleaned = clean(
        given,
        {"kind": "rename", "columns": {"power": "ps"}},
        {"kind": "drop_columns", "columns": ["sold"]},
        {"kind": "set_role", "columns": {"fuel": None}},
        roles={"sold": "datetime", "speed": "id"},
    )
    assert cleaned.roles == {"ps": "categorical", "speed": "id"}
    # Another type is another thing; what was said of the old one does not hold.
    assert clean(given, {"kind": "cast", "columns": ["fuel"], "to": "string"}).roles == {
        "power": "categorical"
    }
    said = refusal({"kind": "set_role", "columns": {"fuel": "numeric", "nope": "id"}})
    assert [blame.field for blame in said.blames] == [("columns", "fuel"), ("columns", "nope")]


def test_names_that_polars_reads_as_patterns_mean_themselves() -> None:
    frame = pl.DataFrame({"^a.*$": [2, 1, None], "ab": [1, None, 3], "*": [1, 1, 1]})
    one = clean({"kind": "drop_columns", "columns": ["*"]}, frame=frame).frame
    assert one.columns == ["^a.*$", "ab"]
    two = clean(
        {"kind": "drop_nulls", "columns": ["^a.*$"]},
        {"kind": "sort", "by": [{"column": "^a.*$"}]},
        {"kind": "derive", "name": "*", "expression": "`^a.*$` + `*`"},
        frame=frame,
    ).frame
    assert two["*"].to_list() == [2, 3]


def test_dry_run_shows_the_first_rows_that_differ() -> None:
    steps: list[dict[str, Any]] = [
        {"kind": "fill_nulls", "columns": {"power": {"method": "median"}}},
        {"kind": "filter_rows", "expression": "speed < 4"},
        {"kind": "derive", "name": "twice", "expression": "speed * 2"},
        {"kind": "sort", "by": [{"column": "speed"}]},
        {**JOIN, "columns": ["code"], "many": True},
    ]
    other = pl.concat([FUELS, FUELS])
    cleaned = clean(*steps, others={(5, 2): other}, show_changes=True)
    assert cleaned.frame.equals(clean(*steps, others={(5, 2): other}).frame)
    filled, filtered, derived, ordered, repeated = (
        [(one.row, one.kind, one.before, one.after) for one in report.first_changes]
        for report in cleaned.reports
    )
    assert filled == [(2, "changed", {"power": None}, {"power": 130})]
    whole = {"power": 90, "speed": 4.0, "fuel": "gas", "sold": "2023-04-04"}
    assert filtered == [(3, "dropped", whole, {})]
    assert derived[0] == (0, "changed", {}, {"twice": 3.0})
    assert ordered == []
    assert [kind for _, kind, _, _ in repeated] == [
        "added",
        "added",
        "changed",
        "changed",
        "changed",
    ]
    assert cleaned.reports[2].columns_added == ["twice"]
