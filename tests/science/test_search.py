"""Searches find good parameters, stay inside the rows they were given, and keep to their budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from backend.science.catalogue import ESTIMATORS
from backend.science.refusal import FitRefused
from backend.science.search.bench import Learnable
from backend.science.search.halving import rounds
from backend.science.search.ledger import Budget
from backend.science.search.run import SearchResult, search
from backend.science.search.space import (
    check_reused,
    check_search,
    draws,
    grid_size,
    parts_of,
    read_space,
)
from backend.science.spec import FitSpec, Task
from backend.science.splits import Known

RIDGE = ESTIMATORS["ridge"]
NEIGHBORS = ESTIMATORS["k_nearest_neighbors"]


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.trials: list[dict[str, Any]] = []
        self.shares: list[float] = []
        self.texts: list[str] = []

    def __call__(self, share: float, message: str, /) -> None:
        self.shares.append(share)
        self.texts.append(message)

    def tell(self, kind: str, content: Mapping[str, Any], /) -> None:
        assert kind == "trial"
        self.trials.append(dict(content))


def _spec(estimator: str, **asked: Any) -> FitSpec:
    return FitSpec.model_validate({"target": "y", "estimator": estimator, "search": asked})


def _line(rows: int = 90, noise: float = 0.1) -> Learnable:
    """A straight line with little noise: a small penalty is best."""
    generator = np.random.default_rng(1)
    frame = pd.DataFrame(generator.normal(size=(rows, 3)), columns=["a", "b", "c"])
    target = frame["a"] * 3 - frame["b"] + noise * generator.normal(size=rows)
    return Learnable(Known("regression", target.to_numpy()), frame)


def _run(
    spec: FitSpec, data: Learnable, *, metric: str = "r2", listener: Listener | None = None
) -> SearchResult:
    estimator = ESTIMATORS[spec.estimator]
    task: Task = data.known.task
    assert spec.search is not None

    def make(params: Mapping[str, Any]) -> Pipeline:
        return Pipeline([("estimate", estimator.build(params, task, spec.seed))])

    budget = Budget(spec.search, 1)
    return search(spec, estimator, make, data, metric, listener or Listener(), budget)


@pytest.mark.parametrize("kind", ["grid", "random", "halving", "tpe"])
def test_search_finds_the_known_best(kind: str) -> None:
    spec = _spec("ridge", kind=kind, space={"alpha": [1e-3, 1e4, 1e5, 1e6]}, trials=12)
    listener = Listener()
    found = _run(spec, _line(400), listener=listener)
    assert found.best_params == {"alpha": 1e-3, "fit_intercept": True}
    assert found.best_score > 0.99
    ended = {t["number"]: t for t in listener.trials if t["state"] != "running"}
    assert sorted(ended) == [1, 2, 3, 4]
    assert listener.shares == sorted(listener.shares)


def test_search_minimises_where_less_is_better() -> None:
    spec = _spec("ridge", kind="tpe", space={"alpha": [1e-3, 1e6]}, trials=5)
    found = _run(spec, _line(), metric="rmse")
    assert found.best_params["alpha"] == 1e-3
    assert found.best_score == min(trial.score for trial in found.trials)


@pytest.mark.parametrize("kind", ["random", "halving", "tpe"])
def test_search_repeats_itself_to_the_bit_with_the_same_seed(kind: str) -> None:
    spec = _spec(
        "ridge", kind=kind, space={"alpha": {"low": 1e-4, "high": 1e4, "log": True}}, trials=9
    )
    first, second = _run(spec, _line(300)), _run(spec, _line(300))
    told = [[(t.params, t.scores, t.state) for t in found.trials] for found in (first, second)]
    assert told[0] == told[1]
    assert first.best_params == second.best_params
    other = _run(spec.model_copy(update={"seed": 1}), _line(300))
    assert [t.params for t in other.trials] != [t.params for t in first.trials]


def test_tpe_prunes_trials_that_begin_badly_and_never_picks_them() -> None:
    spec = _spec(
        "ridge", space={"alpha": {"low": 1e-4, "high": 1e6, "log": True}}, trials=25, folds=4
    )
    listener = Listener()
    found = _run(spec, _line(), listener=listener)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all(0 < len(trial.scores) < 4 for trial in pruned)
    told = {t["number"]: t for t in listener.trials}
    assert "of 4 folds" in told[pruned[0].number]["message"]
    assert found.best_score == max(t.score for t in found.trials if t.state == "scored")


def test_halving_drops_two_thirds_in_each_round() -> None:
    assert rounds(27, 100_000) == pytest.approx([1 / 27, 1 / 9, 1 / 3, 1])
    assert rounds(27, 200) == pytest.approx([1 / 3, 1])
    spec = _spec(
        "ridge",
        kind="halving",
        space={"alpha": {"low": 1e-4, "high": 1e6, "log": True}},
        trials=9,
    )
    found = _run(spec, _line(1_000))
    states = [trial.state for trial in found.trials]
    assert states.count("pruned") == 8
    assert states.count("scored") == 1


def test_a_score_on_noise_is_too_good_inside_and_honest_outside() -> None:
    """What the search maximised is above what unseen rows say; these say: no better than chance."""
    generator = np.random.default_rng(3)
    frame = pd.DataFrame(generator.normal(size=(460, 4)), columns=list("abcd"))
    target = np.where(generator.random(460) < 0.5, "no", "yes")
    seen = Learnable(Known("binary", target[:60]), frame.iloc[:60])
    space = {"n_neighbors": list(range(1, 25))}
    spec = _spec("k_nearest_neighbors", kind="grid", space=space, trials=50)
    found = _run(spec, seen, metric="accuracy")
    model = NEIGHBORS.build(found.best_params, "binary", 0)
    model.fit(seen.frame, seen.known.target)
    outside = float(np.mean(model.predict(frame.iloc[60:]) == target[60:]))
    assert outside == pytest.approx(0.5, abs=0.08)
    assert found.best_score > outside + 0.03


def test_failed_trials_are_told_and_the_rest_goes_on() -> None:
    spec = _spec("k_nearest_neighbors", kind="grid", space={"n_neighbors": [3, 900]})
    listener = Listener()
    found = _run(spec, _line(), listener=listener)
    assert found.best_params["n_neighbors"] == 3
    failed = next(t for t in listener.trials if t["state"] == "failed")
    assert failed["params"] == {"n_neighbors": 900}
    assert failed["message"]
    assert "1 of 2 trials failed" in found.warnings[0]


def test_search_without_a_good_trial_is_refused_with_the_first_reason() -> None:
    spec = _spec("k_nearest_neighbors", kind="grid", space={"n_neighbors": [800, 900]})
    with pytest.raises(FitRefused, match="No trial of the search went through"):
        _run(spec, _line())


def test_out_of_time_the_search_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    spec = _spec("ridge", kind="random", space={"alpha": {"low": 1, "high": 9}}, seconds=10)
    found = _run(spec, _line())
    assert 1 <= len(found.trials) < 10
    assert "time budget of 10 s" in found.warnings[0]


def test_budget_is_shared_between_the_outer_folds() -> None:
    spec = _spec("ridge", trials=20)
    assert spec.search is not None
    budget = Budget(spec.search, 6)
    assert [budget.next_part()[0] for _ in range(6)] == [3, 3, 3, 3, 3, 5]
    with pytest.raises(FitRefused, match="too few for 21 searches"):
        Budget(spec.search, 21)


@pytest.mark.parametrize(
    ("space", "place"),
    [
        ({}, ()),
        ({"alhpa": [1]}, ("alhpa",)),
        ({"alpha": []}, ("alpha", "values")),
        ({"alpha": [1, -1]}, ("alpha", 1)),
        ({"alpha": ["1"]}, ("alpha", 0)),
        ({"alpha": [1, 1]}, ("alpha",)),
        ({"alpha": {"low": 2, "high": 1}}, ("alpha", "high")),
        ({"alpha": {"low": 0, "high": 1, "log": True}}, ("alpha", "low")),
        ({"alpha": {"low": 1, "high": 1e12}}, ("alpha", "high")),
        ({"alpha": {"low": "1", "high": 2}}, ("alpha", "low")),
        ({"alpha": {"low": 1}}, ("alpha", "high")),
        ({"alpha": {"low": 1, "high": 2, "step": 1}}, ("alpha", "step")),
        ({"alpha": {"low": 1, "high": float("nan")}}, ("alpha", "high")),
        ({"alpha": 3}, ("alpha",)),
        ({"fit_intercept": {"low": 0, "high": 1}}, ("fit_intercept",)),
    ],
)
def test_a_wrong_space_is_named_by_its_place(space: dict[str, Any], place: tuple[Any, ...]) -> None:
    problems = check_search(RIDGE, _spec("ridge", space=space))
    where = [loc[2 : 2 + len(place)] for loc, _ in problems]
    assert place in where, problems


def test_a_grid_beyond_the_trials_says_how_large_it_is() -> None:
    space = {"alpha": list(range(1, 20)), "fit_intercept": [True, False]}
    spec = _spec("ridge", kind="grid", space=space)
    ((place, told),) = check_search(RIDGE, spec)
    assert place == ("search", "trials")
    assert "38 combinations" in told
    assert "30 trials" in told
    enough = _spec("ridge", kind="grid", space=space, trials=38)
    assert check_search(RIDGE, enough) == []


def test_folds_multiply_the_trials_that_are_needed() -> None:
    spec = _spec("ridge", space={"alpha": [1, 2]}, kind="grid", trials=11)
    nested = FitSpec.model_validate({**spec.model_dump(), "validation": {"kind": "kfold"}})
    assert parts_of(nested) == 6
    ((place, told),) = check_search(RIDGE, nested)
    assert place == ("search", "trials")
    assert "6 searches" in told


def test_folds_of_another_fit_multiply_the_trials_too() -> None:
    spec = _spec("ridge", space={"alpha": [1, 2]}, kind="grid", trials=41)
    assert check_reused(RIDGE, spec, 1) == []
    ((place, told),) = check_reused(RIDGE, spec, 20)
    assert place == ("search", "trials")
    assert "21 searches" in told
    assert check_reused(RIDGE, _spec("ridge", space={"alpha": [1, 2]}, trials=42), 20) == []
    ((place, _),) = check_reused(RIDGE, spec, 0)
    assert place == ("search",)


def test_grid_beyond_its_part_of_the_trials_is_refused() -> None:
    spec = _spec("ridge", kind="grid", space={"alpha": [1, 2, 3]}, trials=2)
    with pytest.raises(FitRefused, match="3 combinations, and this search has 2 trials"):
        _run(spec, _line())


@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        ("quantile", {"quantile": [0.5, 0.7]}),
        ("ordinary_least_squares", {"standard_errors": ["classical", "hc3"]}),
    ],
)
def test_what_is_asked_is_not_searched(estimator: str, space: dict[str, Any]) -> None:
    (name,) = space
    ((place, told),) = check_search(ESTIMATORS[estimator], _spec(estimator, space=space))
    assert place == ("search", "space", name)
    assert "which no score can choose" in told


def test_ranges_keep_their_bounds_and_whole_numbers_stay_whole() -> None:
    asked = {"n_neighbors": {"low": 1, "high": 50, "log": True}, "weights": ["uniform"]}
    spec = _spec("k_nearest_neighbors", kind="grid", space=asked, trials=9)
    assert spec.search is not None
    space = read_space(NEIGHBORS, spec.search)
    drawn = [params["n_neighbors"] for params in draws(space, 30, 0)]
    assert all(isinstance(value, int) and 1 <= value <= 50 for value in drawn)
    assert len(set(drawn)) == len(drawn)
    assert grid_size(space, 9) == 5
