"""Typed parts of a table become one Parquet file and a digest; only a few parts are in memory."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl
from polars.io.plugins import register_io_source

from backend.science.tables.digest import TableDigest

# Whoever reads a row group holds it in memory.
GROUP_CELLS: Final = 4_000_000
GROUP_ROWS: Final = 250_000
# A quarter less time for writing than the usual level, for files that are a twentieth larger.
ZSTD_LEVEL: Final = 1


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes
    ----------
    infinite
        Counts of infinite values by column, where there are any.
    """

    rows: int
    content_digest: str
    infinite: dict[str, int]

    def warnings(self) -> list[str]:
        """What is to be said about the values."""
        return [
            f"{name}: {_values(count)} too large or infinite"
            for name, count in self.infinite.items()
        ]


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"


@dataclass(slots=True)
class _Passing:
    """What is learnt of the parts while they pass."""

    digest: TableDigest
    rows: int = 0
    infinite: dict[str, int] = field(default_factory=dict)
    error: BaseException | None = None

    def take(self, frame: pl.DataFrame) -> None:
        """Write the next rows."""
        self.rows += frame.height
        self.digest.update(frame)
        counts = frame.select(pl.selectors.float().is_infinite().sum())
        for series in counts.iter_columns():
            if count := int(series.item()):
                self.infinite[series.name] = self.infinite.get(series.name, 0) + count


def write_frames(schema: pl.Schema, frames: Iterable[pl.DataFrame], target: Path) -> Written:
    """Write a typed table.

    Parameters
    ----------
    schema
        Columns as `TableFile.path` describes them.
    frames
        The rows, in parts of at most some ten megabytes; NaN and empty text become missing.
    target
        The Parquet file to make.

    Raises
    ------
    Exception
        Whatever the iteration raises, as it was raised.
    """
    passing = _Passing(TableDigest(schema))
    source = register_io_source(
        lambda *_asked: _passed_on(frames, schema, passing), schema=schema, is_pure=True
    )
    rows = max(1, min(GROUP_ROWS, GROUP_CELLS // len(schema)))
    try:
        source.sink_parquet(
            target, compression="zstd", compression_level=ZSTD_LEVEL, row_group_size=rows
        )
    except Exception:  # polars wraps what the iteration raised; that itself is raised below
        if passing.error is None:
            raise
    if passing.error is not None:
        # polars would tell the text of an error only.
        raise passing.error
    return Written(passing.rows, passing.digest.hexdigest(target), passing.infinite)


def _passed_on(
    frames: Iterable[pl.DataFrame], schema: pl.Schema, passing: _Passing
) -> Iterator[pl.DataFrame]:
    last: Future[None] | None = None
    try:
        with ThreadPoolExecutor(1) as pool:
            for frame in frames:
                clean = _canonical(frame).match_to_schema(schema)
                if last is not None:
                    last.result()
                last = pool.submit(passing.take, clean)
                yield clean
            if last is not None:
                last.result()
    except GeneratorExit:
        raise
    except BaseException as error:
        passing.error = error
        raise


def _canonical(frame: pl.DataFrame) -> pl.DataFrame:
    """Missing values are null, and nothing else is one."""
    return frame.with_columns(
        pl.selectors.float().fill_nan(None),
        pl.when(pl.selectors.string() != "").then(pl.selectors.string()),
    )
