"""Small fits: what the platform adds to one, how many go through, and what an idle worker holds."""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split

from backend.science.catalogue import ESTIMATORS
from backend.science.columns import describe_table
from backend.science.frames import feature_frame, input_columns
from backend.science.pipeline import build_pipeline
from backend.science.spec import FitSpec
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadOptions
from bench.reading import LIMITS
from bench.stack import BenchStack

PENGUINS = Path(__file__).resolve().parents[1] / "tests" / "data" / "penguins.csv"
REQUEST = {"target": "body_mass_g", "estimator": "ordinary_least_squares"}
REPEATS = 30
MANY = 50
POLL_SECONDS = 0.002
SETTLE_SECONDS = 20.0
Say = Callable[[str, str], None]


def measure_small_fits(folder: Path, say: Say) -> None:
    """Start the product, and fit penguins again and again."""
    stack = BenchStack(folder / "small fits")
    stack.up()
    try:
        client = stack.client()
        dataset = client.post("/datasets", files={"file": ("p.csv", PENGUINS.read_bytes())}).json()
        request = {"dataset_id": dataset["id"], **REQUEST}
        _wait_until_recorded(client, _fit(client, request)[0])
        time.sleep(SETTLE_SECONDS)
        _, pss = stack.memory()["worker"]
        say("idle worker, with all it started", f"{pss / 1e6:8.0f} MB PSS")
        bare = statistics.median(_bare_fits())
        say("bare fit and score in process", f"{bare * 1000:8.1f} ms median")
        whole = sorted(_alone(client, request) for _ in range(REPEATS))
        median = statistics.median(whole)
        slow = whole[int(REPEATS * 0.9)]
        say("request to end seen", f"{median * 1000:8.1f} ms median, {slow * 1000:.1f} p90")
        say("overhead of the platform", f"{(median - bare) * 1000:8.1f} ms median")
        say(f"{MANY} small fits, one worker", f"{_throughput(client, request):8.1f} /s")
    finally:
        stack.down()


def _bare_fits() -> list[float]:
    """The same pipeline fitted and scored in this process, without any platform."""
    with tempfile.TemporaryDirectory() as folder:
        table = read_table(PENGUINS, ReadOptions(), LIMITS, Path(folder) / "table.parquet")
        columns = describe_table(table.path)
        frame = pl.read_parquet(table.path).drop_nulls(REQUEST["target"])
    used = [c for c in columns if c.name != REQUEST["target"] and c.left_out_because is None]
    features = feature_frame(frame.to_arrow(), used)
    target = frame[REQUEST["target"]].to_numpy()
    train, held = train_test_split(np.arange(len(target)), test_size=0.2, random_state=0)
    inputs = input_columns(features, used)
    spec = FitSpec(target=REQUEST["target"], estimator=REQUEST["estimator"])
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        pipeline = build_pipeline(ESTIMATORS[spec.estimator], spec, "regression", inputs)
        pipeline.fit(features.iloc[train], target[train])
        pipeline.score(features.iloc[held], target[held])
        times.append(time.perf_counter() - started)
    return times


def _alone(client: httpx.Client, request: dict[str, Any]) -> float:
    """Seconds of a fit that meets an idle machine."""
    fit_id, seconds = _fit(client, request)
    _wait_until_recorded(client, fit_id)
    return seconds


def _fit(client: httpx.Client, request: dict[str, Any]) -> tuple[int, float]:
    started = time.perf_counter()
    fit: dict[str, Any] = client.post("/fits", json=request).json()
    while fit["finished_at"] is None:
        time.sleep(POLL_SECONDS)
        fit = client.get(f"/fits/{fit['id']}").json()
    seconds = time.perf_counter() - started
    if fit["state"] != "succeeded":
        raise SystemExit(f"fit {fit['state']}: {fit['error']}")
    return int(fit["id"]), seconds


def _wait_until_recorded(client: httpx.Client, fit_id: int) -> None:
    while client.get(f"/fits/{fit_id}").json()["tracking"] == "pending":
        time.sleep(0.2)


def _throughput(client: httpx.Client, request: dict[str, Any]) -> float:
    """Fits per second, from the first request to the end of the last."""
    asked = [client.post("/fits", json=request).json() for _ in range(MANY)]
    waiting = {fit["id"] for fit in asked}
    ended: list[datetime] = []
    while waiting:
        time.sleep(0.05)
        for fit in client.get("/fits", params={"limit": MANY}).json()["items"]:
            if fit["id"] in waiting and fit["finished_at"] is not None:
                waiting.discard(fit["id"])
                ended.append(datetime.fromisoformat(fit["finished_at"]))
    began = datetime.fromisoformat(asked[0]["created_at"])
    return MANY / (max(ended) - began).total_seconds()
