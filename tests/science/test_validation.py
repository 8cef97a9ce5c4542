"""Cross-validated fits: scikit-learn's own numbers, and everything learnt anew in each fold."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import model_selection as sk

from backend.science.catalogue import ESTIMATORS
from backend.science.fit import FitResult, fit
from backend.science.pipeline import build_pipeline
from backend.science.refusal import FitRefused
from backend.science.spec import FitSpec
from tests.science.reports import Remembered
from tests.science.tables import Sample, mixed, sample

FEATURES = ("x", "z", "place", "flag")


def run(data: Sample, report: Any = None, **spec: Any) -> FitResult:
    asked = {"estimator": "ordinary_least_squares", "features": FEATURES, **spec}
    told = {} if report is None else {"report": report}
    return fit(FitSpec.model_validate(asked), data.table, data.columns, **told)


def test_out_of_fold_predictions_are_those_of_cross_val_predict() -> None:
    data = sample(mixed())
    asked: dict[str, Any] = {"target": "third", "estimator": "k_nearest_neighbors", "seed": 4}
    found = run(data, validation={"kind": "kfold", "folds": 4}, **asked)
    spec = FitSpec.model_validate({**asked, "features": FEATURES})
    unfitted = build_pipeline(
        ESTIMATORS[spec.estimator],
        spec,
        "multiclass",
        list(found.inputs),  # type: ignore[arg-type]  # of a table
    )
    frame = _frame(data)
    folds = sk.StratifiedKFold(4, shuffle=True, random_state=4)
    target = found.target.values
    assert found.holdout is not None
    wanted = sk.cross_val_predict(unfitted, frame, target, cv=folds)
    shares = sk.cross_val_predict(unfitted, frame, target, cv=folds, method="predict_proba")
    assert found.holdout.predicted.tolist() == wanted.tolist()
    assert found.holdout.probabilities is not None
    assert (found.holdout.probabilities == shares).all()
    scores = sk.cross_validate(unfitted, frame, target, cv=folds)["test_score"]
    assert [fold["metrics"]["accuracy"] for fold in found.validated.folds] == scores.tolist()
    spread = found.validated.spread["accuracy"]
    assert spread == pytest.approx({"mean": scores.mean(), "sd": scores.std(ddof=1)})


def _frame(data: Sample) -> Any:
    frame = pl.DataFrame(data.table.select(FEATURES)).with_columns(pl.col("flag").cast(pl.Float64))
    pandas = frame.to_pandas()
    pandas["place"] = pandas["place"].astype(object).where(pandas["place"].notna(), np.nan)
    return pandas


def test_the_model_that_is_kept_learns_from_all_rows() -> None:
    data = sample(mixed())
    folds = run(data, target="amount", validation={"kind": "kfold", "folds": 3})
    everything = run(data, target="amount", validation={"kind": "none"})
    assert folds.rows_used == everything.rows_used == 120
    assert folds.pipeline[-1].coef_.tolist() == everything.pipeline[-1].coef_.tolist()
    assert everything.metrics == {}
    assert everything.holdout is None


@pytest.mark.parametrize(
    ("validation", "held", "folds"),
    [
        ({"kind": "holdout"}, 24, 1),
        ({"kind": "kfold", "folds": 3}, 120, 3),
        ({"kind": "repeated", "folds": 3, "repeats": 2}, 120, 6),
        ({"kind": "group", "column": "batch", "folds": 3}, 120, 3),
        ({"kind": "time", "column": "z", "folds": 3}, 90, 3),
        ({"kind": "leave_one_out"}, 120, 0),
    ],
)
@pytest.mark.parametrize("target", ["amount", "third"])
def test_every_kind_scores_each_row_once_and_tells_its_folds(
    validation: dict[str, Any], held: int, folds: int, target: str
) -> None:
    batches = pl.Series("batch", [f"b{row % 10}" for row in range(120)])
    data = sample(mixed().with_columns(batches))
    estimator = "ordinary_least_squares" if target == "amount" else "k_nearest_neighbors"
    report = Remembered()
    result = run(data, report, target=target, estimator=estimator, validation=validation)
    assert result.holdout is not None
    assert len(set(result.holdout.rows.tolist())) == len(result.holdout.rows) == held
    assert len(result.validated.folds) == folds
    assert [content for kind, content in report.told if kind == "metrics"] == result.validated.folds
    assert report.shares == sorted(report.shares)
    assert set(result.validated.intervals) <= set(result.metrics)
    assert bool(result.validated.spread) == (folds > 1)
    name = result.main_metric
    assert result.metrics[name] > result.baseline_metrics[name]
    low_high = result.validated.intervals[name]
    assert low_high["low"] <= result.metrics[name] <= low_high["high"]


@pytest.mark.parametrize(
    ("validation", "warned"),
    [
        ({"kind": "group", "column": "batch", "folds": 3}, True),
        ({"kind": "time", "folds": 3}, True),
        ({"kind": "kfold", "folds": 3}, False),
    ],
)
def test_intervals_of_rows_that_depend_on_each_other_are_warned_of(
    validation: dict[str, Any], warned: bool
) -> None:
    batch = [row % 6 for row in range(120)]
    data = sample(mixed().with_columns(batch=pl.Series(batch)))
    found = run(data, target="amount", validation=validation)
    assert any("too narrow" in text for text in found.warnings) == warned


def test_group_column_is_left_out_with_its_reason() -> None:
    batches = pl.Series("batch", [f"b{row % 10}" for row in range(120)])
    data = sample(mixed().with_columns(batches))
    validation = {"kind": "group", "column": "batch", "folds": 3}
    result = run(data, target="amount", features=None, validation=validation)
    reasons = {entry["column"]: entry["reason"] for entry in result.excluded}
    assert reasons["batch"] == "names the groups of the validation"
    assert "batch" not in {column.name for column in result.inputs}


def test_missing_groups_and_times_are_refused() -> None:
    holes = [None, *range(119)]
    data = sample(mixed().with_columns(pl.Series("key", holes)))
    for kind, what in (("group", "group"), ("time", "time")):
        with pytest.raises(
            FitRefused, match=f"key is missing in 1 rows; each row needs its {what}"
        ):
            run(data, target="amount", validation={"kind": kind, "column": "key"})


def test_weights_of_rows_count_in_learning_and_in_scores() -> None:
    """A row of weight two is a row that stands twice."""
    frame = mixed(60).with_columns(pl.Series("often", [1.0, 2.0] * 30))
    twice = pl.concat([frame, frame.gather_every(2, 1)])
    weighted = run(
        sample(frame),
        target="amount",
        features=("z",),
        weights="often",
        validation={"kind": "none"},
    )
    counted = run(sample(twice), target="amount", features=("z",), validation={"kind": "none"})
    assert weighted.pipeline.predict(_z(2.0)) == pytest.approx(counted.pipeline.predict(_z(2.0)))


def _z(value: float) -> Any:
    return pl.DataFrame({"z": [value]}).to_pandas()


def test_one_class_in_a_fold_is_refused_with_the_fold() -> None:
    frame = mixed(40).with_columns(pl.Series("late", ["a"] * 30 + ["b"] * 10))
    with pytest.raises(FitRefused, match="one class of late only in fold 1"):
        run(
            sample(frame),
            target="late",
            estimator="gaussian_naive_bayes",
            validation={"kind": "time", "folds": 3},
        )
