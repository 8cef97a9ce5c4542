"""Tree-structured Parzen estimator by Optuna, with pruning of trials that begin badly."""

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import optuna

from backend.science.search.bench import Bench
from backend.science.search.ledger import Ledger, Trial
from backend.science.search.space import Range, Space, Values

# Before these went through, nothing is pruned.
TRIALS_BEFORE_PRUNING: Final = 5
# A finite space is soon tried out; then the sampler proposes what it knows already.
MOST_REPEATS: Final = 50


def suggest(
    space: Space, bench: Bench, ledger: Ledger, *, greater_is_better: bool, seed: int
) -> None:
    """Let each trial learn from those before it.

    Parameters
    ----------
    space, bench, ledger
        What to try, where it is scored, and where it is noted.
    greater_is_better
        Direction of the metric.
    seed
        Fixes the proposals.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize" if greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING),
    )
    distributions = {name: _distribution(dimension) for name, dimension in space.items()}
    known: dict[str, Trial] = {}
    repeats = 0
    while len(ledger.done) < ledger.trials and repeats < MOST_REPEATS and not ledger.out_of_time:
        proposal = study.ask(distributions)
        params = _params(space, proposal.params)
        before = known.get(repr(params))
        if before is not None:
            repeats += 1
            _answer(study, proposal, before)
            continue
        trial = ledger.open(params)
        known[repr(params)] = trial
        if ledger.work(trial, partial(_scores, bench, trial, proposal)):
            _close(ledger, trial, bench.folds)
        _answer(study, proposal, trial)


def _scores(bench: Bench, trial: Trial, proposal: optuna.Trial) -> list[float]:
    """Fold by fold, until the trial is below the median of the others."""
    scores: list[float] = []
    for fold in range(bench.folds):
        scores.append(bench.score(trial.params, fold))
        proposal.report(sum(scores) / len(scores), fold)
        if fold + 1 < bench.folds and proposal.should_prune():
            break
    return scores


def _close(ledger: Ledger, trial: Trial, folds: int) -> None:
    seen = len(trial.scores)
    if seen < folds:
        ledger.close(trial, "pruned", f"Stopped after {seen} of {folds} folds")
    else:
        ledger.close(trial, "scored")


def _answer(study: optuna.Study, proposal: optuna.Trial, trial: Trial) -> None:
    """Tell the sampler how a trial went."""
    if trial.state == "scored":
        study.tell(proposal, trial.score)
    elif trial.state == "pruned":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.tell(proposal, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(proposal, state=optuna.trial.TrialState.FAIL)


def _distribution(dimension: Values | Range) -> optuna.distributions.BaseDistribution:
    if isinstance(dimension, Values):
        # Their positions: values may be lists, which the sampler does not take.
        return optuna.distributions.CategoricalDistribution(range(len(dimension.values)))
    if dimension.whole:
        low, high = int(dimension.low), int(dimension.high)
        return optuna.distributions.IntDistribution(low, high, log=dimension.log)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _params(space: Space, proposed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: dimension.values[proposed[name]] if isinstance(dimension, Values) else proposed[name]
        for name, dimension in space.items()
    }
