"""The bench of a search: the training rows, their inner folds, and the score of parameters."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.science.metrics import METRICS
from backend.science.preprocessing.weights import learning_weights
from backend.science.refusal import FitRefused
from backend.science.scores import score
from backend.science.spec import ClassWeight
from backend.science.splits import Fold, Known, Rows, time_order

Array = npt.NDArray[Any]
MakePipeline = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Learnable:
    """The rows that a search may see: those which an outer fold learns from, and no others.

    Attributes
    ----------
    known
        Task and target of the n rows, and what their folds depend on.
    frame
        Features, n rows.
    weights
        Of the rows, shape (n,); None where all count the same.
    quantile
        The one that is fitted, of quantile regression.
    in_time
        Whether rows are learnt from only before those that are scored.
    """

    known: Known
    frame: pd.DataFrame
    weights: Array | None = None
    quantile: float | None = None
    in_time: bool = False


class Bench:
    """Scores parameters on the inner folds.

    Parameters
    ----------
    data, folds
        What to learn from, and how it is parted.
    make_pipeline
        Makes the unfitted pipeline of some parameters.
    metric
        Name of the main metric.
    class_weight
        Of the fit: in learning, not in scoring.
    """

    def __init__(
        self,
        data: Learnable,
        folds: Sequence[Fold],
        make_pipeline: MakePipeline,
        metric: str,
        *,
        class_weight: ClassWeight = "none",
    ) -> None:
        self._data = data
        self._folds = folds
        self._make = make_pipeline
        self._metric = metric
        self._class_weight = class_weight

    @property
    def folds(self) -> int:
        """How many inner folds there are."""
        return len(self._folds)

    @property
    def fewest_rows(self) -> int:
        """Rows that the smallest fold learns from."""
        return min(len(fold.train) for fold in self._folds)

    def scores(self, params: Mapping[str, Any], share: float = 1.0) -> list[float]:
        """The metric on each fold.

        Parameters
        ----------
        params
            Of the trial.
        share
            Of the rows to learn from that are used.
        """
        return [self.score(params, fold, share) for fold in range(self.folds)]

    def score(self, params: Mapping[str, Any], fold: int, share: float = 1.0) -> float:
        """The metric on one fold.

        Parameters
        ----------
        params, fold, share
            See `scores`.

        Raises
        ------
        FitRefused
            The metric is not defined for these rows.
        """
        data = self._data
        rows = self._folds[fold]
        train = rows.train if share == 1.0 else self._part(rows.train, share)
        with warnings.catch_warnings():
            # What a library doubts in one trial of many says nothing about the fit.
            warnings.simplefilter("ignore")
            pipeline = self._make(params)
            pipeline.fit(data.frame.iloc[train], data.known.target[train], **self._weighted(train))
            value = self._measure(pipeline, rows.held)
        if value is None or not math.isfinite(value):
            raise FitRefused(f"{self._metric} is not defined for an inner fold.")
        return value

    def _weighted(self, rows: Rows) -> dict[str, Array]:
        of_rows = None if self._data.weights is None else self._data.weights[rows]
        target = self._data.known.target[rows]
        weights = learning_weights(of_rows, self._class_weight, target)
        return {} if weights is None else {"estimate__sample_weight": weights}

    def _measure(self, pipeline: Any, held: Rows) -> float | None:
        data = self._data
        features = data.frame.iloc[held]
        task = data.known.task
        classes = task != "regression"
        wanted = METRICS[self._metric].needs_probabilities
        probable = wanted and hasattr(pipeline, "predict_proba")
        values = score(
            task,
            data.known.target[held],
            np.asarray(pipeline.predict(features)),
            np.asarray(pipeline.predict_proba(features)) if probable else None,
            pipeline.classes_ if classes else None,
            weights=None if data.weights is None else data.weights[held],
            quantile=data.quantile,
        )
        return values.get(self._metric)

    def _part(self, train: Rows, share: float) -> Rows:
        """The latest rows by time; else of each class its share, as they were drawn."""
        known = self._data.known
        if self._data.in_time:
            order = time_order(known.take(train))
            return np.sort(train[order[-max(2, math.ceil(len(train) * share)) :]])
        mixed = np.random.default_rng(0).permutation(train)
        if known.task == "regression":
            return np.sort(mixed[: max(2, math.ceil(len(train) * share))])
        values = known.target[mixed]
        kept = [
            mixed[values == name][: math.ceil(np.count_nonzero(values == name) * share)]
            for name in np.unique(values)
        ]
        return np.sort(np.concatenate(kept))
