"""Splits: the folds of scikit-learn, what they must never do, and what the rows do not allow."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn import model_selection as sk

from backend.science.refusal import FitRefused
from backend.science.spec import Task, Validation
from backend.science.split_files import load_split, save_split, stored_keys
from backend.science.splits import Known, Split, split_rows

CLASSES = np.array(["a"] * 30 + ["b"] * 20 + ["c"] * 10)
NUMBERS = np.arange(60.0)
GROUPS = np.repeat(np.arange(12), 5)
KIND: TypeAdapter[Validation] = TypeAdapter(Validation)


def split(
    target: Any, keys: Any = None, task: Task = "regression", seed: int = 3, **asked: Any
) -> Split:
    return split_rows(KIND.validate_python(asked), Known(task, np.asarray(target), keys), seed)


def _pairs(found: Split) -> list[tuple[list[int], list[int]]]:
    return [(fold.train.tolist(), fold.held.tolist()) for fold in found.folds]


def _theirs(splitter: Any, target: Any, groups: Any = None) -> list[tuple[list[int], list[int]]]:
    blank = np.zeros((len(target), 1))
    made = splitter.split(blank, target, groups)
    return [(train.tolist(), held.tolist()) for train, held in made]


def test_k_fold_is_scikit_learns_and_keeps_classes_in_proportion() -> None:
    found = split(CLASSES, task="multiclass", kind="kfold", folds=5)
    stratified = sk.StratifiedKFold(5, shuffle=True, random_state=3)
    assert _pairs(found) == _theirs(stratified, CLASSES)
    numbers = split(NUMBERS, kind="kfold", folds=5)
    assert _pairs(numbers) == _theirs(sk.KFold(5, shuffle=True, random_state=3), NUMBERS)
    assert not numbers.is_one_holdout
    assert numbers.train.tolist() == list(range(60))


def test_repeats_hold_each_row_out_once_each() -> None:
    found = split(CLASSES, task="multiclass", kind="repeated", folds=4, repeats=3)
    theirs = sk.RepeatedStratifiedKFold(n_splits=4, n_repeats=3, random_state=3)
    assert _pairs(found) == _theirs(theirs, CLASSES)
    for repeat in range(3):
        held = [fold.held for fold in found.folds if fold.repeat == repeat]
        assert sorted(np.concatenate(held).tolist()) == list(range(60))


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_rows_of_a_group_stay_together(task: Task) -> None:
    target = NUMBERS if task == "regression" else CLASSES
    found = split(target, GROUPS, task, kind="group", column="g", folds=4)
    for fold in found.folds:
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.held])
    assert sorted(np.concatenate([fold.held for fold in found.folds]).tolist()) == list(range(60))


def test_too_few_groups_are_refused_with_numbers() -> None:
    with pytest.raises(FitRefused, match="12 groups, fewer than the 13 folds"):
        split(NUMBERS, GROUPS, kind="group", column="g", folds=13)


def test_periods_come_after_what_is_learnt_from() -> None:
    times = np.random.default_rng(0).permutation(60)
    found = split(NUMBERS, times, kind="time", column="t", folds=4, gap=2)
    theirs = _theirs(sk.TimeSeriesSplit(4, gap=2), NUMBERS)
    assert [(sorted(times[train]), sorted(times[held])) for train, held in _pairs(found)] == theirs


def test_rows_of_the_same_time_are_never_on_both_sides() -> None:
    days = np.repeat(np.arange(6), 10)
    found = split(NUMBERS, days, kind="time", column="day", folds=3)
    for fold in found.folds:
        assert days[fold.train].max() < days[fold.held].min()


def test_periods_that_leave_nothing_before_are_refused() -> None:
    with pytest.raises(FitRefused, match="leave no rows to learn from"):
        split(NUMBERS, kind="time", folds=4, gap=20)
    with pytest.raises(FitRefused, match="same time"):
        split(NUMBERS, np.zeros(60), kind="time", column="t", folds=3)


def test_leave_one_out_holds_each_row_out_alone_and_is_bounded() -> None:
    found = split(NUMBERS[:12], kind="leave_one_out")
    assert [fold.held.tolist() for fold in found.folds] == [[row] for row in range(12)]
    assert [fold.fold for fold in found.folds] == list(range(12))
    with pytest.raises(FitRefused, match="at most 1,000 rows"):
        split(np.arange(1_001.0), kind="leave_one_out")


def test_rare_classes_are_told_and_do_not_stop_a_k_fold() -> None:
    rare = np.array(["a"] * 57 + ["b"] * 3)
    found = split(rare, task="binary", kind="kfold", folds=5)
    assert found.warnings == ("Not every fold holds all classes: fewer than 5 rows of b.",)
    singles = np.array([f"c{i // 2}" for i in range(20)])
    assert len(split(singles, task="multiclass", kind="kfold", folds=5).folds) == 5


def test_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(FitRefused, match="20 folds need as many rows; there are 12"):
        split(NUMBERS[:12], kind="kfold", folds=20)


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "holdout"},
        {"kind": "kfold", "folds": 3},
        {"kind": "repeated", "folds": 3, "repeats": 2},
        {"kind": "group", "column": "k", "folds": 3},
        {"kind": "time", "column": "k", "folds": 3, "gap": 1},
        {"kind": "time", "folds": 3},
    ],
)
def test_stored_split_gives_the_same_folds(tmp_path: Path, asked: dict[str, Any]) -> None:
    keys = np.random.default_rng(1).integers(0, 25, 60) if "column" in asked else None
    known, rows = Known("regression", NUMBERS, keys), np.arange(100, 160)
    made = split_rows(KIND.validate_python(asked), known, 0)
    path = tmp_path / "split.parquet"
    save_split(made, rows, path)
    again = load_split(path, known, rows)
    assert _pairs(again) == _pairs(made)
    assert again.train.tolist() == made.train.tolist()
    assert stored_keys(path) == (asked.get("column"), asked["kind"] == "time")


def test_rows_that_are_unknown_here_are_left_out_of_both_sides(tmp_path: Path) -> None:
    rows = np.arange(60)
    made = split(NUMBERS, kind="kfold", folds=3)
    save_split(made, rows, tmp_path / "split.parquet")
    kept = rows[rows % 7 != 0]
    found = load_split(tmp_path / "split.parquet", Known("regression", NUMBERS[kept]), kept)
    for fold, whole in zip(found.folds, made.folds, strict=True):
        assert kept[fold.held].tolist() == [r for r in whole.held.tolist() if r % 7]
        assert kept[fold.train].tolist() == [r for r in whole.train.tolist() if r % 7]
    few = made.folds[0].held
    with pytest.raises(FitRefused, match="no rows with a known target"):
        load_split(tmp_path / "split.parquet", Known("regression", NUMBERS[few]), few)
