"""A search: parameters in, the best of them out, by scores inside the training rows alone."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from backend.science.estimator_spec import EstimatorSpec
from backend.science.metrics import METRICS
from backend.science.refusal import FitRefused
from backend.science.reporting import Report
from backend.science.search.bench import Bench, Learnable, MakePipeline
from backend.science.search.halving import halve
from backend.science.search.ledger import Budget, Ledger, Params, Trial
from backend.science.search.space import Space, draws, grid, grid_size, read_space
from backend.science.spec import FitSpec, Group, Search
from backend.science.splits import inner_folds

# Optuna takes a second to import; most fits do without.
TPE: Final = "backend.science.search.tpe"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    best_params
        All parameters of the estimator, with the best of the trials among them.
    best_score
        Mean of the main metric over the inner folds; it was chosen for being the best, so it is
        too good to be true. What the fit is worth is its score on rows that no trial saw.
    trials
        In the order in which they began.
    warnings
        For the fit.
    """

    best_params: dict[str, Any]
    best_score: float
    trials: tuple[Trial, ...]
    warnings: tuple[str, ...]


def search(
    spec: FitSpec,
    estimator: EstimatorSpec,
    make_pipeline: MakePipeline,
    data: Learnable,
    metric: str,
    report: Report,
    budget: Budget,
) -> SearchResult:
    """Try parameters by the scores of inner folds.

    Parameters
    ----------
    spec, estimator
        What was asked; the spec has a search.
    make_pipeline
        Makes the unfitted pipeline of the fit with other parameters.
    data
        The rows that this search may see; nothing else is learnt from or looked at.
    metric
        Name of the main metric.
    report
        Told of each trial.
    budget
        Of the fit; this search takes its next part.

    Raises
    ------
    FitRefused
        No trial went through; with the reason of the first one.
    """
    asked = spec.search
    if asked is None:
        raise ValueError("the spec has no search")
    ledger = Ledger(budget, greater_is_better=METRICS[metric].greater_is_better, report=report)
    folds = inner_folds(spec.validation, data.known, _fold_count(spec, asked, data), spec.seed)
    bench = Bench(
        data,
        folds,
        lambda params: make_pipeline({**spec.params, **params}),
        metric,
        class_weight=spec.class_weight,
    )
    _try_all(asked, read_space(estimator, asked), bench, ledger, spec.seed)
    best = ledger.best()
    if best is None:
        reason = next((trial.message for trial in ledger.done if trial.message), "no reason")
        raise FitRefused(f"No trial of the search went through; the first one: {reason}")
    found = estimator.Params.model_validate({**spec.params, **best.params})
    return SearchResult(
        best_params=found.model_dump(mode="json"),
        best_score=best.score,
        trials=tuple(ledger.done),
        warnings=_doubts(asked, ledger),
    )


def _fold_count(spec: FitSpec, asked: Search, data: Learnable) -> int:
    """Of few groups there are fewer inner folds than asked for: the outer ones took some away."""
    if not isinstance(spec.validation, Group) or data.known.keys is None:
        return asked.folds
    return max(2, min(asked.folds, len(np.unique(data.known.keys))))


def _try_all(asked: Search, space: Space, bench: Bench, ledger: Ledger, seed: int) -> None:
    if asked.kind == "tpe":
        greater = ledger.greater_is_better
        suggest = importlib.import_module(TPE).suggest
        suggest(space, bench, ledger, greater_is_better=greater, seed=seed)
    elif asked.kind == "halving":
        halve(draws(space, ledger.trials, seed), bench, ledger)
    elif asked.kind == "random":
        _one_by_one(draws(space, ledger.trials, seed), bench, ledger)
    else:
        _all_of_grid(space, bench, ledger)


def _all_of_grid(space: Space, bench: Bench, ledger: Ledger) -> None:
    size = grid_size(space, ledger.trials)
    if size > ledger.trials:
        raise FitRefused(
            f"The grid has {size:,} combinations, and this search has {ledger.trials:,} trials. "
            "Allow more of them, or give fewer values."
        )
    _one_by_one(grid(space, ledger.trials), bench, ledger)


def _one_by_one(candidates: Iterable[Params], bench: Bench, ledger: Ledger) -> None:
    for params in candidates:
        if ledger.out_of_time:
            return
        trial = ledger.open(params)
        if ledger.work(trial, partial(bench.scores, params)):
            ledger.close(trial, "scored")


def _doubts(asked: Search, ledger: Ledger) -> tuple[str, ...]:
    texts = []
    if ledger.out_of_time and (len(ledger.done) < ledger.trials or asked.kind == "halving"):
        texts.append(
            f"The search ended by its time budget of {asked.seconds:g} s after "
            f"{len(ledger.done)} of {ledger.trials} trials; a faster machine may find more."
        )
    failed = [trial for trial in ledger.done if trial.state == "failed"]
    if failed:
        texts.append(
            f"{len(failed)} of {len(ledger.done)} trials failed; the first: {failed[0].message}"
        )
    return tuple(texts)
