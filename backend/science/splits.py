"""Which rows a fit learns from and which it is scored on."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, assert_never

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from backend.science import spec as kinds
from backend.science.refusal import FitRefused
from backend.science.spec import Task

Rows = npt.NDArray[np.int64]
Pairs = Iterator[tuple[Rows, Rows]]
# Each row of a larger table would cost a fit.
MOST_LEFT_OUT: Final = 1_000
FEWEST_BEFORE: Final = 2


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions within the known rows: `train` and `held`, disjoint and sorted."""

    train: Rows
    held: Rows
    repeat: int = 0
    fold: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """All folds of a fit.

    Attributes
    ----------
    folds
        None where nothing is scored. Within a repeat no row is held out twice.
    train
        Positions that the fit's own model learns from: those beside the one hold-out, else all.
    follows
        How the rows to learn from follow from the rows held out: all others, or those before.
    column, gap
        The column that it goes by: groups, or times; None for the order of the file.
    """

    kind: str
    folds: tuple[Fold, ...]
    train: Rows
    warnings: tuple[str, ...] = ()
    follows: Literal["complement", "before"] = "complement"
    column: str | None = None
    gap: int = 0

    @property
    def like(self) -> kinds.Validation:
        """A validation of the same nature, for folds inside the training rows."""
        if self.follows == "before":
            return kinds.TimeSeries(column=self.column, gap=self.gap)
        return kinds.KFold() if self.column is None else kinds.Group(column=self.column)

    @property
    def learned(self) -> int:
        """How many models are learnt: one per fold, and the one that is kept."""
        return len(self.folds) + (not self.is_one_holdout)

    @property
    def is_one_holdout(self) -> bool:
        """Whether the model that is scored is the model that is kept."""
        return len(self.folds) == 1


@dataclass(frozen=True, slots=True)
class Known:
    """What a split depends on, for the n rows whose target is known.

    Attributes
    ----------
    target
        Shape (n,).
    keys
        Shape (n,): the group of each row, or what orders the rows in time; None without.
    """

    task: Task
    target: npt.NDArray[Any]
    keys: npt.NDArray[Any] | None = None

    def take(self, rows: Rows) -> "Known":
        """The same for some of the rows."""
        return replace(
            self,
            target=self.target[rows],
            keys=None if self.keys is None else self.keys[rows],
        )


def split_rows(validation: kinds.Validation, known: Known, seed: int) -> Split:
    """Split n rows.

    Parameters
    ----------
    validation
        How to split; not `same_rows`, which `split_files` reads.
    known
        The rows.
    seed
        Fixes the draw.

    Raises
    ------
    FitRefused
        The rows do not allow this split.
    """
    everything = np.arange(len(known.target), dtype=np.int64)
    match validation:
        case kinds.NoValidation():
            return Split("none", (), everything)
        case kinds.Holdout():
            return _holdout(validation, known, seed)
        case kinds.KFold():
            return _k_fold(validation, known, seed)
        case kinds.Repeated():
            return _repeated(validation, known, seed)
        case kinds.Group():
            return _grouped(validation, known, seed)
        case kinds.TimeSeries():
            return _in_time(validation, known)
        case kinds.LeaveOneOut():
            _require(len(everything) <= MOST_LEFT_OUT, _too_many(len(everything)))
            return _numbered("leave_one_out", LeaveOneOut().split(everything), known)
        case kinds.SameRows():
            raise ValueError("the split of another fit comes from its file")
    assert_never(validation)


def inner_folds(validation: kinds.Validation, known: Known, folds: int, seed: int) -> list[Fold]:
    """Folds inside training rows, of the same kind as the outer split.

    Parameters
    ----------
    validation
        Of the fit.
    known
        The training rows.
    folds
        How many.
    seed
        Fixes the draw.

    Raises
    ------
    FitRefused
        The rows do not allow so many folds.
    """
    inner: kinds.Validation
    match validation:
        case kinds.Group():
            inner = validation.model_copy(update={"folds": folds})
        case kinds.TimeSeries():
            inner = validation.model_copy(update={"folds": folds})
        case _:
            inner = kinds.KFold(folds=folds)
    return list(split_rows(inner, known, seed).folds)


def _require(holds: bool, text: str, column: str | None = None) -> None:
    if not holds:
        raise FitRefused(text, column)


def _too_many(rows: int) -> str:
    return (
        f"Leave-one-out fits once per row; it is for at most {MOST_LEFT_OUT:,} rows, and there "
        f"are {rows:,}. Choose k-fold."
    )


def _numbered(
    kind: str,
    pairs: Pairs,
    known: Known,
    *,
    folds: int | None = None,
    warnings: tuple[str, ...] = (),
) -> Split:
    """Folds that take turns; of several repeats each has so many."""
    made = tuple(
        Fold(np.sort(train), np.sort(held), *divmod(number, folds or len(known.target)))
        for number, (train, held) in enumerate(pairs)
    )
    return Split(kind, made, np.arange(len(known.target), dtype=np.int64), warnings)


def _holdout(validation: kinds.Holdout, known: Known, seed: int) -> Split:
    count = len(known.target)
    everything = np.arange(count, dtype=np.int64)
    if not validation.shuffle:
        cut = count - max(1, round(count * validation.test_size))
        return Split("holdout", (Fold(everything[:cut], everything[cut:]),), everything[:cut])
    stratify, told = _strata(known, validation.test_size)
    train, held = train_test_split(
        everything, test_size=validation.test_size, random_state=seed, stratify=stratify
    )
    fold = Fold(np.sort(train), np.sort(held))
    return Split("holdout", (fold,), fold.train, told)


def _strata(known: Known, test_size: float) -> tuple[npt.NDArray[Any] | None, tuple[str, ...]]:
    if known.task == "regression":
        return None, ()
    classes, counts = np.unique(known.target, return_counts=True)
    held = int(np.ceil(len(known.target) * test_size))
    if counts.min() >= 2 and held >= len(classes):
        return known.target, ()
    rare = ", ".join(str(name) for name in classes[counts < 2][:5]) or "some classes"
    return None, (f"The hold-out is not balanced over classes: too few rows of {rare}.",)


def _k_fold(validation: kinds.KFold, known: Known, seed: int) -> Split:
    in_proportion, told = _can_stratify(known, validation.folds)
    make = StratifiedKFold if in_proportion else KFold
    state = seed if validation.shuffle else None
    splitter = make(validation.folds, shuffle=validation.shuffle, random_state=state)
    return _numbered("kfold", _pairs(splitter, known), known, warnings=told)


def _repeated(validation: kinds.Repeated, known: Known, seed: int) -> Split:
    folds, repeats = validation.folds, validation.repeats
    in_proportion, told = _can_stratify(known, folds)
    make = RepeatedStratifiedKFold if in_proportion else RepeatedKFold
    splitter = make(n_splits=folds, n_repeats=repeats, random_state=seed)
    return _numbered("repeated", _pairs(splitter, known), known, folds=folds, warnings=told)


def _pairs(splitter: Any, known: Known, groups: npt.NDArray[Any] | None = None) -> Pairs:
    blank = np.zeros((len(known.target), 1))
    with warnings.catch_warnings():
        # Said in our own words.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield from splitter.split(blank, known.target, groups)


def _can_stratify(known: Known, folds: int) -> tuple[bool, tuple[str, ...]]:
    count = len(known.target)
    _require(folds <= count, f"{folds} folds need as many rows; there are {count:,}.")
    if known.task == "regression":
        return False, ()
    classes, counts = np.unique(known.target, return_counts=True)
    rare = ", ".join(str(name) for name in classes[counts < folds][:5])
    if not rare:
        return True, ()
    told = f"Not every fold holds all classes: fewer than {folds} rows of {rare}."
    return bool((counts >= folds).any()), (told,)


def _grouped(validation: kinds.Group, known: Known, seed: int) -> Split:
    name, folds = validation.column, validation.folds
    if known.keys is None:
        raise ValueError("a split by groups needs the groups")
    groups = np.unique(known.keys, return_inverse=True)[1]
    count = int(groups.max()) + 1
    _require(count >= folds, f"{name} names {count:,} groups, fewer than the {folds} folds.", name)
    pairs: list[tuple[Rows, Rows]] = []
    if known.task != "regression" and _can_stratify(known, folds)[0]:
        stratified = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        pairs = list(_pairs(stratified, known, groups))
    told: tuple[str, ...] = ()
    if known.task != "regression" and (not pairs or min(len(held) for _, held in pairs) == 0):
        told = (f"The folds are not balanced over classes: too few groups of {name}.",)
        pairs = []
    if not pairs:
        plain = GroupKFold(folds, shuffle=True, random_state=seed)
        pairs = list(_pairs(plain, known, groups))
    return replace(_numbered("group", iter(pairs), known, warnings=told), column=name)


def _in_time(validation: kinds.TimeSeries, known: Known) -> Split:
    """An expanding window; rows of the same time are never on both sides of it."""
    count, folds, gap = len(known.target), validation.folds, validation.gap
    size = count // (folds + 1)
    first = count - folds * size - gap
    _require(
        size > 0 and first >= FEWEST_BEFORE,
        f"{folds} periods with a gap of {gap:,} leave no rows to learn from before the first; "
        f"there are {count:,} rows.",
    )
    order = time_order(known)
    splitter = TimeSeriesSplit(folds, gap=gap)
    made = []
    for number, (_, held) in enumerate(splitter.split(order)):
        train = rows_before(known, order, int(held[0]), gap)
        _require(
            len(train) >= FEWEST_BEFORE,
            f"No {FEWEST_BEFORE} rows come before period {number + 1}: too many rows have the "
            "same time.",
            validation.column,
        )
        made.append(Fold(train, np.sort(order[held]), 0, number))
    everything = np.arange(count, dtype=np.int64)
    return Split(
        "time", tuple(made), everything, follows="before", column=validation.column, gap=gap
    )


def time_order(known: Known) -> Rows:
    """Positions from the earliest to the latest row; rows of the same time as in the file."""
    if known.keys is None:
        return np.arange(len(known.target), dtype=np.int64)
    return np.argsort(known.keys, kind="stable").astype(np.int64)


def rows_before(known: Known, order: Rows, place: int, gap: int) -> Rows:
    """Positions of the rows before a place in the order, without those of the same time.

    Parameters
    ----------
    known, order
        The rows, and their positions in order.
    place
        Where the held-out rows begin.
    gap
        How many rows right before are left out.
    """
    before = order[: max(0, place - gap)]
    if known.keys is not None:
        before = before[known.keys[before] < known.keys[order[place]]]
    return np.sort(before)
