"""The code that draws a fit's folds again."""

from collections.abc import Sequence

import numpy as np

from backend.science import spec as kinds
from backend.science.reproduction.code import Code
from backend.science.spec import FitSpec
from backend.science.splits import Known, Split
from backend.science.target import Target

SPLITTING = "sklearn.model_selection"


def fold_lines(
    spec: FitSpec, known: Known, split: Split, target: Target, code: Code
) -> Sequence[str]:
    """Lines that make `folds`: pairs of positions to learn from and to score, for each first fold.

    Parameters
    ----------
    spec, known, split, target
        The fit.
    code
        Takes the imports.
    """
    match spec.validation:
        case kinds.Holdout() as holdout:
            return _holdout(holdout, spec.seed, known, code)
        case kinds.KFold() as kfold:
            kind = _in_proportion("KFold", known, kfold.folds)
            state = spec.seed if kfold.shuffle else None
            made = code.use(SPLITTING, kind)
            call = f"{made}({kfold.folds}, shuffle={kfold.shuffle}, random_state={state})"
            return _turns(call)
        case kinds.Repeated() as repeated:
            kind = _in_proportion("KFold", known, repeated.folds)
            made = code.use(SPLITTING, f"Repeated{kind}")
            call = (
                f"{made}(n_splits={repeated.folds}, n_repeats={repeated.repeats}, "
                f"random_state={spec.seed})"
            )
            return [*_turns(call)[:-1], f"folds = folds[:{repeated.folds}]", ""]
        case kinds.LeaveOneOut():
            return _turns(f"{code.use(SPLITTING, 'LeaveOneOut')}()")
        case kinds.TimeSeries() as time:
            return _in_time(time, known, code)
        case _:
            return _listed(split, target, known)


def _holdout(holdout: kinds.Holdout, seed: int, known: Known, code: Code) -> list[str]:
    if not holdout.shuffle:
        cut = len(known.target) - max(1, round(len(known.target) * holdout.test_size))
        return [
            f"folds = [(np.arange({cut}), np.arange({cut}, len(target)))]",
            "",
        ]
    stratify = "target" if _is_stratified(known, holdout.test_size) else "None"
    made = code.use(SPLITTING, "train_test_split")
    return [
        f"train, held = {made}(",
        f"    np.arange(len(target)), test_size={holdout.test_size!r}, random_state={seed}, "
        f"stratify={stratify}",
        ")",
        "folds = [(np.sort(train), np.sort(held))]",
        "",
    ]


def _is_stratified(known: Known, test_size: float) -> bool:
    if known.task == "regression":
        return False
    counts = np.unique(known.target, return_counts=True)[1]
    return bool(counts.min() >= 2 and int(np.ceil(len(known.target) * test_size)) >= len(counts))


def _in_proportion(name: str, known: Known, folds: int) -> str:
    if known.task == "regression":
        return name
    counts = np.unique(known.target, return_counts=True)[1]
    return f"Stratified{name}" if (counts >= folds).any() else name


def _turns(splitter: str) -> list[str]:
    return [
        f"splitter = {splitter}",
        "folds = list(splitter.split(np.zeros((len(target), 1)), target))",
        "",
    ]


def _in_time(time: kinds.TimeSeries, known: Known, code: Code) -> list[str]:
    made = code.use(SPLITTING, "TimeSeriesSplit")
    if known.keys is None:
        return [f"folds = list({made}({time.folds}, gap={time.gap}).split(target))", ""]
    return [
        f"times = numbers({time.column!r})[rows]",
        "order = np.argsort(times, kind='stable')",
        "folds = []",
        f"for _, later in {made}({time.folds}, gap={time.gap}).split(order):",
        f"    before = order[: max(0, later[0] - {time.gap})]",
        "    # Rows of the same time are never on both sides.",
        "    before = before[times[before] < times[order[later[0]]]]",
        "    folds.append((np.sort(before), np.sort(order[later])))",
        "",
    ]


def _listed(split: Split, target: Target, known: Known) -> list[str]:
    """Folds that follow from groups or from another fit, as row numbers of the table."""
    first = [fold for fold in split.folds if fold.repeat == 0]
    lines = ["held_rows = ["]
    lines += [f"    {target.rows[fold.held].tolist()!r}," for fold in first]
    lines += ["]", "folds = []", "for part in held_rows:", "    held = np.searchsorted(rows, part)"]
    if split.follows == "before":
        lines += _before(split, known)
    else:
        lines.append("    train = np.setdiff1d(np.arange(len(target)), held)")
    return [*lines, "    folds.append((train, held))", ""]


def _before(split: Split, known: Known) -> list[str]:
    if known.keys is None:
        return [f"    train = np.arange(max(0, held.min() - {split.gap}))"]
    return [
        f"    times = numbers({split.column!r})[rows]",
        "    order = np.argsort(times, kind='stable')",
        "    place = np.flatnonzero(np.isin(order, held))[0]",
        f"    before = order[: max(0, place - {split.gap})]",
        "    train = np.sort(before[times[before] < times[order[place]]])",
    ]
