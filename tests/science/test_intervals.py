"""Bootstrap intervals: what each draw would score by itself, and how often the truth is inside."""

from typing import Any

import numpy as np
import pytest

from backend.science.intervals import Rows, bootstrap_intervals, resampled
from backend.science.scores import score
from backend.science.spec import Task


def _numbers(random: np.random.Generator, count: int) -> tuple[Any, Any]:
    observed = random.gamma(2.0, 10.0, count)
    return observed, observed * random.uniform(0.5, 1.5, count)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_a_draw_scores_as_its_rows_by_themselves(task: Task) -> None:
    random = np.random.default_rng(8)
    names = np.array(["a", "b", "c"])
    shares: Any = None
    observed, predicted = _numbers(random, 40)
    if task == "multiclass":
        observed = random.choice(names, 40)
        shares = random.dirichlet([1, 1, 1], 40)
        predicted = names[shares.argmax(axis=1)]
    drawn = random.integers(0, 40, (5, 40))
    counts = np.array([np.bincount(rows, minlength=40) for rows in drawn]).astype(float)
    classes = None if task == "regression" else names
    found = resampled(task, Rows(observed, predicted, shares, classes, 0.8), counts)
    for number, rows in enumerate(drawn):
        part = None if shares is None else shares[rows]
        alone = score(task, observed[rows], predicted[rows], part, classes, quantile=0.8)
        alone.pop("max_error", None)
        together = {name: float(found[name][number]) for name in alone}
        assert together == pytest.approx(alone, rel=1e-9)


def test_intervals_hold_the_true_error_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        error = random.normal(size=120)
        predicted = random.normal(size=120)
        observed = predicted + error
        values = score("regression", observed, predicted, None, None)
        found = bootstrap_intervals(
            "regression",
            observed,
            predicted,
            None,
            None,
            values={"rmse": values["rmse"]},
            weights=None,
            quantile=None,
            seed=0,
        )
        inside += found["rmse"]["low"] <= 1.0 <= found["rmse"]["high"]
    assert 175 <= inside <= 198


def test_interval_of_a_large_hold_out_shrinks_with_its_rows() -> None:
    """Of 80,000 rows a sample of 20,000 is drawn again; its scatter is halved."""
    random = np.random.default_rng(3)
    widths = []
    for count in (20_000, 80_000):
        predicted = random.normal(size=count)
        observed = predicted + random.normal(size=count)
        found = bootstrap_intervals(
            "regression",
            observed,
            predicted,
            None,
            None,
            values=score("regression", observed, predicted, None, None),
            weights=None,
            quantile=None,
            seed=0,
        )
        assert "max_error" not in found
        widths.append(found["rmse"]["high"] - found["rmse"]["low"])
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.3)
