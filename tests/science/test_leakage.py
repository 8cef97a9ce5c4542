"""Nothing of the rows held out reaches what is learnt, on tables where any leak would show."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from backend.science.column_types import InputColumn
from backend.science.fit import FitResult, fit
from backend.science.spec import FitSpec
from tests.science.tables import sample

LEARNT = 80
HELD = 20
LAST_ROWS = {"kind": "holdout", "test_size": 0.2, "shuffle": False}


def _leaky() -> pl.DataFrame:
    """The last rows are held out: a thousand times larger, with categories of their own."""
    generator = np.random.default_rng(5)
    size = np.r_[generator.normal(10, 2, LEARNT), generator.normal(10_000, 2_000, HELD)]
    place = [*generator.choice(["a", "b"], LEARNT), *generator.choice(["y", "z"], HELD)]
    gaps = np.arange(LEARNT + HELD) % 5 == 0
    return pl.DataFrame(
        {
            "size": [None if gap else float(v) for gap, v in zip(gaps, size, strict=True)],
            "place": [str(value) for value in place],
            "other": generator.normal(size=LEARNT + HELD),
            "y": generator.normal(size=LEARNT + HELD),
        }
    )


def _fit(frame: pl.DataFrame, **spec: Any) -> FitResult:
    data = sample(frame)
    spec = {"target": "y", "validation": LAST_ROWS, "estimator": "ridge"} | spec
    return fit(FitSpec(**spec), data.table, data.columns)


def _group(found: FitResult, name: str) -> Any:
    return found.pipeline["preprocess"].named_transformers_[name]


def _known_sizes() -> Any:
    return _leaky()["size"][:LEARNT].drop_nulls().to_numpy()


def _filled_sizes() -> Any:
    return _leaky()["size"][:LEARNT].fill_null(float(np.median(_known_sizes()))).to_numpy()


def test_medians_means_and_spreads_are_those_of_the_rows_learnt_from() -> None:
    steps = _group(_fit(_leaky()), "numeric")
    assert steps["impute"].statistics_[0] == np.median(_known_sizes())
    assert steps["scale"].mean_[0] == pytest.approx(_filled_sizes().mean(), rel=1e-12)
    assert steps["scale"].scale_[0] == pytest.approx(_filled_sizes().std(), rel=1e-12)


def test_categories_ranges_and_quantiles_are_those_of_the_rows_learnt_from() -> None:
    wishes = {"columns": {"size": {"scale": "robust"}}}
    found = _fit(_leaky(), preprocessing=wishes)
    inputs = {c.name: c for c in found.inputs if isinstance(c, InputColumn)}
    assert inputs["size"].maximum == _known_sizes().max() < 100
    assert set(inputs["place"].categories or []) == {"a", "b"}
    assert list(_group(found, "categorical")["encode"].categories_[0]) == ["a", "b"]
    assert _group(found, "numeric")["scale"].center_[0] == np.median(_filled_sizes())


def test_knots_of_splines_are_within_the_rows_learnt_from() -> None:
    wishes = {"features": [{"kind": "spline", "columns": ["size"]}]}
    found = _fit(_leaky(), preprocessing=wishes)
    knots = _group(found, "spline")["make"].bsplines_[0].t[3:-3]
    assert (knots[0], knots[-1]) == (_filled_sizes().min(), _filled_sizes().max())


def test_transform_of_the_target_is_learnt_from_the_rows_learnt_from() -> None:
    frame = _leaky().with_columns(
        pl.Series("y", np.r_[np.full(LEARNT // 2, 1.0), np.arange(2.0, 42), 1e6 + np.arange(HELD)])
    )
    steps = _fit(frame, target_transform="yeo_johnson").pipeline["estimate"].transformer_
    alone = type(steps)(method="yeo-johnson").fit(frame["y"][:LEARNT].to_numpy()[:, None])
    assert steps.lambdas_ == alone.lambdas_


def test_words_of_texts_are_those_of_the_rows_learnt_from() -> None:
    frame = _leaky().with_columns(note=pl.Series(["old words"] * LEARNT + ["secret future"] * HELD))
    wishes = {"columns": {"note": {"role": "text"}}}
    found = _fit(frame, features=("note",), preprocessing=wishes)
    assert list(_group(found, "text").get_feature_names_out(["note"])) == [
        *("word 1 of note: old", "word 1 of note: words")
    ]


def _many_categories(rows: int) -> pl.DataFrame:
    """Noise, and so many categories that one's mean target nearly tells a row's own."""
    generator = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "who": [f"p{at}" for at in generator.integers(0, rows // 2, rows)],
            "y": generator.normal(size=rows),
            "kind": generator.choice(["no", "yes"], rows),
        }
    )


ENCODED = {"columns": {"who": {"role": "categorical", "encode": "target"}}}


@pytest.mark.parametrize("kind", ["holdout", "kfold"])
def test_target_encoding_of_noise_predicts_no_better_than_chance(kind: str) -> None:
    found = _fit(
        _many_categories(1_500),
        target="kind",
        features=("who",),
        estimator="random_forest",
        params={"n_estimators": 10},
        preprocessing=ENCODED,
        validation={"kind": kind},
    )
    assert 0.4 < found.metrics["accuracy"] < 0.6


def test_no_row_is_encoded_by_its_own_target() -> None:
    frame = _many_categories(600)
    found = _fit(frame, features=("who",), preprocessing=ENCODED, validation={"kind": "none"})
    # By means that hold the row itself the slope is near 0.7 here; scaled, and with y of spread 1.
    assert abs(found.pipeline["estimate"].coef_[0]) < 0.15
    encoded = found.pipeline[:-1].transform(_rows(frame))
    assert np.corrcoef(encoded[:, 0], frame["y"].to_numpy())[0, 1] > 0.5


def _rows(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"who": frame["who"].to_numpy().astype(object)})


def test_hold_out_changed_at_will_changes_nothing_that_was_learnt() -> None:
    frame = _leaky()
    changed = frame.with_columns(
        pl.when(pl.int_range(pl.len()) < LEARNT).then(pl.col("other")).otherwise(1e9).alias("other")
    )
    wishes = {
        "columns": {"other": {"transform": "yeo_johnson"}, "place": {"encode": "target"}},
        "features": [{"kind": "polynomial", "columns": ["size", "other"]}],
    }
    ours, theirs = (_fit(one, preprocessing=wishes).pipeline for one in (frame, changed))
    assert np.array_equal(ours["estimate"].coef_, theirs["estimate"].coef_)
    assert ours["estimate"].intercept_ == theirs["estimate"].intercept_
