"""Columns become features by their role and by what the fit asks for."""

import pickle
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import InputColumn
from backend.science.fit import FitResult, fit
from backend.science.frames import feature_frame, input_columns
from backend.science.pipeline import build_pipeline
from backend.science.refusal import FitRefused
from backend.science.spec import FitSpec, Task
from tests.science.tables import describe, sample

ROWS = 60


def table() -> pl.DataFrame:
    """A column of each role, with gaps, and a target of each task."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=ROWS)
    days = [date(2019, 11, 4) + timedelta(days=11 * at) for at in range(ROWS)]
    words = ["quick brown fox", "lazy dog", "brown dog sleeps", "quick jump"]
    return pl.DataFrame(
        {
            "x": [None if at % 9 == 0 else float(v) for at, v in enumerate(x)],
            "size": generator.lognormal(3, 1, ROWS),
            "code": generator.integers(0, 4, ROWS),
            "place": [None if at % 7 == 0 else "abc"[at % 3] for at in range(ROWS)],
            "day": [None if at % 11 == 0 else day for at, day in enumerate(days)],
            "note": [None if at % 10 == 0 else words[at % 4] for at in range(ROWS)],
            "y": 2 * x + generator.normal(size=ROWS),
            "kind": ["pq"[at % 2] for at in range(ROWS)],
        }
    )


def fitted(frame: pl.DataFrame, **spec: Any) -> FitResult:
    data = sample(frame)
    return fit(FitSpec(**spec), data.table, data.columns)


def features(
    wishes: Mapping[str, Any], *names: str, estimator: str = "ridge", target: str = "y"
) -> tuple[dict[str, npt.NDArray[np.float64]], Any]:
    """The features made of some columns of the table, by name, and the fitted pipeline."""
    frame = table()
    described = [c for c in describe(frame) if c.name in names]
    spec = FitSpec.model_validate(
        {"target": target, "estimator": estimator, "preprocessing": wishes}
    )
    rows = feature_frame(frame.to_arrow(), described)
    inputs = input_columns(rows, described, spec.preprocessing)
    task: Task = "regression" if target == "y" else "binary"
    pipeline = build_pipeline(ESTIMATORS[estimator], spec, task, inputs)
    pipeline.fit(rows, frame[target].to_numpy())
    made = np.asarray(pipeline[0].transform(rows))
    named = pipeline[0].get_feature_names_out()
    assert made.shape == (ROWS, len(named))
    return {str(name): made[:, at] for at, name in enumerate(named)}, pipeline


def test_each_role_becomes_its_features() -> None:
    made, _ = features({}, "x", "size", "code", "place", "day")
    assert list(made) == [
        *("x", "size", "code", "missingindicator_x"),
        *("place_a", "place_b", "place_c"),
        *("missingindicator_place_False", "missingindicator_place_True"),
        *("day: days", "day: year", "day: month", "day: day", "day: weekday"),
        "missingindicator_day",
    ]
    assert made["x"].std() == pytest.approx(1)


def test_date_is_expanded_into_its_calendar() -> None:
    made, _ = features({}, "day", estimator="random_forest")
    days = table()["day"].to_list()
    known = [at for at, day in enumerate(days) if day is not None]
    assert [
        (made["day: year"][at], made["day: month"][at], made["day: day"][at]) for at in known
    ] == [(days[at].year, days[at].month, days[at].day) for at in known]
    assert [made["day: weekday"][at] for at in known] == [days[at].weekday() for at in known]
    assert [made["day: days"][at] for at in known] == [
        (days[at] - date(1970, 1, 1)).days for at in known
    ]
    assert made["missingindicator_day"].sum() == ROWS - len(known)


def test_calendar_fields_that_never_vary_are_left_out() -> None:
    start = datetime(2024, 5, 1, 8)  # noqa: DTZ001  # as tables have them
    moments = [start + timedelta(hours=at) for at in range(12)]
    frame = pl.DataFrame({"at": moments, "y": np.arange(12.0)})
    described = [c for c in describe(frame) if c.name == "at"]
    rows = feature_frame(frame.to_arrow(), described)
    spec = FitSpec(target="y", estimator="ridge")
    inputs = input_columns(rows, described)
    pipeline = build_pipeline(ESTIMATORS["ridge"], spec, "regression", inputs)
    pipeline.fit(rows, frame["y"].to_numpy())
    assert list(pipeline[0].get_feature_names_out()) == ["at: days", "at: hour"]


def test_numbers_of_the_role_categorical_are_categories() -> None:
    made, _ = features({"columns": {"code": {"role": "categorical"}}}, "code")
    assert list(made) == ["code_0.0", "code_1.0", "code_2.0", "code_3.0"]
    assert np.array_equal(made["code_2.0"], (table()["code"] == 2).to_numpy())


def test_date_of_the_role_numeric_is_one_number() -> None:
    made, _ = features({"columns": {"day": {"role": "numeric"}}}, "day")
    assert list(made) == ["day", "missingindicator_day"]


def test_text_that_is_chosen_becomes_weights_of_its_words() -> None:
    made, _ = features({"columns": {"note": {"role": "text"}}}, "note")
    assert [name.removeprefix("word 1 of note: ") for name in made] == [
        *("brown", "dog", "fox", "jump", "lazy", "quick", "sleeps")
    ]
    weights = np.column_stack(list(made.values()))
    assert np.allclose((weights**2).sum(axis=1), table()["note"].is_not_null())


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"transform": "log", "scale": "none"}, np.log),
        ({"transform": "sqrt", "scale": "none"}, np.sqrt),
        ({"scale": "minmax"}, lambda v: (v - v.min()) / (v.max() - v.min())),
        (
            {"scale": "robust"},
            lambda v: (v - np.median(v)) / np.subtract(*np.percentile(v, [75, 25])),
        ),
        ({"scale": "none"}, lambda v: v),
    ],
)
def test_transforms_and_scales_do_what_they_are_called(wish: Any, expected: Any) -> None:
    made, _ = features({"columns": {"size": wish}}, "size", "x")
    assert np.allclose(made["size"], expected(table()["size"].to_numpy()), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:n_quantiles")  # fewer rows than quantiles: as many as rows
@pytest.mark.parametrize("transform", ["yeo_johnson", "quantile"])
def test_skewed_numbers_are_made_symmetric(transform: str) -> None:
    made, _ = features({"columns": {"size": {"transform": transform}}}, "size")
    values = made["size"]
    assert abs(((values - values.mean()) ** 3).mean() / values.std() ** 3) < 0.3


@pytest.mark.parametrize(
    ("wish", "filled"),
    [
        ({"impute": "constant", "fill_value": -5}, -5.0),
        ({"impute": "mean"}, table()["x"].mean()),
        ({"impute": "median"}, table()["x"].median()),
    ],
)
def test_missing_numbers_are_filled_as_asked(wish: Any, filled: float) -> None:
    made, _ = features({"columns": {"x": wish | {"scale": "none"}}}, "x")
    assert np.allclose(made["x"][table()["x"].is_null().to_numpy()], filled)


def test_missing_category_may_be_one_of_its_own() -> None:
    wishes = {
        "columns": {"place": {"impute": "constant", "fill_value": "nowhere"}},
        "missing_indicators": False,
    }
    made, _ = features(wishes, "place")
    assert list(made) == ["place_a", "place_b", "place_c", "place_nowhere"]
    assert made["place_nowhere"].sum() == table()["place"].null_count()


def test_rare_categories_share_one_feature() -> None:
    made, _ = features({"max_categories": 2}, "place")
    assert [name for name in made if "missing" not in name] == [
        *("place_a", "place_infrequent_sklearn")
    ]


def test_ordinal_encoding_counts_categories() -> None:
    wishes = {"columns": {"place": {"encode": "ordinal", "scale": "none"}}}
    made, _ = features(wishes | {"missing_indicators": False}, "place")
    known = table()["place"].is_not_null().to_numpy()
    places = table()["place"].to_list()
    assert made["place"][known].tolist() == ["abc".index(p) for p in places if p is not None]


def test_polynomials_and_interactions_are_products_of_the_columns() -> None:
    steps = [
        {"kind": "polynomial", "columns": ["x", "size"], "degree": 3},
        {"kind": "interactions", "columns": ["code", "place"]},
    ]
    made, _ = features({"features": steps}, "x", "size", "code", "place", estimator="random_forest")
    assert {"x^2", "x size", "size^2", "x^3", "x^2 size", "x size^2", "size^3"} < set(made)
    assert np.allclose(made["x^2 size"], made["x"] ** 2 * made["size"])
    assert np.allclose(made["code place_b"], made["code"] * made["place_b"])
    # A row has one place, so products of two places are zero and left out.
    assert "place_a place_b" not in made


def test_spline_stands_for_its_column() -> None:
    steps = [{"kind": "spline", "columns": ["x"], "knots": 4, "degree": 3}]
    made, pipeline = features({"features": steps}, "x", "size", estimator="random_forest")
    assert list(made) == ["size", *(f"x_sp_{at}" for at in range(5)), "missingindicator_x"]
    knots = pipeline[0].named_transformers_["spline"]["make"].bsplines_[0].t[3:-3]
    filled = table()["x"].fill_null(table()["x"].median()).to_numpy()
    assert np.allclose(knots, np.quantile(filled, [0, 1 / 3, 2 / 3, 1]))


def test_pipeline_of_everything_loads_without_this_package() -> None:
    wishes = {
        "columns": {
            "note": {"role": "text"},
            "size": {"transform": "log"},
            "place": {"encode": "target"},
        },
        "features": [{"kind": "polynomial", "columns": ["x", "size"]}],
    }
    _, pipeline = features(wishes, "x", "size", "code", "place", "day", "note")
    modules = {
        type(part).__module__.partition(".")[0]
        for part in pipeline.get_params(deep=True).values()
        if hasattr(part, "fit")
    }
    assert modules == {"sklearn"}
    assert b"backend" not in pickle.dumps(pipeline)


def test_rows_with_gaps_are_left_out_where_asked() -> None:
    wishes = {"columns": {"x": {"impute": "drop_rows"}, "place": {"impute": "drop_rows"}}}
    found = fitted(table(), target="y", estimator="ridge", preprocessing=wishes)
    lost = table().filter(pl.col("x").is_null() | pl.col("place").is_null()).height
    assert f"Left out for want of x, place: {lost} rows." in found.warnings
    assert found.validated.holdout is not None
    assert found.rows_used + len(found.validated.holdout.rows) == ROWS - lost


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"columns": {"x": {"transform": "log"}}}, "x must be greater than 0"),
        ({"columns": {"x": {"transform": "sqrt"}}}, "x must be 0 or greater"),
        (
            {"features": [{"kind": "polynomial", "columns": ["size"], "degree": 10}]},
            "size holds values beyond",
        ),
    ],
)
def test_numbers_that_the_arithmetic_cannot_take_are_refused(wishes: Any, told: str) -> None:
    frame = table().with_columns(pl.col("size") * 1_000)
    with pytest.raises(FitRefused, match=told):
        fitted(frame, target="y", estimator="ridge", preprocessing=wishes)


def test_too_many_made_features_are_refused_with_their_number() -> None:
    frame = table().with_columns(
        pl.Series("left", [f"l{at % 50}" for at in range(ROWS)]),
        pl.Series("right", [f"r{at % 55}" for at in range(ROWS)]),
    )
    wishes = {
        "columns": {name: {"role": "categorical"} for name in ("left", "right")},
        "max_categories": 60,
        "features": [{"kind": "interactions", "columns": ["left", "right"]}],
    }
    with pytest.raises(FitRefused, match="make 5,460 features; at most 5,000"):
        fitted(
            frame,
            target="y",
            features=("left", "right"),
            estimator="ridge",
            preprocessing=wishes,
        )


def test_text_without_words_is_refused() -> None:
    frame = table().with_columns(note=pl.Series(["-", "!", "?"] * 20))
    wishes = {"columns": {"note": {"role": "text"}}}
    with pytest.raises(FitRefused, match="note is a text without any words"):
        fitted(frame, target="y", features=("note",), estimator="ridge", preprocessing=wishes)


@pytest.mark.parametrize("transform", ["log", "quantile"])
def test_mark_of_missing_values_does_not_go_through_a_transform(transform: str) -> None:
    wishes = {"columns": {"size": {"transform": transform}}}
    frame = table().with_columns(
        size=pl.when(pl.int_range(ROWS) % 8 == 0).then(None).otherwise(pl.col("size"))
    )
    result = fitted(frame, target="y", estimator="ridge", features=["size"], preprocessing=wishes)
    made = result.pipeline[:-1].transform(feature_frame(frame.to_arrow(), describe(frame)))
    assert made[:, 1].tolist() == [float(at % 8 == 0) for at in range(ROWS)]
    assert np.isfinite(made).all()


def test_date_that_stands_still_where_something_is_learnt_is_a_number() -> None:
    frame = table().with_columns(
        day=pl.Series(
            [date(2020, 1, 1) if at < ROWS // 2 else date(2021, 5, 3) for at in range(ROWS)]
        ),
        half=pl.Series(["early" if at < ROWS // 2 else "late" for at in range(ROWS)]),
    )
    result = fitted(
        frame,
        target="y",
        estimator="ridge",
        features=["x", "day"],
        validation={"kind": "group", "column": "half", "folds": 2},
    )
    roles = [one.treated_as for one in result.inputs if isinstance(one, InputColumn)]
    assert roles == ["numeric", "numeric"]


def test_feature_step_without_any_variation_is_refused_with_a_reason() -> None:
    frame = table().with_columns(pl.lit("same").alias("place"), pl.lit("one").alias("kind"))
    with pytest.raises(FitRefused, match="makes nothing that varies"):
        fitted(
            frame,
            target="y",
            estimator="ridge",
            features=["x", "place", "kind"],
            preprocessing={"features": [{"kind": "interactions", "columns": ["place", "kind"]}]},
        )


def test_class_with_too_few_rows_for_its_shape_is_refused_with_a_reason() -> None:
    generator = np.random.default_rng(0)
    names = [f"x{at}" for at in range(9)]
    frame = pl.DataFrame(generator.normal(size=(20, 9)), schema=names).with_columns(
        kind=pl.Series([*"ab" * 7, *"cccddd"])
    )
    with pytest.raises(FitRefused, match="a class has too few of them"):
        fitted(frame, target="kind", estimator="quadratic_discriminant_analysis", features=names)
