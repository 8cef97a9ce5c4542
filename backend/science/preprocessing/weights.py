"""Weights of rows: a column of the table, and the weights of classes."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.utils.class_weight import compute_class_weight

from backend.science.column_types import ColumnDescription
from backend.science.preprocessing.checks import WEIGHT_TYPES
from backend.science.refusal import FitRefused
from backend.science.spec import ClassWeight
from backend.science.target import Target

Floats = npt.NDArray[np.float64]
# Squares and sums of weights must stay finite.
LARGEST_WEIGHT: Final = 1e100


def read_weights(table: pa.Table, column: ColumnDescription, rows: npt.NDArray[np.int64]) -> Floats:
    """The weights of some rows of a table.

    Parameters
    ----------
    table
        Arrow table.
    column
        Description of the column that holds them.
    rows
        Positions in the table, shape (n,).

    Returns
    -------
    array of shape (n,)

    Raises
    ------
    FitRefused
        Some are missing, negative or not finite, or all are zero.
    """
    if column.type not in WEIGHT_TYPES:
        raise FitRefused(
            f"{column.name} holds {column.type} values; weights are numbers.", column.name
        )
    stored = table.column(column.name).cast(pa.float64(), safe=False)
    weights = np.asarray(stored.to_pandas(), dtype=np.float64)[rows]
    faults = {
        "missing": np.isnan(weights),
        "negative": weights < 0,
        "too large": weights > LARGEST_WEIGHT,
    }
    for fault, places in faults.items():
        if count := int(places.sum()):
            raise FitRefused(
                f"{column.name} holds the weights, but {count:,} of {len(rows):,} are {fault}.",
                column.name,
            )
    if not weights.any():
        raise FitRefused(f"{column.name} holds the weights, but all are zero.", column.name)
    return weights


def class_weights(wish: ClassWeight, target: npt.NDArray[Any]) -> Floats | None:
    """The weight of each row from its class; None where classes count as they come.

    Parameters
    ----------
    wish
        `balanced` gives n / (k * rows of the class), learnt from these rows; names of classes
        give what they say, and 1 to those without a name.
    target
        Classes of the rows to learn from, shape (n,).

    Returns
    -------
    array of shape (n,), or None

    Raises
    ------
    FitRefused
        A name is no class, or all classes weigh nothing.

    References
    ----------
    King, Zeng (2001), Logistic Regression in Rare Events Data.
    """
    if wish == "none":
        return None
    classes, places = np.unique(target, return_inverse=True)
    if wish == "balanced":
        per_class = compute_class_weight("balanced", classes=classes, y=target)
    else:
        per_class = _named(wish, classes)
    return np.asarray(per_class, dtype=np.float64)[places]


def check_class_weights(wish: ClassWeight, target: Target, name: str) -> None:
    """Refuse weights of classes that the target has not.

    Parameters
    ----------
    wish
        What the fit asks for.
    target
        All known rows.
    name
        The target's name.

    Raises
    ------
    FitRefused
        The target is a number, a name is no class, or no class has a weight.
    """
    if wish == "none":
        return
    if target.task == "regression":
        raise FitRefused(f"{name} is a number; it has no classes to weigh.", name)
    if isinstance(wish, str):
        return
    known = [class_name(value) for value in np.unique(target.values)]
    unknown = [given for given in wish if given not in known]
    if unknown:
        raise FitRefused(
            f"{name} has no class {', '.join(unknown)}. Its classes are {', '.join(known[:20])}.",
            name,
        )
    if not any(wish.get(given, 1.0) for given in known):
        raise FitRefused(f"All classes of {name} weigh nothing.", name)


def class_name(value: Any) -> str:
    """How a request names a class: true and false, numbers and texts as in JSON."""
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)


def _named(wish: Mapping[str, float], classes: npt.NDArray[Any]) -> list[float]:
    return [wish.get(class_name(value), 1.0) for value in classes]


def learning_weights(
    weights: Floats | None, wish: ClassWeight, target: npt.NDArray[Any]
) -> Floats | None:
    """The weights to learn with: those of the rows times those of their classes.

    Parameters
    ----------
    weights
        Of the rows to learn from, shape (n,); None counts each once.
    wish
        Weights of classes.
    target
        Of the same rows, shape (n,).

    Raises
    ------
    FitRefused
        They are zero throughout, so that nothing is learnt.
    """
    of_classes = class_weights(wish, target)
    if weights is None or of_classes is None:
        together = of_classes if weights is None else weights
    else:
        together = weights * of_classes
    if together is not None and not together.any():
        raise FitRefused("All rows to learn from have the weight 0.")
    return together
