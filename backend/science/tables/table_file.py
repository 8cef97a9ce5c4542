"""A table on its way from a file of any format to typed Parquet: what is asked, what comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

Format = Literal["csv", "json_lines", "parquet", "arrow", "excel", "json"]
Compression = Literal["gzip", "zstd"]
# Told a fraction from 0 to 1 and what is going on.
Report = Callable[[float, str], None]
MOST_EXAMPLES: Final = 3


def silent(_fraction: float, _message: str) -> None:
    """Reports to nobody."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the sender knows better than the file shows; everything else is found out."""

    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds on a file, checked before and while it is read.

    Attributes
    ----------
    max_inflated_bytes
        Of a compressed file; so is the ratio, at most 200.
    """

    max_columns: int
    max_cell_bytes: int
    max_inflated_bytes: int
    max_ratio: int = 200


@dataclass(frozen=True, slots=True)
class TableSource:
    """How a file was read."""

    format: Format
    compression: Compression | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a column seems to be and is not quite.

    Attributes
    ----------
    values
        How many values are odd.
    examples
        The first different ones, at most `MOST_EXAMPLES`.
    step
        The recipe step that would mend it, in JSON; None where no single step does.
    """

    column: str
    message: str
    values: int
    examples: Sequence[str]
    step: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TableFile:
    """A typed table, written.

    Attributes
    ----------
    path
        Parquet file (zstd) whose columns are Int64, Float64 (no NaN), Boolean, String (no empty
        text), Date or Datetime in microseconds without a zone; missing values are null.
    content_digest
        Equal for equal tables whatever file they came from, see `digest.content_digest`.
    """

    path: Path
    rows: int
    names: Sequence[str]
    content_digest: str
    source: TableSource | None
    warnings: Sequence[str] = ()
    doubts: Sequence[Doubt] = field(default=())
