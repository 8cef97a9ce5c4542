"""Measure start-up, memory, upload, fit overhead, plot and prediction: `make bench`."""

import argparse
import gc
import io
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import psutil
from sklearn.model_selection import train_test_split

from backend.science.catalogue import ESTIMATORS
from backend.science.columns import describe_table, guess_target
from backend.science.frames import feature_frame, input_columns
from backend.science.pipeline import build_pipeline
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadOptions
from bench.profiles import measure_profiles
from bench.reading import LIMITS, measure_reading
from bench.serving import describe, measure_serving
from bench.signing_in import measure_signing_in
from bench.stack import BenchStack
from bench.uploads import measure_broken_uploads, measure_killed_uploads, measure_large_upload

REPEATS = 20
PENGUINS = Path(__file__).resolve().parents[1] / "tests" / "data" / "penguins.csv"
POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Timing:
    """Median and extremes of repeated calls, in seconds."""

    median: float
    fastest: float
    slowest: float


def say(name: str, value: str) -> None:
    """One line of the report."""
    sys.stdout.write(f"{name:<34} {value}\n")
    sys.stdout.flush()


def clock(call: Callable[[], Any], repeats: int = REPEATS) -> Timing:
    """Time a call."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return Timing(statistics.median(times), min(times), max(times))


def _show(timing: Timing) -> str:
    return (
        f"{timing.median * 1000:8.1f} ms median "
        f"({timing.fastest * 1000:.1f} to {timing.slowest * 1000:.1f})"
    )


def _generated() -> bytes:
    """A table in the shape of California housing: 20,640 rows, nine features, a category."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(20_640, 8)).round(4)
    frame = pl.DataFrame(numbers, schema=[f"x{i}" for i in range(8)])
    place = generator.choice(["inland", "bay", "ocean", "island"], size=20_640)
    outcome = numbers @ np.arange(8.0) + generator.normal(size=20_640)
    sink = io.BytesIO()
    frame.with_columns(outcome=pl.Series(outcome.round(3)), place=pl.Series(place)).write_csv(sink)
    return sink.getvalue()


def _bare_fit(path: Path) -> Timing:
    """The same pipeline fitted and scored in this process, without any platform."""
    with tempfile.TemporaryDirectory() as folder:
        table = read_table(path, ReadOptions(), LIMITS, Path(folder) / "table.parquet")
        frame, columns = pl.read_parquet(table.path), describe_table(table.path)
    guess = guess_target(columns)
    if guess is None:
        raise SystemExit("the table has no column to predict")
    used = [c for c in columns if c.name != guess.column and c.left_out_because is None]
    features = feature_frame(frame.to_arrow(), used)
    target = frame[guess.column].to_numpy()
    train, held = train_test_split(np.arange(len(target)), test_size=0.2, random_state=0)
    inputs = input_columns(features, used)

    def call() -> None:
        spec = ESTIMATORS["ordinary_least_squares"]
        pipeline = build_pipeline(spec, {}, "regression", 0, inputs)
        pipeline.fit(features.iloc[train], target[train])
        pipeline.score(features.iloc[held], target[held])

    return clock(call)


def _fit(client: httpx.Client, dataset_id: int, target: str) -> tuple[int, float]:
    """A fit's id, and the seconds from the request until its end was seen."""
    request = {
        "dataset_id": dataset_id,
        "target": target,
        "estimator": "ordinary_least_squares",
    }
    started = time.perf_counter()
    fit: dict[str, Any] = client.post("/fits", json=request).json()
    while fit["finished_at"] is None:
        time.sleep(POLL_SECONDS)
        fit = client.get(f"/fits/{fit['id']}").json()
    seconds = time.perf_counter() - started
    if fit["state"] != "succeeded":
        raise SystemExit(f"fit {fit['state']}: {fit['error']}")
    # Recording uses the other core; wait, so that each fit meets an idle machine.
    while fit["tracking"] == "pending":
        time.sleep(0.2)
        fit = client.get(f"/fits/{fit['id']}").json()
    return int(fit["id"]), seconds


def _measure(stack: BenchStack, path: Path) -> None:
    client = stack.client()
    content = path.read_bytes()

    def upload() -> dict[str, Any]:
        answer: dict[str, Any] = client.post(
            "/datasets", files={"file": (path.name, content)}
        ).json()
        return answer

    dataset = upload()
    say(f"upload, {len(content) / 1e6:.1f} MB", _show(clock(upload, 10)))
    version = f"/datasets/{dataset['id']}/versions/1"
    target = client.get(f"{version}/profile").json()["suggested_target"]["column"]
    fit_id, _ = _fit(client, dataset["id"], target)
    bare = _bare_fit(path)
    say("bare fit and score in process", _show(bare))
    times = [_fit(client, dataset["id"], target)[1] for _ in range(REPEATS)]
    whole = Timing(statistics.median(times), min(times), max(times))
    say("fit by the platform, request to end", _show(whole))
    say("overhead of the platform, median", f"{(whole.median - bare.median) * 1000:8.1f} ms")
    _measure_plot(client, fit_id)
    for name, value in describe(measure_serving(client, stack.state()["urls"]["mlflow"], PENGUINS)):
        say(name, value)
    row = dict(zip(*_first_row(client, version, target), strict=True))
    client.post(f"/fits/{fit_id}/predict", json={"rows": [row]})
    say(
        "prediction of one row, warm",
        _show(clock(lambda: client.post(f"/fits/{fit_id}/predict", json={"rows": [row]}), 100)),
    )


def _first_row(client: httpx.Client, version: str, target: str) -> tuple[list[str], list[Any]]:
    preview = client.get(f"{version}/preview?limit=1").json()
    kept = [i for i, name in enumerate(preview["columns"]) if name != target]
    return [preview["columns"][i] for i in kept], [preview["rows"][0][i] for i in kept]


def _measure_plot(client: httpx.Client, fit_id: int) -> None:
    path = f"/fits/{fit_id}/plots/residuals.png"
    widths = iter(range(801, 801 + REPEATS))
    first = clock(lambda: client.get(path, params={"width": next(widths)}))
    say("residual plot, first", _show(first))
    say("residual plot, cached", _show(clock(lambda: client.get(path, params={"width": 801}), 100)))
    etag = client.get(path).headers["etag"]
    fresh = {"If-None-Match": etag}
    say("residual plot, 304", _show(clock(lambda: client.get(path, headers=fresh), 100)))


def main() -> None:
    """Run the whole bench."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--csv", type=Path, help="table to use; default: a generated one")
    parser.add_argument("--signing-in", action="store_true", help="only what signing in costs")
    parser.add_argument("--reading", action="store_true", help="only what reading a table takes")
    parser.add_argument("--profiles", action="store_true", help="only what profiles take")
    parser.add_argument("--broken-uploads", action="store_true", help="only broken files")
    parser.add_argument("--killed-uploads", action="store_true", help="only kills of the API")
    parser.add_argument("--large-upload", action="store_true", help="only one large file")
    parser.add_argument("--gigabytes", type=int, default=0, help="read a larger table as well")
    options = parser.parse_args()
    say(
        "machine",
        f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}",
    )
    # A collection over the libraries loaded here would be measured as the server's time.
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
        # Under root PostgreSQL runs as an account that must be able to enter.
        Path(folder).chmod(0o755)
        if options.reading:
            measure_reading(Path(folder), say, gigabytes=options.gigabytes)
            return
        if options.profiles:
            measure_profiles(Path(folder), say, gigabytes=options.gigabytes)
            return
        if options.broken_uploads:
            measure_broken_uploads(Path(folder), say)
            return
        if options.killed_uploads:
            measure_killed_uploads(Path(folder), say)
            return
        if options.large_upload:
            measure_large_upload(Path(folder), say)
            return
        measure_signing_in(Path(folder), say)
        if options.signing_in:
            return
        measure_reading(Path(folder), say)
        path: Path = options.csv or Path(folder) / "generated.csv"
        if options.csv is None:
            path.write_bytes(_generated())
        stack = BenchStack(Path(folder) / "home")
        try:
            say("first start to ready", f"{stack.up():8.1f} s")
            stack.down()
            for _ in range(3):
                say("warm start to ready", f"{stack.up():8.1f} s")
                stack.down()
            stack.up()
            time.sleep(15)
            _say_memory("idle after start", stack)
            _measure(stack, path)
            time.sleep(5)
            _say_memory("idle after the bench", stack)
        finally:
            stack.down()


def _say_memory(name: str, stack: BenchStack) -> None:
    sizes = stack.memory()
    for process, (rss, pss) in sizes.items():
        say(f"  {process}", f"{rss / 1e6:8.0f} MB RSS {pss / 1e6:8.0f} MB PSS")
    rss, pss = (sum(size[i] for size in sizes.values()) for i in (0, 1))
    say(f"{name}, together", f"{rss / 1e6:8.0f} MB RSS {pss / 1e6:8.0f} MB PSS")


if __name__ == "__main__":
    main()
