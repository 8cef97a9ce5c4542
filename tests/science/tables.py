"""Small tables for the science tests."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pyarrow as pa

from backend.science.column_types import ColumnDescription
from backend.science.columns import describe_table
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadLimits, ReadOptions
from tests.conftest import DATA

LIMITS = ReadLimits(max_columns=2_000, max_cell_bytes=1_000_000, max_inflated_bytes=50_000_000)


@dataclass(frozen=True)
class Sample:
    """A table with its descriptions, as a fit gets them."""

    table: pa.Table
    columns: list[ColumnDescription]


def sample(frame: pl.DataFrame) -> Sample:
    return Sample(frame.to_arrow(), describe(frame))


def describe(frame: pl.DataFrame) -> list[ColumnDescription]:
    """As the columns of a stored table."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        frame.write_parquet(path)
        return describe_table(path)


def penguins() -> Sample:
    return sample(read_file(DATA / "penguins.csv"))


def mixed(rows: int = 120, seed: int = 0) -> pl.DataFrame:
    """Numbers, categories and a boolean, each with missing values, and targets of each task."""
    generator = np.random.default_rng(seed)
    x, z = generator.normal(size=(2, rows))
    place = generator.choice(["north", "south", "east"], size=rows)
    amount = 3 * x - z + (place == "north") + generator.normal(scale=0.2, size=rows)
    holes = generator.random(size=(3, rows)) < 0.1
    return pl.DataFrame(
        {
            "x": np.where(holes[0], np.nan, x),
            "z": z,
            "place": [None if hole else str(p) for hole, p in zip(holes[1], place, strict=True)],
            "flag": [None if hole else bool(v > 0) for hole, v in zip(holes[2], z, strict=True)],
            "amount": amount,
            "sign": np.where(amount > 0, "plus", "minus"),
            "third": np.select([amount < -1, amount < 1], ["low", "middle"], "high"),
        }
    ).with_columns(pl.col("x").fill_nan(None))


def read_file(path: Path) -> pl.DataFrame:
    """A file's table as an upload would store it."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "typed.parquet"
        return pl.read_parquet(read_table(path, ReadOptions(), LIMITS, target).path)


def read_text(folder: Path, text: str) -> pl.DataFrame:
    path = folder / "table.csv"
    path.write_text(text)
    return read_file(path)
