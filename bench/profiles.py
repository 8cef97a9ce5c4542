"""What the profile of a large table takes, beside polars reading the file and writing Parquet.

Each run has a process of its own, so that its peak of memory is its own. The three kinds are run
in turn: other work on the machine meets them alike.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from backend.datasets.profiling import run_profile
from backend.science.columns import describe_table
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadOptions, silent
from bench.reading import LIMITS, write_table

Way = Literal["polars", "profile", "read and profile"]
WAYS: Final[tuple[Way, ...]] = ("polars", "profile", "read and profile")
ROUNDS: Final = 5


def measure_profiles(folder: Path, say: Callable[[str, str], None], *, gigabytes: int = 0) -> None:
    """Say what profiles take.

    Parameters
    ----------
    folder
        For the files.
    say
        Takes a name and a value.
    gigabytes
        Size of a further, larger file; 0 for none.
    """
    path = folder / "profiles.csv"
    write_table(path, 200_000_000)
    _prepare(path)
    took: dict[Way, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way in WAYS:
            took[way].append(_measured(way, path))
    alone = statistics.median(run["seconds"] for run in took["polars"])
    for way in WAYS:
        seconds = statistics.median(run["seconds"] for run in took[way])
        peak = max(run["peak_bytes"] for run in took[way])
        times = f"{seconds / alone:.2f} times polars, at most {peak / 1e6:.0f} MB"
        say(f"CSV of {path.stat().st_size / 1e6:.0f} MB, {way}", f"{seconds:8.2f} s, {times}")
    say("  profile against polars' own figures", _compare(path))
    if gigabytes:
        write_table(path, gigabytes * 1_000_000_000)
        _prepare(path)
        run = _measured("profile", path)
        shown = f"{run['seconds']:8.2f} s, at most {run['peak_bytes'] / 1e6:.0f} MB"
        say(f"CSV of {gigabytes} GB, profile", shown)


def _prepare(path: Path) -> None:
    """Type the table, as an upload does."""
    table = read_table(path, ReadOptions(), LIMITS, path.with_suffix(".parquet"))
    described = [asdict(column) for column in describe_table(table.path)]
    path.with_suffix(".columns").write_text(json.dumps(described))


def _profile(path: Path, typed: Path) -> None:
    request = {
        "table": str(typed),
        "columns": json.loads(path.with_suffix(".columns").read_text()),
        "profile": str(path.with_suffix(".json")),
    }
    run_profile(request, silent)


def _run(way: Way, path: Path) -> None:
    again = path.with_suffix(".again")
    if way == "profile":
        _profile(path, path.with_suffix(".parquet"))
        return
    if way == "polars":
        pl.scan_csv(path).sink_parquet(again, compression="zstd")
    else:
        read_table(path, ReadOptions(), LIMITS, again)
        describe_table(again)
        _profile(path, again)
    again.unlink()


def _measured(way: Way, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.profiles", way, str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    took: dict[str, float] = json.loads(answer.stdout)
    return took


def _compare(path: Path) -> str:
    """Distinct counts, means and medians beside those of polars."""
    profile: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    table = pl.scan_parquet(path.with_suffix(".parquet"))
    wrong = []
    for column in profile["columns"]:
        values = pl.col(column["name"]).drop_nulls()
        theirs = table.select(values.n_unique()).collect().item()
        if column["distinct"] != theirs or column["is_approximate"]:
            wrong.append(column["name"])
        if column["mean"] is not None and column["quantiles"] is not None:
            wanted = [values.mean(), values.quantile(0.5, "linear").alias("median")]
            mean, median = table.select(wanted).collect().row(0)
            pairs = ((column["mean"], mean), (column["quantiles"]["0.5"], median))
            if any(abs(ours - other) > 1e-9 * max(1, abs(other)) for ours, other in pairs):
                wrong.append(column["name"])
    return f"differs in {', '.join(wrong)}" if wrong else "equal"


def main(way: Way, path: Path) -> None:
    """Do it once and print what it took."""
    started = time.perf_counter()
    _run(way, path)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "peak_bytes": _peak_bytes()}))


def _peak_bytes() -> int:
    """Of this program alone: getrusage counts what its parent took before it was one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(kilobytes) * 1024


if __name__ == "__main__":
    main(next(way for way in WAYS if way == sys.argv[1]), Path(sys.argv[2]))
