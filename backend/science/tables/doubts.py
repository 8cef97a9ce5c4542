"""Columns of text that seem to be something else, and the recipe step that would mend each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from backend.science.tables.digest import row_groups
from backend.science.tables.inference import CODE, trimmed, with_full_years
from backend.science.tables.table_file import MOST_EXAMPLES, Doubt

# From this share of fitting values on, the rest looks like a mistake and not like text.
MOSTLY: Final = 0.9
MOST_EXAMPLE_CHARACTERS: Final = 60
THOUSANDS: Final = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
# A whole number among numbers with a decimal comma fits as well.
DECIMAL_COMMA: Final = r"^[+-]?\d*,?\d+([eE][+-]?\d+)?$"
ISO: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
# With the month first, and the same with the day first.
TWINS: Final[Mapping[str, str]] = {"%m/%d/%Y": "%d/%m/%Y", "%m/%d/%y": "%d/%m/%y"}
SHOWN: Final[Mapping[str, str]] = {
    "%Y": "2024", "%y": "24", "%m": "02", "%d": "01", "%H": "12", "%M": "30", "%S": "00", "%.f": "",
}  # fmt: skip
DATE_FORMATS: Final = (
    *ISO, "%d.%m.%Y", "%Y/%m/%d", *TWINS, *TWINS.values(), "%d.%m.%y",
)  # fmt: skip


@dataclass(slots=True)
class _Reading:
    """One thing that a column of text may be, while its values pass."""

    fits: Callable[[pl.Series], pl.Series]
    matches: int = 0
    odd: int = 0
    examples: list[str] = field(default_factory=list)

    def take(self, values: pl.Series, counts: pl.Series) -> None:
        """Take different values in the order of their appearance, and how often each stands."""
        fitting = self.fits(values)
        self.matches += int(counts.filter(fitting).sum())
        self.odd += int(counts.filter(~fitting).sum())
        if len(self.examples) < MOST_EXAMPLES:
            odd = values.filter(~fitting).head(2 * MOST_EXAMPLES)
            shown = odd.str.slice(0, MOST_EXAMPLE_CHARACTERS)
            new = [value for value in shown if value not in self.examples]
            self.examples += new[: MOST_EXAMPLES - len(self.examples)]

    def holds(self) -> bool:
        """Whether nearly all values are of this kind."""
        return self.matches > 0 and self.matches >= MOSTLY * (self.matches + self.odd)


def _are_numbers(present: pl.Series) -> pl.Series:
    return present.cast(pl.Float64, strict=False).is_not_null()


def _match(pattern: str) -> Callable[[pl.Series], pl.Series]:
    return lambda present: present.str.contains(pattern)


def _are_dates(present: pl.Series, pattern: str) -> pl.Series:
    full = with_full_years(present, pattern)
    if "%H" in pattern:
        return full.str.to_datetime(pattern, strict=False, time_unit="us").is_not_null()
    return full.str.to_date(pattern, strict=False).is_not_null()


class _TextColumn:
    """What the values of one column of text may be."""

    def __init__(self, name: str, rows: int) -> None:
        self._name = name
        self._rows = rows
        self.readings = {
            "number": _Reading(_are_numbers),
            "thousands": _Reading(_match(THOUSANDS)),
            "comma": _Reading(_match(DECIMAL_COMMA)),
            **{pattern: _Reading(partial(_are_dates, pattern=pattern)) for pattern in DATE_FORMATS},
        }

    def take(self, text: pl.Series) -> None:
        """Count the next values."""
        # A column of categories has few different values, and they are what takes time.
        counted = (
            text.drop_nulls().alias("value").to_frame().group_by("value", maintain_order=True).len()
        )
        bare = trimmed(counted["value"])
        counted = counted.filter(bare.is_not_null())
        present = bare.drop_nulls()
        if "number" in self.readings and bool(present.str.contains(CODE).any()):
            for kind in ("number", "thousands", "comma"):
                self.readings.pop(kind, None)
        for kind, reading in list(self.readings.items()):
            reading.take(present, counted["len"])
            # It cannot hold for the whole column any more, whatever follows.
            if reading.odd > (1 - MOSTLY) * self._rows:
                del self.readings[kind]

    def doubt(self) -> Doubt | None:
        """The doubt about all values that were taken, if there is one."""
        held = {kind: reading for kind, reading in self.readings.items() if reading.holds()}
        for kind, reading in held.items():
            if kind == "number":
                return self._numbers(reading)
            if kind == "thousands":
                says = "numbers with commas between the thousands; write them without"
                return self._looks_like(reading, says, None)
            if kind == "comma":
                says = "numbers with a decimal comma"
                return self._looks_like(reading, says, self._cast(decimal=","))
            twin = held.get(TWINS.get(kind, ""))
            if twin is not None and reading.odd == twin.odd:
                says = "dates, and nothing tells whether the day or the month comes first"
                return self._looks_like(reading, says, None)
            if twin is not None and twin.odd < reading.odd:
                continue
            return self._dates(kind, reading)
        return None

    def _numbers(self, reading: _Reading) -> Doubt:
        if not reading.odd:
            return self._looks_like(reading, "numbers, written as text", self._cast())
        return self._exceptions(reading, "numbers", self._cast())

    def _dates(self, pattern: str, reading: _Reading) -> Doubt:
        formats = [pattern]
        if pattern in ISO:
            formats = [
                kind for kind in ISO if kind in self.readings and self.readings[kind].matches
            ]
        step = {
            "kind": "parse_dates",
            "columns": [self._name],
            "formats": formats,
            "errors": "null",
        }
        if reading.odd:
            return self._exceptions(reading, f"dates like {_shown_format(pattern)}", step)
        return self._looks_like(reading, f"dates like {_shown_format(pattern)}", step)

    def _cast(self, **more: str) -> dict[str, Any]:
        step = {"kind": "cast", "columns": [self._name], "to": "number", "errors": "null"}
        return {**step, **more}

    def _exceptions(self, reading: _Reading, noun: str, step: Mapping[str, Any]) -> Doubt:
        known = reading.matches + reading.odd
        shown = ", ".join(map(repr, reading.examples))
        message = f"{self._name}: {reading.odd:,} of {known:,} values are not {noun}: {shown}"
        return Doubt(self._name, message, reading.odd, tuple(reading.examples), step)

    def _looks_like(self, reading: _Reading, noun: str, step: Mapping[str, Any] | None) -> Doubt:
        message = f"{self._name}: looks like {noun}"
        if reading.odd:
            known = reading.matches + reading.odd
            message += f"; {reading.odd:,} of {known:,} values are not: "
            message += ", ".join(map(repr, reading.examples))
        return Doubt(self._name, message, reading.odd, tuple(reading.examples), step)


def _shown_format(pattern: str) -> str:
    """1 February 2024 in a format of dates."""
    for code, word in SHOWN.items():
        pattern = pattern.replace(code, word)
    return pattern


def find_doubts(path: Path) -> list[Doubt]:
    """What looks like a mistake in the columns of text, in their order.

    Parameters
    ----------
    path
        Typed Parquet, as `TableFile.path` describes it; read by row group, and no further than
        one of the columns may still be something else than text.
    """
    schema = pl.read_parquet_schema(path)
    texts = [name for name, dtype in schema.items() if dtype == pl.String]
    if not texts:
        return []
    rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    columns = {name: _TextColumn(name, rows) for name in texts}
    for frame in row_groups(path, texts):
        for name, column in columns.items():
            if column.readings:
                column.take(frame[name])
        if not any(column.readings for column in columns.values()):
            break
    found = [column.doubt() for column in columns.values()]
    return [doubt for doubt in found if doubt is not None]
