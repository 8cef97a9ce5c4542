"""Types of columns that are written as text, decided over all values and never over a sample.

A column keeps the set of types that all its values so far may have. The set only shrinks, so the
parts of a table can be looked at one after the other, and the outcome is that of the whole.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import polars as pl

# What the common tools write for "missing"; anything else is a value.
NULL_TEXTS: Final = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>")
# A code is digits with a leading zero, as in postal codes: a number would lose the zero.
CODE: Final = r"^0\d+$"
WHOLE: Final = r"^[+-]?\d+$"
# polars reads years, months and days of fewer digits as well: 3-2-1 would be the year 3.
ISO_DAY: Final = r"^\d{4}-\d\d-\d\d"
FIRST_DAY: Final = date(1, 1, 1)
LAST_DAY: Final = date(9999, 12, 31)
BEYOND_64_BITS: Final = "whole numbers beyond 64 bits are read as approximate"

Kind = Literal[
    "boolean", "integer", "number", "date", "instant", "instant_blank", "instant_minutes", "text"
]
# In this order a column takes the first type that all its values have.
KINDS: Final[tuple[Kind, ...]] = (
    "boolean",
    "integer",
    "number",
    "date",
    "instant",
    "instant_blank",
    "instant_minutes",
)
INSTANT_FORMATS: Final[Mapping[Kind, str]] = {
    "instant": "%Y-%m-%dT%H:%M:%S%.f",
    "instant_blank": "%Y-%m-%d %H:%M:%S%.f",
    "instant_minutes": "%Y-%m-%d %H:%M",
}
DTYPES: Final[Mapping[Kind, pl.DataType]] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "date": pl.Date(),
    "instant": pl.Datetime("us"),
    "instant_blank": pl.Datetime("us"),
    "instant_minutes": pl.Datetime("us"),
    "text": pl.String(),
}
NUMERIC: Final = frozenset[Kind]({"integer", "number"})


@dataclass(frozen=True, slots=True)
class Candidates:
    """The types that all values of a column seen so far may have.

    Attributes
    ----------
    kinds
        Never holds "text", which is always possible.
    seen
        Whether any value was present.
    whole
        Whether all values were written as whole numbers, of whatever size.
    """

    kinds: frozenset[Kind] = frozenset(KINDS)
    seen: bool = False
    whole: bool = True

    @property
    def kind(self) -> Kind:
        """The type of a column that holds nothing but the values seen."""
        if not self.seen:
            return "text"
        return next((kind for kind in KINDS if kind in self.kinds), "text")

    def warning(self) -> str | None:
        """What is to be said about the choice."""
        if not self.seen:
            return "the column is empty"
        return BEYOND_64_BITS if self.kind == "number" and self.whole else None


def trimmed(text: pl.Series) -> pl.Series:
    """Without blanks around values; what stands for missing is null."""
    bare = text.str.strip_chars()
    return bare.set(bare.is_in(list(NULL_TEXTS)), None)


def convert(bare: pl.Series, kind: Kind) -> pl.Series:
    """Trimmed text as values of a type; null where it is none.

    Parameters
    ----------
    bare
        As `trimmed` gives it.
    kind
        Any but "text".
    """
    if kind == "boolean":
        words = {"true": True, "false": False}
        lowered = bare.str.to_lowercase()
        return lowered.replace_strict(words, default=None, return_dtype=pl.Boolean)
    if kind == "date" or kind in INSTANT_FORMATS:
        bare = bare.set(~bare.str.contains(ISO_DAY), None)
    if kind == "date":
        return _shown(bare.str.to_date("%Y-%m-%d", strict=False))
    if (pattern := INSTANT_FORMATS.get(kind)) is not None:
        utc = bare.str.strip_suffix("Z")
        return _shown(utc.str.to_datetime(pattern, strict=False, time_unit="us"))
    return bare.cast(DTYPES[kind], strict=False)


def with_full_years(text: pl.Series, pattern: str) -> pl.Series:
    """Texts with all digits of the year that a format asks for; polars does with fewer.

    Parameters
    ----------
    text
        Trimmed.
    pattern
        Such as ``%d.%m.%Y``, which 01.02.24 does not have.
    """
    parts = re.findall(r"%[-_0]?[.:]*\d?[A-Za-z%]|\s+|[^%\s]+|%", pattern)
    wanted = "".join(_YEARS.get(part) or _loosely(part) for part in parts)
    return text.set(~text.str.contains(f"(?s)^{wanted}$"), None)


_YEARS: Final = {"%Y": r"\d{4}", "%y": r"\d\d"}


def _loosely(part: str) -> str:
    if part.isspace():
        return r"\s*"
    return ".*" if part[0] == "%" else re.escape(part)


def _shown(times: pl.Series) -> pl.Series:
    """Years 1 to 9999, which Python and JSON can show."""
    days = times.cast(pl.Date)
    odd = (days < FIRST_DAY) | (days > LAST_DAY)
    return times.set(odd, None) if odd.any() else times


def convert_all(text: pl.Series, kind: Kind) -> pl.Series | None:
    """A column of text as values of a type; None where a value is none."""
    if kind == "text":
        return text
    if kind not in NUMERIC:
        # Nearly all columns need no trimming.
        made = convert(text, kind)
        if made.null_count() == text.null_count():
            return made
    bare = trimmed(text)
    if kind in NUMERIC and bool(bare.str.contains(CODE).any()):
        return None
    made = convert(bare, kind)
    return made if made.null_count() == bare.null_count() else None


def narrow(text: pl.Series, candidates: Candidates) -> Candidates:
    """What is left of the candidates after more values.

    Parameters
    ----------
    text
        Further values of the column as they stand in the file; missing ones null.
    candidates
        What all values before may be.
    """
    present = trimmed(text).drop_nulls()
    if not len(present):
        return candidates
    kinds = candidates.kinds
    if kinds & NUMERIC and bool(present.str.contains(CODE).any()):
        kinds -= NUMERIC
    left = {kind for kind in KINDS if kind in kinds and _all_are(present, kind)}
    whole = candidates.whole and "number" in left and "integer" not in left
    if whole:
        whole = bool(present.str.contains(WHOLE).all())
    return Candidates(frozenset(left), True, whole or "integer" in left)


def _all_are(present: pl.Series, kind: Kind) -> bool:
    # Most columns are told apart by their first values.
    parts = (present[:100], present)
    return all(convert(part, kind).null_count() == 0 for part in parts)


def as_kind(text: pl.Series, kind: Kind) -> pl.Series:
    """A column of text as the type it was found to have; text stays as it stands."""
    return text if kind == "text" else convert(trimmed(text), kind)


def column_warnings(found: Iterable[tuple[str, Candidates]]) -> list[str]:
    """What is to be said about the types of columns, in their order."""
    said = ((name, each.warning()) for name, each in found)
    return [f"{name}: {warning}" for name, warning in said if warning is not None]
