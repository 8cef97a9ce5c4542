"""Which rows a fit learns from and which it is scored on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from backend.science.spec import Holdout, NoValidation, Task

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Positions within the known rows: `train` and `holdout`, disjoint and sorted."""

    train: Rows
    holdout: Rows
    warnings: tuple[str, ...] = ()


def split_rows(
    validation: Holdout | NoValidation, task: Task, target: npt.NDArray[Any], seed: int
) -> Split:
    """Split n rows.

    Parameters
    ----------
    validation
        How to split.
    target
        Shape (n,); classes are kept in proportion where each has two rows or more.
    seed
        Fixes the draw.
    """
    count = len(target)
    everything = np.arange(count, dtype=np.int64)
    if isinstance(validation, NoValidation):
        return Split(everything, everything[:0])
    if not validation.shuffle:
        cut = count - max(1, round(count * validation.test_size))
        return Split(everything[:cut], everything[cut:])
    stratify, warnings = _strata(task, target, validation.test_size)
    train, holdout = train_test_split(
        everything, test_size=validation.test_size, random_state=seed, stratify=stratify
    )
    return Split(np.sort(train), np.sort(holdout), warnings)


def _strata(
    task: Task, target: npt.NDArray[Any], test_size: float
) -> tuple[npt.NDArray[Any] | None, tuple[str, ...]]:
    if task == "regression":
        return None, ()
    classes, counts = np.unique(target, return_counts=True)
    held = int(np.ceil(len(target) * test_size))
    if counts.min() >= 2 and held >= len(classes):
        return target, ()
    rare = ", ".join(str(name) for name in classes[counts < 2][:5]) or "some classes"
    return None, (f"The hold-out is not balanced over classes: too few rows of {rare}.",)
