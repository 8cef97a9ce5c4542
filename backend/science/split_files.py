"""The split of a fit as a file, so that another fit can be scored on the same rows."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backend.science.refusal import FitRefused
from backend.science.splits import (
    Fold,
    Known,
    Rows,
    Split,
    rows_before,
    time_order,
)

KEY: Final = b"goodfit"


def save_split(split: Split, rows: Rows, path: Path) -> None:
    """Write which rows are held out in which fold.

    Parameters
    ----------
    split
        With one fold or more.
    rows
        Row numbers of the known rows in the dataset, counted from 0, shape (n,).
    path
        Parquet file of `row`, `repeat`, `fold`; its key-value metadata tells, as JSON under
        `goodfit`, the `kind`, how the rows to learn from follow (`complement`: all other rows
        with a known target; `before`: those before the first held out, ordered by `column`, or
        as in the file, without `gap` rows and without those of the same time).
    """
    held = [rows[fold.held] for fold in split.folds]
    sizes = [len(part) for part in held]
    table = pa.table(
        {
            "row": np.concatenate(held),
            "repeat": np.repeat([fold.repeat for fold in split.folds], sizes).astype(np.int32),
            "fold": np.repeat([fold.fold for fold in split.folds], sizes).astype(np.int32),
        }
    )
    told = {
        "kind": split.kind,
        "follows": split.follows,
        "column": split.column,
        "gap": split.gap,
        "one_holdout": split.is_one_holdout,
    }
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(told).encode()}), path)


def stored_keys(path: Path) -> tuple[str | None, bool]:
    """The column that a stored split goes by, if any, and whether it is one of times."""
    told = _told(pq.read_schema(path))
    column = told["column"]
    return None if column is None else str(column), told["follows"] == "before"


def _told(schema: pa.Schema) -> dict[str, object]:
    told: dict[str, object] = json.loads((schema.metadata or {})[KEY])
    return told


def load_split(path: Path, known: Known, rows: Rows) -> Split:
    """The same split for the rows that are known here.

    Parameters
    ----------
    path
        Written by `save_split` for the same dataset version.
    known, rows
        The rows here, and their numbers in the dataset.

    Raises
    ------
    FitRefused
        A fold has no rows with a known target to learn from or to score on.
    """
    table = pq.read_table(path, use_threads=False)
    told = _told(table.schema)
    stored, repeats, numbers = (table.column(name).to_numpy() for name in ("row", "repeat", "fold"))
    folds: list[Fold] = []
    for repeat, number in sorted(set(zip(repeats.tolist(), numbers.tolist(), strict=True))):
        chosen = stored[(repeats == repeat) & (numbers == number)]
        held = np.flatnonzero(np.isin(rows, chosen)).astype(np.int64)
        folds.append(Fold(_train(told, known, held), held, repeat, number))
    if any(len(fold.train) == 0 or len(fold.held) == 0 for fold in folds):
        raise FitRefused(
            "A fold of that fit has no rows with a known target here. Choose another validation."
        )
    everything = np.arange(len(rows), dtype=np.int64)
    return Split(
        "same_rows",
        tuple(folds),
        folds[0].train if len(folds) == 1 else everything,
        follows="before" if told["follows"] == "before" else "complement",
        column=None if told["column"] is None else str(told["column"]),
        gap=int(str(told["gap"])),
    )


def _train(told: dict[str, object], known: Known, held: Rows) -> Rows:
    if len(held) == 0:
        return held
    if told["follows"] == "complement":
        kept = np.ones(len(known.target), dtype=bool)
        kept[held] = False
        return np.flatnonzero(kept).astype(np.int64)
    order = time_order(known)
    first = int(np.flatnonzero(np.isin(order, held))[0])
    return rows_before(known, order, first, int(str(told["gap"])))
