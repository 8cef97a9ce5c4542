"""Learning a pipeline over a table from some of its rows."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from backend.science.estimator_spec import EstimatorSpec
from backend.science.metrics import main_metric
from backend.science.pipeline import build_pipeline
from backend.science.prepare import Prepared
from backend.science.preprocessing.weights import learning_weights
from backend.science.refusal import FitRefused
from backend.science.reporting import Part, Report
from backend.science.search.bench import Learnable
from backend.science.search.ledger import SEARCH_ENDS, Budget
from backend.science.search.run import SearchResult, search
from backend.science.spec import FitSpec
from backend.science.splits import Rows

# Members added per step of a growing ensemble: progress without a cost that shows.
GROWTH_STEPS: Final = 20
# What scikit-learn says of rows that it cannot learn from, and what is told instead.
PLAIN: Final[Mapping[str, str]] = {
    "meets the variance threshold": (
        "a feature step makes nothing that varies in them. Leave it out, or choose other columns."
    ),
    "is not full rank": (
        "a class has too few of them for so many features. Choose fewer features, or another "
        "estimator."
    ),
}
Floats = npt.NDArray[np.float64]


class TableLearner:
    """Fits the pipeline of a spec to rows of a prepared table.

    With a search, each call searches anew inside its rows, so that no score saw the rows that it
    is computed on.

    Parameters
    ----------
    spec, estimator
        What to fit.
    data
        The rows.
    parts
        How many times it will learn.

    Attributes
    ----------
    found
        Of the latest search; None without.
    chosen
        The estimator's parameters each time.
    warnings
        Of all searches.
    """

    def __init__(
        self, spec: FitSpec, estimator: EstimatorSpec, data: Prepared, *, parts: int
    ) -> None:
        self._spec = spec
        self._estimator = estimator
        self._data = data
        self._budget = None if spec.search is None else Budget(spec.search, parts)
        self.found: SearchResult | None = None
        self.warnings: list[str] = []
        self.chosen: list[Mapping[str, Any]] = []

    def features(self, rows: Rows) -> pd.DataFrame:
        """Of these rows."""
        return self._data.frame.iloc[rows]

    def learn(self, rows: Rows, report: Report) -> Pipeline:
        """A pipeline that has seen these rows alone."""
        data, estimator = self._data, self._estimator
        task, target = data.target.task, data.target.values[rows]
        params: Mapping[str, Any] = self._spec.params
        estimator.check_size(params, len(rows))
        estimator.check_values(params, task, target)
        if self._budget is not None:
            params = self._search(rows, report, self._budget)
            report = Part(report, SEARCH_ENDS, 1.0)
        self.chosen.append(params)
        report(0.0, f"Learning from {len(rows):,} rows")
        pipeline = self._pipeline(params)
        weights = self.weights(rows, target)
        features = self.features(rows)
        try:
            if estimator.grows is not None and hasattr(pipeline[-1], estimator.grows):
                _grow(pipeline, estimator.grows, features, target, weights, report)
            else:
                pipeline.fit(features, target, **_weighted("estimate__", weights))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise refused_by_library(error, estimator, len(rows)) from error
        return pipeline

    def weights(self, rows: Rows, target: npt.NDArray[Any]) -> Floats | None:
        """With which rows are learnt from: their own times those of their classes.

        Parameters
        ----------
        rows, target
            The rows, and their classes.
        """
        of_rows = None if self._data.weights is None else self._data.weights[rows]
        return learning_weights(of_rows, self._spec.class_weight, target)

    def _pipeline(self, params: Mapping[str, Any]) -> Pipeline:
        data = self._data
        return build_pipeline(self._estimator, self._spec, data.target.task, data.inputs, params)

    def _search(self, rows: Rows, report: Report, budget: Budget) -> Mapping[str, Any]:
        data, spec = self._data, self._spec
        learnable = Learnable(
            known=data.known.take(rows),
            frame=self.features(rows),
            weights=None if data.weights is None else data.weights[rows],
            quantile=fitted_quantile(self._estimator, spec.params),
            in_time=data.split.follows == "before",
        )
        metric = main_metric(data.target.task, spec.main_metric).name
        asked = spec.model_copy(update={"validation": data.split.like})
        self.found = search(
            asked, self._estimator, self._pipeline, learnable, metric, report, budget
        )
        self.warnings += self.found.warnings
        return self.found.best_params


def refused_by_library(error: Exception, estimator: EstimatorSpec, rows: int) -> FitRefused:
    """What a library says of rows that it cannot learn from, as a refusal.

    Parameters
    ----------
    error
        Raised while learning.
    estimator
        What was learnt.
    rows
        How many there were.
    """
    if isinstance(error, FitRefused):
        return error
    said = str(error).partition("\n")[0]
    text = next((plain for part, plain in PLAIN.items() if part in said), said)
    return FitRefused(f"{estimator.title} cannot learn from these {rows:,} rows: {text}")


def fitted_quantile(estimator: EstimatorSpec, params: Mapping[str, Any]) -> float | None:
    """The quantile that is fitted, where one is.

    Parameters
    ----------
    estimator, params
        What is fitted.
    """
    return getattr(estimator.Params.model_validate(dict(params)), "quantile", None)


def _weighted(prefix: str, weights: Floats | None) -> dict[str, Floats]:
    return {} if weights is None else {f"{prefix}sample_weight": weights}


def _grow(
    pipeline: Pipeline,
    grows: str,
    features: pd.DataFrame,
    target: npt.NDArray[Any],
    weights: Floats | None,
    report: Report,
) -> None:
    """An ensemble grows in steps, which gives the same trees as one go."""
    final = pipeline[-1]
    total = getattr(final, grows)
    steps = min(GROWTH_STEPS, total)
    prepared = pipeline[:-1].fit_transform(features, target)
    final.set_params(warm_start=True)
    for step in range(1, steps + 1):
        members = total * step // steps
        final.set_params(**{grows: members}).fit(prepared, target, **_weighted("", weights))
        report(step / steps, f"{members:,} of {total:,} trees")
    final.set_params(warm_start=False)
