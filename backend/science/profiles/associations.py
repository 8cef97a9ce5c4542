"""How strongly each column goes along with a chosen target, and which look like leaks."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from backend.science.column_types import ColumnDescription
from backend.science.profiles.findings import Finding
from backend.science.profiles.keys import keys_of
from backend.science.profiles.reading import TableReader

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Values = Floats | Codes
AssociationKind = Literal["pearson", "correlation_ratio", "cramers_v"]
SAMPLE_ROWS: Final = 200_000
SEED: Final = 0
# From here on a column says what should be predicted.
LEAK: Final = 0.99
# Fewer pairs, or fewer of them in each group, go along by chance.
FEWEST_PAIRS: Final = 20
FEWEST_PER_GROUP: Final = 5
NUMBERS: Final = ("integer", "number", "date", "datetime")
# Every value is nearly unique, so that each would seem to determine the target.
WITHOUT_ASSOCIATION: Final = ("id", "text", "constant", "image")


@dataclass(frozen=True, slots=True)
class Found:
    """The association of one column with the target, and the leak that it suggests."""

    kind: AssociationKind
    value: float
    pairs: int
    leak: Finding | None


@dataclass(frozen=True, slots=True)
class _Variable:
    """A column, as numbers or as codes of categories, and where it has values."""

    values: Values
    known: npt.NDArray[np.bool_]
    is_number: bool


def associate(
    path: Path, columns: Sequence[ColumnDescription], target: str
) -> dict[str, Found | None]:
    """Associations of all other columns with the target.

    Pearson's correlation of two numbers; the correlation ratio (eta) of a number and a category;
    Cramér's V with Bergsma's correction of two categories. Of at most `SAMPLE_ROWS` rows.

    Parameters
    ----------
    path
        Typed Parquet file.
    columns
        Its columns as `columns.describe_table` described them.
    target
        One of them.

    Returns
    -------
    dict
        None for a column that has none: identifiers, free text, constants, too few values.

    References
    ----------
    Bergsma (2013), Journal of the Korean Statistical Society 42, 323-328.
    """
    reader = TableReader(path)
    described = {column.name: column for column in columns}
    chosen = _rows(reader.rows)
    wanted = [c.name for c in columns if c.name != target and c.role not in WITHOUT_ASSOCIATION]
    found: dict[str, Found | None] = {}
    series = next(_sampled(reader, [target], chosen))
    goal = _variable(series, described[target])
    for series in _sampled(reader, wanted, chosen):
        found[series.name] = _associate(_variable(series, described[series.name]), goal, target)
    return found


def _rows(total: int) -> npt.NDArray[np.int64]:
    """Numbers of the rows to look at, in order."""
    if total <= SAMPLE_ROWS:
        return np.arange(total)
    drawn = np.random.default_rng(SEED).choice(total, SAMPLE_ROWS, replace=False)
    return np.sort(drawn)


def _sampled(
    reader: TableReader, names: Sequence[str], chosen: npt.NDArray[np.int64]
) -> Iterator[pl.Series]:
    """The chosen rows of each column."""
    for block in reader.blocks(names):
        parts = []
        start = 0
        for batch in reader.batches(block):
            first, last = np.searchsorted(chosen, [start, start + batch.height])
            parts.append(batch[chosen[first:last] - start])
            start += batch.height
        yield from pl.concat(parts).iter_columns()


def _variable(series: pl.Series, column: ColumnDescription) -> _Variable:
    known = series.is_not_null().to_numpy()
    if column.type in NUMBERS and column.role != "categorical":
        numbers = series.to_physical().cast(pl.Float64).fill_null(math.nan).to_numpy()
        return _Variable(numbers, known & np.isfinite(numbers), is_number=True)
    codes = np.zeros(len(series), dtype=np.int64)
    codes[known] = np.unique(keys_of(series.drop_nulls()), return_inverse=True)[1]
    return _Variable(codes, known, is_number=False)


def _associate(one: _Variable, goal: _Variable, target: str) -> Found | None:
    both = one.known & goal.known
    x, y = one.values[both], goal.values[both]
    if len(x) < 3 or (x == x[0]).all() or (y == y[0]).all():
        return None
    if one.is_number and goal.is_number:
        kind: AssociationKind = "pearson"
        value = _pearson(x, y)
    elif one.is_number or goal.is_number:
        kind = "correlation_ratio"
        value = _correlation_ratio(x, y) if one.is_number else _correlation_ratio(y, x)
    else:
        kind = "cramers_v"
        value = _cramers_v(x, y)
    if value is None:
        return None
    return Found(kind, value, len(x), _find_leak(one, goal, x, y, abs(value), target))


def _pearson(x: Values, y: Values) -> float | None:
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = _standardized(x), _standardized(y)
        value = float(x @ y)
    return min(max(value, -1.0), 1.0) if math.isfinite(value) else None


def _standardized(x: Values) -> Floats:
    """Centred, of length one; scaled first, so that squares stay finite."""
    centred = x - x.mean()
    centred = centred / np.abs(centred).max()
    return np.asarray(centred / np.sqrt(centred @ centred))


def _correlation_ratio(numbers: Values, groups: Values) -> float | None:
    """The square root of the share of variance that lies between groups."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = _standardized(numbers)
        groups = np.unique(groups, return_inverse=True)[1]
        counts = np.bincount(groups)
        means = np.bincount(groups, weights=z) / counts
        value = math.sqrt(float(counts @ (means * means)))
    return min(value, 1.0) if math.isfinite(value) else None


def _cramers_v(one: Values, other: Values) -> float | None:
    """Bias-corrected; from the cells that occur, so that many categories take no room."""
    n = len(one)
    rows, row_counts = np.unique(one, return_inverse=True, return_counts=True)[1:]
    columns, column_counts = np.unique(other, return_inverse=True, return_counts=True)[1:]
    r, k = len(row_counts), len(column_counts)
    cells, cell_counts = np.unique(rows * k + columns, return_counts=True)
    expected = row_counts[cells // k].astype(float) * column_counts[cells % k]
    squared = float((cell_counts.astype(float) ** 2 / expected).sum()) - 1
    corrected = max(0.0, squared - (k - 1) * (r - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return min(math.sqrt(corrected / smaller), 1.0) if smaller > 0 else None


def _find_leak(
    one: _Variable,
    goal: _Variable,
    x: Values,
    y: Values,
    strength: float,
    target: str,
) -> Finding | None:
    if len(x) < FEWEST_PAIRS:
        return None
    advice = "check that it is known when you predict"
    values = len(np.unique(x))
    may_be_grouped = values * FEWEST_PER_GROUP <= len(x)
    if not goal.is_number and may_be_grouped and _determines(x, y):
        return Finding("leak", f"each of its values has only one {target}; {advice}")
    groups = len(np.unique(y)) if one.is_number else values
    is_chance = one.is_number != goal.is_number and groups * FEWEST_PER_GROUP > len(x)
    if strength >= LEAK and not is_chance:
        return Finding("leak", f"goes along with {target} almost exactly; {advice}")
    return None


def _determines(x: Values, y: Values) -> bool:
    """Whether rows that are equal in x are equal in y."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    return bool((y[1:] == y[:-1])[x[1:] == x[:-1]].all())
