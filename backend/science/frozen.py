"""The rows of a stored hold-out on which a challenger meets a champion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# The challenger must have other rows to learn from, and the comparison enough to tell something.
SHARE: Final = 0.1
FEWEST: Final = 10
PROBABILITY: Final = "probability:"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was held out.

    Attributes
    ----------
    rows
        Row numbers in the dataset, shape (n,).
    observed
        Shape (n,).
    predicted, probabilities
        Of the models that did not see these rows; None where the stored model did not, so that it
        can be asked itself.
    """

    rows: pa.Array
    observed: npt.NDArray[Any]
    predicted: npt.NDArray[Any] | None
    probabilities: npt.NDArray[np.float64] | None


def read_frozen(path: str | Path) -> Frozen:
    """The one hold-out, or the last folds of several.

    The model of a cross-validated fit has learnt from all rows in the end; what it predicts for
    them says nothing. What its folds predicted does.

    Parameters
    ----------
    path
        Parquet file of a fit's hold-out.
    """
    table, crossed = _read(path)
    observed = np.array(table["observed"].to_pylist())
    rows = frozen_rows(path)
    if not crossed:
        return Frozen(rows, observed, None, None)
    named = [name for name in table.column_names if name.startswith(PROBABILITY)]
    shares = np.column_stack([table[name].to_numpy() for name in named]) if named else None
    return Frozen(rows, observed, np.array(table["predicted"].to_pylist()), shares)


def frozen_rows(path: str | Path) -> pa.Array:
    """Their numbers alone.

    Parameters
    ----------
    path
        See `read_frozen`.
    """
    return pc.cast(_read(path)[0]["row"].combine_chunks(), pa.int64())


def _read(path: str | Path) -> tuple[pa.Table, bool]:
    """What counts of the file, and whether it was predicted by the models of folds."""
    table = pq.read_table(path, use_threads=False)
    if "fold" not in table.column_names:
        return table, False
    folds = table["fold"].to_numpy()
    if (folds == folds[0]).all():
        return table, False
    return table.filter(pa.array(_last(folds))), True


def _last(folds: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """As many folds from the end as hold enough rows."""
    wanted = max(FEWEST, SHARE * len(folds))
    numbers, counts = np.unique(folds, return_counts=True)
    held = np.cumsum(counts[::-1])[::-1]
    enough = np.flatnonzero(held >= min(wanted, len(folds)))
    return np.asarray(folds >= numbers[enough[-1]])
