"""Imported by the fork server: small fits, so that no child pays for what a first fit loads.

Much of scikit-learn and pandas is imported and initialised by first use, not by import. Done here,
every fit saves it. Files are left alone: reading them starts threads, which do not survive a fork.
"""

import gc
import io
from typing import Final

import joblib
import numpy as np
import pyarrow as pa

from backend.science import run
from backend.science.column_types import ColumnDescription
from backend.science.fit import fit
from backend.science.spec import FitSpec
from backend.science.trends import smooth

ROWS: Final = 64
CASES: Final = (
    ("amount", "ordinary_least_squares"),
    ("group", "k_nearest_neighbors"),
    ("amount", "random_forest"),
)
COLUMNS: Final = (
    ColumnDescription("x", "number", "numeric", 0, ROWS, None),
    ColumnDescription("group", "string", "categorical", 0, 2, None),
    ColumnDescription("amount", "number", "numeric", 0, ROWS, None),
)


def warm_up() -> None:
    """Fit a small table with one estimator of each kind."""
    x = np.random.default_rng(0).normal(size=ROWS)
    table = pa.table({"x": x, "group": ["a", "b"] * (ROWS // 2), "amount": x + 1})
    for target, estimator in CASES:
        spec = FitSpec(target=target, estimator=estimator)
        result = fit(spec, table, COLUMNS, on_progress=lambda _share, _text: None)
        joblib.dump(result.pipeline, io.BytesIO(), compress=run.COMPRESSION)
        result.example.to_json(orient="records")
    smooth(x, x**2)


warm_up()
# A collection in a child would touch, and so copy, every page that it shares with this process.
gc.collect()
gc.freeze()
