"""What a person should know about a column before a fit is wasted."""

from dataclasses import dataclass
from typing import Final, Literal

from backend.science.column_types import ColumnDescription
from backend.science.profiles.statistics import ColumnStatistics, Outliers, percent

FindingKind = Literal[
    "empty",
    "constant",
    "id_like",
    "missing",
    "skew",
    "outliers",
    "high_cardinality",
    "infinite",
    "leak",
    "imbalance",
]
MUCH_MISSING: Final = 0.2
VERY_SKEWED: Final = 2.0
MANY_CATEGORIES: Final = 50
ONE_SIDED: Final = 0.9
# Images of one class for each of another.
MOST_TIMES: Final = 5
# Below, shapes are chance.
FEWEST_VALUES: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one column, for people."""

    kind: FindingKind
    message: str


def find_problems(
    column: ColumnDescription, statistics: ColumnStatistics, rows: int
) -> list[Finding]:
    """What is odd about a column, the worst first.

    Parameters
    ----------
    column, statistics
        The same column.
    rows
        Of the table.
    """
    if not statistics.present:
        return [Finding("empty", "the column is empty")]
    found = []
    if statistics.infinite:
        values = _count(statistics.infinite, "value")
        found.append(Finding("infinite", f"{values} too large or infinite"))
    missing = rows - statistics.present
    if missing > MUCH_MISSING * rows:
        share = percent(missing / rows)
        found.append(Finding("missing", f"{missing:,} of {rows:,} values are missing ({share})"))
    if statistics.distinct == 1:
        found.append(Finding("constant", "the same value in every row"))
    elif column.role == "id":
        found.append(Finding("id_like", "looks like an identifier: a fit leaves it out"))
    elif column.role in ("categorical", "boolean", "text"):
        found += _of_categories(column, statistics)
    elif column.role == "numeric" and statistics.present >= FEWEST_VALUES:
        found += _of_numbers(statistics)
    return found


def _of_categories(column: ColumnDescription, statistics: ColumnStatistics) -> list[Finding]:
    found = []
    top = statistics.top[0]
    share = top.count / statistics.present
    if statistics.present >= FEWEST_VALUES and share > ONE_SIDED:
        found.append(Finding("imbalance", f"{percent(share)} of the values are {top.value!r}"))
    if column.role == "text":
        message = f"free text with {statistics.distinct:,} different values"
        found.append(Finding("high_cardinality", message))
    elif statistics.distinct > MANY_CATEGORIES:
        message = f"{statistics.distinct:,} categories: many of them are rare"
        found.append(Finding("high_cardinality", message))
    return found


def _of_numbers(statistics: ColumnStatistics) -> list[Finding]:
    found = []
    if statistics.skewness is not None and abs(statistics.skewness) > VERY_SKEWED:
        found.append(Finding("skew", _describe_skew(statistics.skewness, statistics.minimum)))
    outliers = statistics.outliers
    if outliers is not None and outliers.below + outliers.above:
        found.append(Finding("outliers", _describe_outliers(outliers)))
    return found


def _describe_skew(skewness: float, minimum: int | float | str | None) -> str:
    shape = (
        "a few values are much larger than most"
        if skewness > 0
        else ("a few values are much smaller than most")
    )
    may_be_logged = skewness > 0 and not isinstance(minimum, str) and (minimum or 0) > 0
    advice = "; a logarithm may help" if may_be_logged else ""
    return f"skewness {skewness:.1f}: {shape}{advice}"


def _describe_outliers(outliers: Outliers) -> str:
    sides = []
    if outliers.below:
        sides.append(
            f"{_count(outliers.below, 'value')} far below the others (< {outliers.low:.4g})"
        )
    if outliers.above:
        sides.append(
            f"{_count(outliers.above, 'value')} far above the others (> {outliers.high:.4g})"
        )
    return " and ".join(sides)


def find_image_problems(classes: dict[str, int]) -> list[Finding]:
    """What is odd about the labels of images."""
    counts = sorted(classes.items(), key=lambda item: (item[1], item[0]))
    if len(counts) < 2:
        return [Finding("constant", "all images have the same label")]
    (rarest, few), (commonest, many) = counts[0], counts[-1]
    if many <= MOST_TIMES * few:
        return []
    message = f"{many:,} images of {commonest!r} but only {few:,} of {rarest!r}"
    return [Finding("imbalance", message)]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
