"""Small tables for the science tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from backend.science.column_types import ColumnDescription
from backend.science.columns import describe_columns
from backend.science.csv_table import TableLimits, read_csv
from tests.conftest import DATA

LIMITS = TableLimits(max_columns=2_000, max_cell_bytes=1_000_000)


@dataclass(frozen=True)
class Sample:
    """A table with its descriptions, as a fit gets them."""

    table: pa.Table
    columns: list[ColumnDescription]


def sample(frame: pl.DataFrame) -> Sample:
    return Sample(frame.to_arrow(), describe_columns(frame))


def penguins() -> Sample:
    return sample(read_csv(DATA / "penguins.csv", LIMITS).frame)


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


def read_text(folder: Path, text: str) -> pl.DataFrame:
    path = folder / "table.csv"
    path.write_text(text)
    return read_csv(path, LIMITS).frame
