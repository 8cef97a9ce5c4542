"""Wishes for preprocessing that cannot be are named before anything is queued."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from backend.science.catalogue import ESTIMATORS
from backend.science.preprocessing.checks import check_preprocessing
from backend.science.spec import FitSpec
from tests.science.tables import describe

COLUMNS = describe(
    pl.DataFrame(
        {
            "x": [1.5, 2.5, None, 4.0] * 10,
            "z": [1, 2, 3, 4] * 10,
            "place": ["a", "b", "a", None] * 10,
            "day": [date(2024, 1, 1 + at % 28) for at in range(40)],
            "note": [f"word {at}" for at in range(40)],
            "holes": [None, 1.0, 2.0, 3.0] * 10,
            "y": [float(at) for at in range(40)],
        }
    )
)


def _problems(preprocessing: Any = None, **spec: Any) -> dict[str, str]:
    wanted = {"target": "y", "estimator": "ridge", "preprocessing": preprocessing or {}} | spec
    checked = FitSpec.model_validate(wanted)
    found = check_preprocessing(checked, COLUMNS, ESTIMATORS[checked.estimator], checked.task)
    return {".".join(str(part) for part in place[1:]): text for place, text in found}


@pytest.mark.parametrize(
    ("column", "wish", "field", "told"),
    [
        ("absent", {}, "", "no column 'absent'"),
        ("y", {"scale": "none"}, "", "y is no feature"),
        ("note", {"encode": "one_hot"}, "", "note is no feature"),
        ("place", {"role": "numeric"}, ".role", "place holds string values"),
        ("x", {"role": "datetime"}, ".role", "x holds number values"),
        ("x", {"role": "text"}, ".role", "a text column needs texts"),
        ("place", {"transform": "log"}, ".transform", "only numbers are transformed"),
        ("place", {"scale": "standard"}, ".scale", "are not scaled"),
        ("place", {"impute": "median"}, ".impute", "constant, drop_rows, most_frequent"),
        ("x", {"encode": "target"}, ".encode", "only categories are encoded"),
        ("x", {"role": "categorical", "transform": "sqrt"}, ".transform", "x is categorical"),
        ("day", {"transform": "log"}, ".transform", "day is datetime"),
        ("x", {"impute": "constant"}, ".fill_value", "needs the value"),
        ("x", {"impute": "constant", "fill_value": "none"}, ".fill_value", "with a number"),
        ("place", {"impute": "constant", "fill_value": 3}, ".fill_value", "with a text"),
        ("day", {"impute": "constant", "fill_value": "May"}, ".fill_value", "ISO 8601"),
        ("x", {"fill_value": 3}, ".fill_value", "Only a constant"),
        (
            "x",
            {"impute": "constant", "fill_value": 0, "transform": "log"},
            ".fill_value",
            "greater than 0",
        ),
    ],
)
def test_wish_that_does_not_go_with_its_column_is_named(
    column: str, wish: dict[str, Any], field: str, told: str
) -> None:
    problems = _problems({"columns": {column: wish}})
    assert list(problems) == [f"preprocessing.columns.{column}{field}"]
    assert told in next(iter(problems.values()))


@pytest.mark.parametrize(
    "wish",
    [
        {"x": {"transform": "log", "scale": "robust", "impute": "mean"}},
        {"x": {"role": "categorical", "encode": "ordinal", "scale": "minmax"}},
        {"x": {"impute": "constant", "fill_value": 2}},
        {"place": {"encode": "target", "scale": "standard", "impute": "drop_rows"}},
        {"day": {"impute": "constant", "fill_value": "2024-05-01", "scale": "none"}},
        {"day": {"role": "numeric"}},
    ],
)
def test_wish_that_goes_with_its_column_passes(wish: dict[str, Any]) -> None:
    assert _problems({"columns": wish}) == {}


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([{"kind": "polynomial", "columns": ["absent"]}], "no column 'absent'"),
        ([{"kind": "polynomial", "columns": ["place"]}], "place is categorical"),
        ([{"kind": "spline", "columns": ["day"]}], "day is datetime"),
        ([{"kind": "interactions", "columns": ["x", "day"]}], "take numbers and categories"),
        ([{"kind": "spline", "columns": ["x", "x"]}], "named twice"),
        ([{"kind": "spline", "columns": ["x"]}] * 2, "has a spline already"),
        (
            [
                {"kind": "polynomial", "columns": ["x", "z"]},
                {"kind": "interactions", "columns": ["z", "x"]},
            ],
            "makes x times z already",
        ),
    ],
)
def test_feature_step_that_cannot_be_is_named(steps: list[Any], told: str) -> None:
    problems = _problems({"features": steps})
    assert list(problems) == [f"preprocessing.features.{len(steps) - 1}.columns"]
    assert told in next(iter(problems.values()))


def test_too_many_made_features_are_counted() -> None:
    names = [f"n{at}" for at in range(20)]
    columns = describe(pl.DataFrame({name: [0.5, 1.5, 2.5] for name in [*names, "y"]}))
    spec = FitSpec.model_validate(
        {
            "target": "y",
            "estimator": "ridge",
            "preprocessing": {"features": [{"kind": "polynomial", "columns": names, "degree": 4}]},
        }
    )
    [(place, text)] = check_preprocessing(spec, columns, ESTIMATORS["ridge"])
    assert place == ["body", "preprocessing", "features"]
    assert "make 10,605 features; at most 5,000" in text


@pytest.mark.parametrize(
    ("spec", "field", "told"),
    [
        ({"weights": "absent"}, "weights", "no column 'absent'"),
        ({"weights": "y"}, "weights", "target cannot hold"),
        ({"weights": "place"}, "weights", "weights are numbers"),
        ({"weights": "holes"}, "weights", "10 are missing"),
        ({"weights": "z", "features": ["x", "z"]}, "weights", "z is a feature"),
        ({"weights": "z", "estimator": "k_nearest_neighbors"}, "weights", "takes no weights"),
        ({"class_weight": "balanced", "task": "regression"}, "class_weight", "has no classes"),
        (
            {"class_weight": "balanced", "estimator": "k_nearest_neighbors", "target": "place"},
            "class_weight",
            "takes no weights",
        ),
        ({"class_weight": {"a": -1}, "target": "place"}, "class_weight.a", "0 or greater"),
        ({"target_transform": "log", "task": "binary"}, "target_transform", "as classes"),
    ],
)
def test_weights_and_transforms_of_the_target_are_checked(
    spec: dict[str, Any], field: str, told: str
) -> None:
    problems = _problems(**spec)
    assert list(problems) == [field]
    assert told in problems[field]


def test_column_of_weights_is_no_feature_by_itself() -> None:
    problems = _problems({"columns": {"z": {"scale": "none"}}}, weights="z")
    assert list(problems) == ["preprocessing.columns.z"]
