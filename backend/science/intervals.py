"""Bootstrap intervals of metrics: rows drawn again, all draws at once.

A draw is how often each row was drawn, so one matrix of counts gives every metric of all draws by
a few products. Percentile intervals; Efron, Tibshirani (1993), An Introduction to the Bootstrap,
chapter 13.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.science.spec import Task

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
DRAWS: Final = 1_000
FEWEST_DRAWS: Final = 100
# Counts of all draws together: keeps time and memory of a fit small.
MOST_COUNTS: Final = 2_000_000
# Beyond, each draw is of so many rows out of a sample, and its scatter is scaled to all of them
# (m out of n bootstrap; Bickel, Götze, van Zwet 1997, Statistica Sinica 7).
MOST_ROWS: Final = 20_000
COVERAGE: Final = (0.025, 0.975)
# Values of draws and classes together, for the metrics that sort.
MOST_SORTED: Final = 20_000_000
# A largest value cannot be judged by drawing the same rows again.
WITHOUT_INTERVAL: Final = frozenset({"max_error"})
SMALLEST_SHARE: Final = float(np.finfo(np.float64).eps)


def bootstrap_intervals(
    task: Task,
    observed: Array,
    predicted: Array,
    probabilities: Floats | None,
    classes: Array | None,
    *,
    values: Mapping[str, float],
    weights: Floats | None,
    quantile: float | None,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Intervals of 95 % of the metrics of n rows.

    Parameters
    ----------
    observed, predicted, probabilities, classes, weights, quantile
        As for `scores.score`.
    values
        The metrics of all rows; only these get an interval.
    seed
        Fixes the draws.

    Returns
    -------
    dict
        `{low, high}` by metric; left out where half of the draws do not define it.
    """
    kept = counted_rows(observed, predicted, probabilities, weights)
    observed, predicted, probabilities, weights = kept
    count = len(observed)
    if count == 0:
        return {}
    random = np.random.default_rng(seed)
    width = 1 if classes is None else len(classes)
    size = min(count, MOST_ROWS, MOST_SORTED // (FEWEST_DRAWS * width))
    rows = slice(None) if size == count else np.sort(random.permutation(count)[:size])
    drawn = Rows(
        observed[rows],
        predicted[rows],
        # Without a log loss there are classes that have no probability.
        probabilities[rows] if probabilities is not None and "log_loss" in values else None,
        classes,
        quantile,
    )
    own = np.ones((1, size)) if weights is None else weights[rows][None, :]
    draws = max(FEWEST_DRAWS, min(DRAWS, MOST_COUNTS // (size * width)))
    counted = _counts(random, draws, size) * own
    found = resampled(task, drawn, np.concatenate([own, counted]))
    shrink = np.sqrt(size / count)
    intervals: dict[str, dict[str, float]] = {}
    for name in values.keys() & found.keys() - WITHOUT_INTERVAL:
        all_rows, others = found[name][0], found[name][1:]
        finite = others[np.isfinite(others)]
        if np.isfinite(all_rows) and len(finite) >= draws // 2:
            # Of a sample, only the scatter around its own value counts.
            moved = finite if size == count else values[name] + shrink * (finite - all_rows)
            intervals[name] = _middle(moved)
    return {name: intervals[name] for name in values if name in intervals}


def counted_rows(
    observed: Array, predicted: Array, probabilities: Array | None, weights: Floats | None
) -> tuple[Array, Array, Array | None, Floats | None]:
    """Those whose weight is not 0; all of them where rows have no weights."""
    if weights is None or weights.all():
        return observed, predicted, probabilities, weights
    used = weights > 0
    shares = None if probabilities is None else probabilities[used]
    return observed[used], predicted[used], shares, weights[used]


def _middle(values: Floats) -> dict[str, float]:
    low, high = np.quantile(values, COVERAGE)
    return {"low": float(low), "high": float(high)}


def _counts(random: np.random.Generator, draws: int, size: int) -> Floats:
    """How often each draw holds each row, shape (draws, size)."""
    chosen = random.integers(0, size, (draws, size))
    chosen += np.arange(draws)[:, None] * size
    return np.bincount(chosen.ravel(), minlength=draws * size).reshape(draws, size).astype(float)


@dataclass(frozen=True, slots=True)
class Rows:
    """What was observed and predicted for n rows; see `scores.score`."""

    observed: Array
    predicted: Array
    probabilities: Floats | None
    classes: Array | None
    quantile: float | None


def resampled(task: Task, rows: Rows, weights: Floats) -> dict[str, Floats]:
    """The metrics of all draws.

    Parameters
    ----------
    rows
        n rows.
    weights
        Of each row in each draw, shape (draws, n).

    Returns
    -------
    dict
        Each of shape (draws,); not finite where a draw does not define the metric.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if task == "regression":
            return _of_numbers(rows, weights)
        found = _of_classes(rows, weights)
        if rows.probabilities is not None and rows.classes is not None:
            found |= _of_probabilities(rows, rows.probabilities, rows.classes, weights)
    return found


def _of_numbers(rows: Rows, weights: Floats) -> dict[str, Floats]:
    observed, predicted = rows.observed, rows.predicted
    error, size = observed - predicted, np.abs(observed - predicted)
    centred = observed - observed.mean()
    total = weights.sum(axis=1)
    squares = weights @ error**2
    spread = weights @ centred**2 - (weights @ centred) ** 2 / total
    absolute = weights @ size / total
    found = {
        "r2": 1 - squares / spread,
        "explained_variance": 1 - (squares - (weights @ error) ** 2 / total) / spread,
        "rmse": np.sqrt(squares / total),
        "mae": absolute,
        "median_absolute_error": _medians(size, weights),
        "d2_absolute_error": 1 - absolute / (2 * _least_pinball(observed, weights, 0.5)),
        "mape": weights @ np.abs(error / observed) / total,
    }
    if observed.min() >= 0 and predicted.min() >= 0:
        logs = (np.log1p(observed) - np.log1p(predicted)) ** 2
        found["rmsle"] = np.sqrt(weights @ logs / total)
    if observed.min() >= 0 and predicted.min() > 0:
        found |= _of_counts(observed, predicted, weights)
    if rows.quantile is not None:
        loss = np.maximum(rows.quantile * error, (rows.quantile - 1) * error)
        pinball = weights @ loss / total
        found["pinball_loss"] = pinball
        least = _least_pinball(observed, weights, rows.quantile)
        found["d2_pinball"] = 1 - pinball / least
    return found


def _of_counts(observed: Floats, predicted: Floats, weights: Floats) -> dict[str, Floats]:
    """Deviances; x log x is 0 at 0."""
    total = weights.sum(axis=1)
    logs = observed * np.log(np.where(observed > 0, observed, 1.0))
    poisson = 2 * weights @ (logs - observed * np.log(predicted) - observed + predicted) / total
    mean = weights @ observed / total
    of_mean = 2 * (weights @ logs / total - mean * np.log(mean))
    found = {"poisson_deviance": poisson, "d2_poisson": 1 - poisson / of_mean}
    if observed.min() > 0:
        gamma = np.log(predicted / observed) + observed / predicted - 1
        found["gamma_deviance"] = 2 * weights @ gamma / total
    return found


def _medians(values: Floats, weights: Floats) -> Floats:
    """The median of each draw; the mean of two where it falls between them."""
    order = np.argsort(values, kind="stable")
    ordered, sums = values[order], np.cumsum(weights[:, order], axis=1)
    half = sums[:, -1:] / 2
    lower = np.argmax(sums >= half, axis=1)
    upper = np.argmax(sums > half, axis=1)
    return np.asarray((ordered[lower] + ordered[upper]) / 2)


def _least_pinball(values: Floats, weights: Floats, quantile: float) -> Floats:
    """The mean pinball loss of each draw's own quantile, which makes it smallest."""
    order = np.argsort(values, kind="stable")
    ordered, parts = values[order], weights[:, order]
    sums = np.cumsum(parts, axis=1)
    total = sums[:, -1]
    place = np.argmax(sums >= quantile * total[:, None], axis=1)
    each = np.arange(len(weights))
    below, mean_below = sums[each, place], np.cumsum(parts * ordered, axis=1)
    sum_below, sum_all = mean_below[each, place], mean_below[:, -1]
    chosen = ordered[place]
    above = (sum_all - sum_below) - chosen * (total - below)
    return np.asarray((quantile * above + (1 - quantile) * (chosen * below - sum_below)) / total)


def _of_classes(rows: Rows, weights: Floats) -> dict[str, Floats]:
    names = np.unique(np.concatenate([rows.observed, rows.predicted]))
    is_observed = rows.observed[:, None] == names
    is_predicted = rows.predicted[:, None] == names
    observed, predicted, right = (
        weights @ part.astype(float)
        for part in (is_observed, is_predicted, is_observed & is_predicted)
    )
    total = weights.sum(axis=1)
    hits = right.sum(axis=1)
    either = observed + predicted > 0
    scores = {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, observed),
        "f1": _ratio(2 * right, observed + predicted),
    }
    found: dict[str, Floats] = {"accuracy": hits / total}
    for name, value in scores.items():
        found[f"{name}_macro"] = (value * either).sum(axis=1) / either.sum(axis=1)
        found[f"{name}_weighted"] = (value * observed).sum(axis=1) / total
        if rows.classes is not None and len(rows.classes) == 2:
            second = np.flatnonzero(names == rows.classes[1])
            found[name] = value[:, second[0]] if len(second) else np.zeros(len(total))
    present = observed > 0
    found["balanced_accuracy"] = (scores["recall"] * present).sum(axis=1) / present.sum(axis=1)
    jaccard = _ratio(right, observed + predicted - right)
    found["jaccard_macro"] = (jaccard * either).sum(axis=1) / either.sum(axis=1)
    chance = (observed * predicted).sum(axis=1)
    found["cohen_kappa"] = (hits * total - chance) / (total**2 - chance)
    spread = (total**2 - (observed**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    # All predictions of one class: no better than chance.
    agreement = np.where(spread > 0, (hits * total - chance) / np.sqrt(np.abs(spread)), 0.0)
    found["matthews_correlation"] = agreement
    return found


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Zero where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _of_probabilities(
    rows: Rows, probabilities: Floats, classes: Array, weights: Floats
) -> dict[str, Floats]:
    total = weights.sum(axis=1)
    each = np.arange(len(rows.observed))
    place = np.searchsorted(classes, rows.observed)
    shares = np.clip(probabilities[each, place], SMALLEST_SHARE, 1.0)
    is_class = rows.observed[:, None] == classes
    squares = ((probabilities - is_class) ** 2).sum(axis=1)
    found = {
        "log_loss": weights @ -np.log(shares) / total,
        "brier_score": weights @ squares / (total * (2 if len(classes) == 2 else 1)),
    }
    ranked = np.argsort(probabilities, axis=1, kind="stable")[:, ::-1]
    for most in range(2, min(4, len(classes))):
        among = (ranked[:, :most] == place[:, None]).any(axis=1).astype(float)
        found[f"top_{most}_accuracy"] = weights @ among / total
    asked = range(1, 2) if len(classes) == 2 else range(len(classes))
    curves = [_curve(probabilities[:, k], is_class[:, k], weights) for k in asked]
    found["roc_auc"] = np.mean([area for area, _ in curves], axis=0)
    found["average_precision"] = np.mean([precision for _, precision in curves], axis=0)
    return found


def _curve(shares: Floats, is_class: Array, weights: Floats) -> tuple[Floats, Floats]:
    """Areas under the ROC and the precision-recall curve of each draw; ties are one step."""
    order = np.argsort(-shares, kind="stable")
    ordered = shares[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    parts = weights[:, order]
    inside = np.add.reduceat(parts * is_class[order], starts, axis=1)
    outside = np.add.reduceat(parts, starts, axis=1) - inside
    found, false = np.cumsum(inside, axis=1), np.cumsum(outside, axis=1)
    all_inside, all_outside = found[:, -1], false[:, -1]
    below = all_outside[:, None] - false + outside / 2
    area = (inside * below).sum(axis=1) / (all_inside * all_outside)
    drawn = found + false
    precision = _ratio(found, drawn)
    return area, (inside * precision).sum(axis=1) / all_inside
