"""What a fit uses, leaves out, refuses and reports."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import metrics as sk

from backend.science.fit import FitResult, describe_inputs, fit
from backend.science.predict import make_ready, predict
from backend.science.refusal import FitRefused
from backend.science.spec import FitSpec
from tests.science.tables import Sample, mixed, penguins, sample


def run(data: Sample, **spec: Any) -> FitResult:
    request = FitSpec.model_validate({"estimator": "ridge", **spec})
    return fit(request, data.table, data.columns, on_progress=lambda _share, _text: None)


def test_penguin_with_a_short_bill_and_flipper_is_adelie() -> None:
    result = run(
        penguins(),
        estimator="k_nearest_neighbors",
        params={"n_neighbors": 11},
        target="species",
        features=("bill_length_mm", "flipper_length_mm"),
    )
    frame = pl.DataFrame({"bill_length_mm": [40.3], "flipper_length_mm": [195.0]}).to_pandas()
    assert result.pipeline.predict(frame).tolist() == ["Adelie"]


def test_metrics_are_scikit_learns_for_the_stored_predictions() -> None:
    result = run(penguins(), target="body_mass_g")
    assert result.holdout is not None
    observed, predicted = result.holdout.observed, result.holdout.predicted
    assert result.metrics["r2"] == sk.r2_score(observed, predicted)
    assert result.metrics["rmse"] == pytest.approx(np.sqrt(np.mean((observed - predicted) ** 2)))
    assert result.metrics["mae"] == sk.mean_absolute_error(observed, predicted)
    forest = run(penguins(), target="species", estimator="random_forest")
    assert forest.holdout is not None
    assert forest.metrics["accuracy"] == sk.accuracy_score(
        forest.holdout.observed, forest.holdout.predicted
    )
    assert {"log_loss", "roc_auc"} <= set(forest.metrics)


def test_hold_out_rows_are_those_of_the_file_and_unseen() -> None:
    data = penguins()
    result = run(data, target="body_mass_g")
    assert result.holdout is not None
    stored = data.table.column("body_mass_g").to_pylist()
    held = [stored[row] for row in result.holdout.rows.tolist()]
    assert held == result.holdout.observed.tolist()
    assert result.rows_used + len(held) + result.rows_dropped == 344


def test_nothing_of_the_hold_out_leaks_into_preparation() -> None:
    """Medians and scales must be those of the training rows: the others are far away."""
    frame = mixed(200).with_row_index("position")
    spec = {"target": "amount", "features": ("x", "z"), "seed": 1}
    held = run(sample(frame), **spec).holdout
    assert held is not None
    far = frame.with_columns(
        pl.when(pl.col("position").is_in(held.rows.tolist()))
        .then(pl.col("z") + 1e6)
        .otherwise(pl.col("z"))
        .alias("z")
    )
    near_fit, far_fit = run(sample(frame), **spec), run(sample(far), **spec)
    coefficients = [result.pipeline[-1].coef_.tolist() for result in (near_fit, far_fit)]
    assert coefficients[0] == coefficients[1]


def test_identifiers_constants_and_free_text_are_left_out_with_a_reason() -> None:
    frame = mixed().with_columns(
        key=pl.int_range(1, 121),
        same=pl.lit("always"),
        note=pl.Series([f"note {i % 90}" for i in range(120)]),
    )
    result = run(sample(frame), target="amount")
    reasons = {entry["column"]: entry["reason"] for entry in result.excluded}
    assert set(reasons) == {"key", "same", "note"}
    assert all(reasons.values())
    chosen = run(sample(frame), target="amount", features=("note", "z"))
    assert [column.name for column in chosen.inputs] == ["note", "z"]


@pytest.mark.parametrize(
    ("frame", "spec", "words", "column"),
    [
        (mixed(8), {"target": "amount"}, "too few", None),
        (mixed().with_columns(amount=1.0), {"target": "amount"}, "same value", "amount"),
        (mixed(), {"target": "sign", "task": "regression"}, "needs numbers", "sign"),
        (mixed(), {"target": "third", "task": "binary"}, "3 classes", "third"),
        (mixed(), {"target": "nothing"}, "no column", "nothing"),
        (mixed(), {"target": "amount", "features": ("amount",)}, "cannot be a feature", "amount"),
        (mixed(), {"target": "amount", "features": ("nothing",)}, "no column", "nothing"),
        (mixed().select("amount"), {"target": "amount"}, "No column is left", None),
        (
            mixed().with_columns(x=pl.lit(float("inf"))),
            {"target": "amount", "features": ("x",)},
            "infinite",
            "x",
        ),
        (
            mixed(400).with_columns(many=pl.Series([f"c{i % 150}" for i in range(400)])),
            {"target": "many"},
            "at most 100 classes",
            "many",
        ),
        (mixed(), {"target": "sign", "estimator": "ordinary_least_squares"}, "does not do", "sign"),
        (mixed(), {"target": "amount", "features": ()}, "No feature", None),
        (mixed(), {"target": "amount", "task": "multiclass"}, "fractions", "amount"),
        (
            mixed().with_columns(pl.col("z") * 1e200),
            {"target": "amount", "features": ("z",)},
            "beyond 1e+38",
            "z",
        ),
        (mixed().with_columns(pl.col("amount") * 1e200), {"target": "amount"}, "beyond", "amount"),
        (
            mixed().sort("sign", descending=True),
            {
                "target": "sign",
                "validation": {"kind": "holdout", "test_size": 0.5, "shuffle": False},
            },
            "one class of sign only",
            "sign",
        ),
        (
            mixed(),
            {
                "target": "amount",
                "estimator": "k_nearest_neighbors",
                "params": {"n_neighbors": 97},
            },
            "only 96 rows",
            None,
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(
    frame: pl.DataFrame, spec: dict[str, Any], words: str, column: str | None
) -> None:
    with pytest.raises(FitRefused) as caught:
        run(sample(frame), **spec)
    assert words in str(caught.value)
    assert caught.value.column == column


def test_rare_class_gives_up_balance_and_says_so() -> None:
    kinds = ["a"] * 60 + ["b"] * 59 + ["c"]
    result = run(sample(mixed().with_columns(kind=pl.Series(kinds))), target="kind")
    assert any("not balanced" in text for text in result.warnings)


def test_class_without_training_rows_leaves_out_what_it_does_not_define() -> None:
    frame = mixed().with_columns(kind=pl.Series(["a"] * 60 + ["b"] * 45 + ["c"] * 15))
    validation = {"kind": "holdout", "test_size": 0.2, "shuffle": False}
    result = run(
        sample(frame), target="kind", estimator="random_forest", validation=validation, seed=1
    )
    assert {"accuracy", "f1_macro"} <= set(result.metrics)
    assert not {"log_loss", "roc_auc"} & set(result.metrics)
    text = " ".join(result.warnings)
    assert "the class c of kind" in text
    assert "Log loss, Area under the ROC curve" in text


def test_metric_that_one_row_does_not_define_is_left_out_with_a_warning() -> None:
    result = run(
        sample(mixed(12)), target="amount", validation={"kind": "holdout", "test_size": 0.05}
    )
    assert set(result.metrics) == {"rmse", "mae", "median_absolute_error"}
    assert "Not defined for these hold-out rows: R²." in result.warnings


def test_not_a_number_is_a_missing_target() -> None:
    frame = mixed().with_columns(
        amount=pl.Series([float("nan")] * 5 + [float(i) for i in range(115)])
    )
    result = run(sample(frame), target="amount")
    assert (result.rows_dropped, result.task) == (5, "regression")


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0.0, 1.0], "binary", [0, 1]),
        ([0.25, 0.75], "regression", None),
        ([3, 8], "binary", [3, 8]),
    ],
)
def test_two_numbers_are_classes_where_they_are_whole(
    values: list[float], task: str, classes: list[int] | None
) -> None:
    frame = mixed().with_columns(pair=pl.Series(values * 60))
    result = run(sample(frame), target="pair", features=("x", "z"))
    assert (result.task, result.classes) == (task, classes)


def test_missing_category_is_known_to_the_model() -> None:
    """Where texts are missing for a reason, that is worth a column."""
    frame = mixed().with_columns(
        place=pl.when(pl.col("amount") > 0).then(None).otherwise(pl.lit("north"))
    )
    result = run(sample(frame), target="sign", features=("place",), estimator="random_forest")
    assert result.metrics["accuracy"] == 1


def test_column_that_is_empty_where_it_is_learnt_from_does_no_harm() -> None:
    frame = mixed().with_columns(
        late=pl.Series([None] * 96 + [1.5] * 24), later=pl.Series([None] * 96 + ["a", "b"] * 12)
    )
    validation = {"kind": "holdout", "test_size": 0.2, "shuffle": False}
    features = ("x", "z", "late", "later")
    result = run(sample(frame), target="amount", features=features, validation=validation)
    assert result.metrics["r2"] > 0.5


def test_dates_are_days_when_fitting_and_when_predicting() -> None:
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 29), eager=True)
    frame = mixed().with_columns(day=days, amount=pl.int_range(120) * 2.0)
    result = run(
        sample(frame), target="amount", features=("day",), estimator="ordinary_least_squares"
    )
    rows = [{"day": "2020-01-11"}, {"day": "2020-01-11T12:00:00"}]
    answer = predict(
        make_ready(result.pipeline, describe_inputs(result.inputs)), {"classes": None}, rows
    )
    assert answer.predictions == pytest.approx([20, 21])


def test_plain_pandas_table_predicts_as_rows_do() -> None:
    result = run(penguins(), target="species", estimator="random_forest")
    rows: list[dict[str, Any]] = [
        {"bill_length_mm": 40.3, "island": "Dream", "sex": None},
        {"bill_length_mm": None, "island": "Biscoe", "sex": "female"},
    ]
    names = [column.name for column in result.inputs]
    whole = [{name: row.get(name) for name in names} for row in rows]
    answer = predict(
        make_ready(result.pipeline, describe_inputs(result.inputs)), {"classes": ["?"] * 3}, whole
    )
    plain = pd.DataFrame(whole)
    assert result.pipeline.predict(plain).tolist() == answer.predictions


def test_no_validation_uses_all_rows_and_scores_nothing() -> None:
    result = run(sample(mixed()), target="amount", validation={"kind": "none"})
    assert (result.rows_used, result.holdout, result.metrics) == (120, None, {})


@pytest.mark.parametrize("estimator", ["ordinary_least_squares", "ridge"])
def test_without_an_intercept_the_line_goes_through_the_origin(estimator: str) -> None:
    x = np.random.default_rng(0).normal(5, 1, 200)
    data = sample(pl.DataFrame({"x": x, "y": 2 * x}))
    params = {"fit_intercept": False, **({"alpha": 0} if estimator == "ridge" else {})}
    result = run(data, target="y", estimator=estimator, params=params)
    assert result.metrics["r2"] == pytest.approx(1)
    origin = pl.DataFrame({"x": [0.0]}).to_pandas()
    assert result.pipeline.predict(origin)[0] == pytest.approx(0)


def test_unshuffled_hold_out_is_the_end_of_the_file() -> None:
    validation = {"kind": "holdout", "test_size": 0.25, "shuffle": False}
    result = run(sample(mixed()), target="amount", validation=validation)
    assert result.holdout is not None
    assert result.holdout.rows.tolist() == list(range(90, 120))


def test_integer_and_boolean_targets_keep_their_type() -> None:
    frame = mixed().with_columns(zero_one=(pl.col("z") > 0).cast(pl.Int64), yes=pl.col("z") > 0)
    numbers = run(sample(frame), target="zero_one", features=("z",))
    assert (numbers.task, numbers.classes) == ("binary", [0, 1])
    truths = run(sample(frame), target="yes", features=("z",))
    assert (truths.task, truths.classes) == ("binary", [False, True])
