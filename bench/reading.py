"""What it takes to make a large CSV file usable, beside polars reading it and writing Parquet.

Each reading runs in a process of its own, so that its peak of memory is its own. Both kinds are
run in turn: other work on the machine meets both alike.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import polars as pl

from backend.science.columns import describe_table
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadLimits, ReadOptions

Way = Literal["polars", "goodfit"]
PAIRS: Final = 5
ROWS_AT_ONCE: Final = 250_000
# Of the rows that `write_table` writes.
BYTES_PER_ROW: Final = 95
PREVIEW_ROWS: Final = 100
LIMITS: Final = ReadLimits(2_000, 1_000_000, 8_000_000_000)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading: seconds on the clock and of the processors, and the peak of memory in bytes."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def write_table(path: Path, size: int) -> None:
    """Write a CSV file: numbers, a date, categories, a boolean, missing values and some quotes."""
    generator = np.random.default_rng(0)
    places = np.array(["inland", "bay", "near ocean", "island"])
    remarks = np.array(["plain", "with, comma", 'said "so"', "ok"])
    rows = size // BYTES_PER_ROW
    with path.open("wb") as file:
        for start in range(0, rows, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, rows - start)
            holes = pl.Series(generator.random(count) < 0.05)
            frame = pl.DataFrame(
                {
                    "id": np.arange(start, start + count),
                    "x": generator.normal(size=count),
                    "z": generator.normal(size=count).round(4),
                    "price": generator.lognormal(5, 1, count).round(2),
                    "count": generator.integers(0, 1_000, count),
                    "place": generator.choice(places, count),
                    "remark": generator.choice(remarks, count, p=[0.7, 0.1, 0.05, 0.15]),
                    "day": np.datetime64("2015-01-01") + generator.integers(0, 3_000, count),
                    "flag": generator.random(count) < 0.3,
                    "y": generator.normal(size=count),
                }
            )
            frame = frame.with_columns(z=pl.when(~holes).then(pl.col("z")))
            frame.write_csv(file, include_header=start == 0)


def _read(way: Way, path: Path, target: Path) -> None:
    if way == "polars":
        pl.scan_csv(path).sink_parquet(target, compression="zstd")
        return
    table = read_table(path, ReadOptions(), LIMITS, target)
    describe_table(table.path)
    pl.scan_parquet(table.path).head(PREVIEW_ROWS).collect()


def _measured(way: Way, path: Path) -> Reading:
    """A reading in a process of its own."""
    command = [sys.executable, "-m", "bench.reading", way, str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # ours
    return Reading(**json.loads(answer.stdout))


def measure_reading(folder: Path, say: Callable[[str, str], None], *, gigabytes: int = 0) -> None:
    """Say what reading takes.

    Parameters
    ----------
    folder
        For the files.
    say
        Takes a name and a value.
    gigabytes
        Size of a further, larger file; 0 for none.
    """
    path = folder / "reading.csv"
    write_table(path, 200_000_000)
    readings: dict[Way, list[Reading]] = {"polars": [], "goodfit": []}
    for _ in range(PAIRS):
        for way, kept in readings.items():
            kept.append(_measured(way, path))
    for way, kept in readings.items():
        seconds = statistics.median(reading.seconds for reading in kept)
        peak = max(reading.peak_bytes for reading in kept)
        say(
            f"CSV of {path.stat().st_size / 1e6:.0f} MB, {way}",
            f"{seconds:8.2f} s, at most {peak / 1e6:.0f} MB",
        )
    clock, processor = (
        statistics.median(
            getattr(ours, field) / getattr(theirs, field)
            for theirs, ours in zip(readings["polars"], readings["goodfit"], strict=True)
        )
        for field in ("seconds", "processor_seconds")
    )
    say("  usable against polars alone", f"{clock:8.2f} times, {processor:.2f} of processor time")
    if gigabytes:
        write_table(path, gigabytes * 1_000_000_000)
        reading = _measured("goodfit", path)
        say(
            f"CSV of {path.stat().st_size / 1e9:.1f} GB, goodfit",
            f"{reading.seconds:8.2f} s, at most {reading.peak_bytes / 1e6:.0f} MB",
        )
    path.unlink()


def main(way: Way, path: Path) -> None:
    """Read a file once and print what it took."""
    target = path.with_suffix(".parquet")
    started, used = time.perf_counter(), time.process_time()
    _read(way, path, target)
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    target.unlink()
    print(json.dumps({"seconds": seconds, "processor_seconds": processor, "peak_bytes": peak}))


if __name__ == "__main__":
    main("polars" if sys.argv[1] == "polars" else "goodfit", Path(sys.argv[2]))
