"""Whether a fit gave the same numbers again, and what is different where it did not."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Of the outcome: what follows from the data and the request alone.
COMPARED: Final = (
    "task",
    "features",
    "rows_used",
    "rows_holdout",
    "rows_dropped",
    "metrics",
    "baseline_metrics",
    "metric_intervals",
    "metric_spread",
    "fold_metrics",
    "best_params",
)
# Of each kind; who sees so many knows enough.
SHOWN: Final = 20
Difference = dict[str, Any]


def compare_outcomes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Values of two outcomes that are not equal to the last bit.

    Parameters
    ----------
    then, now
        As `run.run_request` answers them; what an older release did not tell is not compared.
    """
    found: list[Difference] = []
    for name in COMPARED:
        if name in then:
            _compare(name, then[name], now.get(name), found)
    return found[:SHOWN]


def _compare(what: str, then: Any, now: Any, found: list[Difference]) -> None:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in [*then, *(name for name in now if name not in then)]:
            _compare(f"{what}.{name}", then.get(name), now.get(name), found)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (before, after) in enumerate(zip(then, now, strict=True)):
            _compare(f"{what}.{place}", before, after, found)
    elif not _same(then, now):
        found.append({"what": what, "then": then, "now": now})


def _same(then: Any, now: Any) -> bool:
    if isinstance(then, float) and isinstance(now, float) and math.isnan(then):
        return math.isnan(now)
    return bool(then == now)


def compare_predictions(then: Path, now: Path) -> list[Difference]:
    """Held-out rows whose predictions are not equal to the last bit.

    Parameters
    ----------
    then, now
        Parquet files as a fit leaves them; either may be missing where nothing was held out.
    """
    if not (then.exists() and now.exists()):
        return _compare_presence("held-out rows", then, now)
    before, after = (pq.read_table(path, use_threads=False) for path in (then, now))
    if not before["row"].equals(after["row"]):
        return [{"what": "held-out rows", "then": before.num_rows, "now": after.num_rows}]
    found: list[Difference] = []
    for name in before.column_names:
        if name in after.column_names:
            found += _compare_column(name, before, after)
    return found[:SHOWN]


def _compare_column(name: str, before: pa.Table, after: pa.Table) -> list[Difference]:
    left, right = (np.asarray(table[name].to_pandas()) for table in (before, after))
    is_float = all(np.issubdtype(values.dtype, np.floating) for values in (left, right))
    differs = ~((left == right) | (np.isnan(left) & np.isnan(right))) if is_float else left != right
    if not differs.any():
        return []
    first = int(np.flatnonzero(differs)[0])
    row = before["row"][first].as_py()
    what = f"{name} of row {row}, and {int(differs.sum()) - 1:,} more"
    return [{"what": what, "then": before[name][first].as_py(), "now": after[name][first].as_py()}]


def compare_coefficients(then: Path, now: Path) -> list[Difference]:
    """Numbers of two coefficient tables that are not equal to the last bit.

    Parameters
    ----------
    then, now
        JSON files as a fit leaves them; either may be missing for estimators without terms.
    """
    if not (then.exists() and now.exists()):
        return _compare_presence("coefficients", then, now)
    found: list[Difference] = []
    before, after = (json.loads(path.read_text()) for path in (then, now))
    # A later release may tell more; what it tells of the same is compared.
    _compare("coefficients.items", before.pop("items"), after.pop("items"), found)
    for name in before:
        if name != "warnings":
            _compare(f"coefficients.{name}", before[name], after.get(name), found)
    return found[:SHOWN]


def _compare_presence(what: str, then: Path, now: Path) -> list[Difference]:
    if then.exists() == now.exists():
        return []
    return [{"what": what, "then": _presence(then), "now": _presence(now)}]


def _presence(path: Path) -> str:
    return "there" if path.exists() else "none"


def compare_environments(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Versions of libraries, and the platform, that are not the same: what may be the cause.

    Parameters
    ----------
    then, now
        As `environment.describe_environment` tells them.
    """
    found: list[Difference] = []
    _compare("environment", dict(then), dict(now), found)
    return found
