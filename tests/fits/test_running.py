"""Fits in the real API and worker: results, refusals, cancelling, and lost workers."""

import io
import os
import signal
import time

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import r2_score

from backend.science.catalogue import ESTIMATORS
from backend.science.frames import feature_frame, input_columns
from backend.science.pipeline import build_pipeline
from tests.conftest import DATA
from tests.fits.conftest import Live, fit_processes, gone
from tests.science.tables import describe, read_file

LONG = {"estimator": "random_forest", "params": {"n_estimators": 2_000}}
PNG = b"\x89PNG\r\n\x1a\n"


def _slow_table() -> bytes:
    """Large enough that 2,000 trees take many seconds."""
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(generator.normal(size=(3_000, 8)), schema=[f"x{i}" for i in range(8)])
    sink = io.BytesIO()
    frame.with_columns(y=pl.col("x0") * 2 + pl.col("x1")).write_csv(sink)
    return sink.getvalue()


def test_neighbours_tell_the_species_of_a_penguin(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(),
        target="species",
        features=["bill_length_mm", "flipper_length_mm"],
        estimator="k_nearest_neighbors",
        params={"n_neighbors": 11},
    )
    fit = live.finished(fit_id)
    assert fit["state"] == "succeeded", fit["error"]
    assert fit["task"] == "multiclass"
    assert fit["metrics"]["accuracy"] > 0.9 > fit["baseline_metrics"]["accuracy"]
    row = {"bill_length_mm": 40.3, "flipper_length_mm": 195}
    answer = live.client.post(f"/fits/{fit_id}/predict", json={"rows": [row]})
    assert answer.json()["predictions"] == ["Adelie"]
    bad = live.client.post(
        f"/fits/{fit_id}/predict", json={"rows": [{"bill_length_mm": "abc", "extra": 1}]}
    )
    assert bad.status_code == 422
    named = {(e["loc"][-1], e["type"]) for e in bad.json()["errors"]}
    assert named == {
        ("bill_length_mm", "type"),
        ("flipper_length_mm", "missing"),
        ("extra", "unknown"),
    }


def test_least_squares_scores_as_scikit_learn_does_on_the_same_rows(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(), target="body_mass_g", estimator="ordinary_least_squares"
    )
    fit = live.finished(fit_id)
    items = live.client.get(f"/fits/{fit_id}/residuals?limit=1000").json()["items"]
    held = sorted(item["row"] for item in items)
    frame = read_file(DATA / "penguins.csv")
    described = [c for c in describe(frame) if c.name in fit["features"]]
    features = feature_frame(frame.to_arrow(), described)
    target = frame["body_mass_g"].to_numpy()
    known = np.flatnonzero(~np.isnan(target.astype(float)))
    train = np.setdiff1d(known, held)
    inputs = input_columns(features.iloc[train], described)
    spec = ESTIMATORS["ordinary_least_squares"]
    pipeline = build_pipeline(spec, {}, "regression", 0, inputs)
    pipeline.fit(features.iloc[train], target[train])
    expected = r2_score(target[held], pipeline.predict(features.iloc[held]))
    assert fit["metrics"]["r2"] == pytest.approx(expected, abs=1e-9)
    assert len(held) == fit["rows_holdout"]


def test_residual_plot_streams_png_with_an_etag(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(), target="body_mass_g", estimator="ridge", params={"alpha": 2}
    )
    live.finished(fit_id)
    path = f"/fits/{fit_id}/plots/residuals.png"
    light = live.client.get(path)
    dark = live.client.get(path, params={"theme": "dark"})
    assert light.content.startswith(PNG)
    assert dark.content.startswith(PNG)
    assert light.content != dark.content
    assert light.headers["cache-control"].startswith("private")
    unchanged = live.client.get(path, headers={"If-None-Match": light.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    numbers = live.client.get(f"/fits/{fit_id}/plots/residuals").json()
    assert numbers["data"]["n"] == len(numbers["data"]["fitted"]) == 69
    assert numbers["verdict"]
    kinds = [plot["kind"] for plot in live.client.get(f"/fits/{fit_id}/plots").json()["items"]]
    assert kinds == ["residuals"]
    assert live.client.get(f"/fits/{fit_id}/plots/confusion.png").status_code == 404
    assert live.client.get(path, params={"width": 99_999}).status_code == 422


def test_stored_model_is_plain_scikit_learn(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(), target="sex", estimator="random_forest", features=["body_mass_g"]
    )
    fit = live.finished(fit_id)
    assert fit["task"] == "binary"
    assert "Left out" in " ".join(fit["warnings"])
    home = live.environment["GOODFIT_HOME"]
    modules = set()
    for folder, _, names in os.walk(f"{home}/files"):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                if file.read(2) in (b"\x78\x01", b"\x78\x5e"):
                    modules.add(type(joblib.load(path)).__module__.partition(".")[0])
    assert modules == {"sklearn"}


def test_same_seed_gives_the_same_numbers_to_the_bit(live: Live) -> None:
    dataset_id = live.upload()
    request = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "random_forest"}
    first, second = live.start_fit(**request, seed=7), live.start_fit(**request, seed=7)
    assert live.finished(first)["metrics"] == live.finished(second)["metrics"]
    other = live.client.post(f"/fits/{first}/rerun", json={"seed": 8}).json()["id"]
    assert live.finished(other)["metrics"] != live.finished(first)["metrics"]


@pytest.mark.parametrize(
    ("content", "request_", "words", "column"),
    [
        (b"x,y\n" + b"1,2\n" * 30, {"target": "y"}, "same value", "y"),
        (b"x,y\n1,2\n2,3\n3,4\n", {"target": "y"}, "too few", None),
        (
            b"x,y\n" + b"".join(b"%d,1e%d\n" % (i, 300 + i) for i in range(30)),
            {"target": "y"},
            "infinite",
            "y",
        ),
        (
            b"x,y\n" + b"".join(b"%d,c%d\n" % (i % 7, i) for i in range(300)),
            {"target": "y", "estimator": "random_forest"},
            "different values",
            "y",
        ),
        (
            b"x,y\n" + b"".join(b"%d,%d\n" % (i % 5, i * i) for i in range(30)),
            {"target": "y", "estimator": "k_nearest_neighbors", "params": {"n_neighbors": 500}},
            "neighbours",
            None,
        ),
    ],
    ids=["constant target", "few rows", "infinite", "too many classes", "too many neighbours"],
)
def test_fit_that_cannot_be_done_says_why(
    live: Live, content: bytes, request_: dict[str, object], words: str, column: str | None
) -> None:
    request = {"estimator": "ordinary_least_squares", **request_}
    fit = live.finished(live.start_fit(dataset_id=live.upload(content), **request))
    assert fit["state"] == "failed"
    assert words in fit["error"]["message"]
    assert fit["error"]["column"] == column
    assert fit["attempt"] == 1


def test_cancel_kills_the_process_within_a_second(live: Live) -> None:
    fit_id = live.start_fit(dataset_id=live.upload(_slow_table()), target="y", **LONG)
    live.wait(fit_id, lambda fit: fit["progress"] > 0.1)
    processes = fit_processes(live.workers[-1])
    assert processes
    cancelled = live.client.post(f"/fits/{fit_id}/cancel")
    started = time.monotonic()
    assert cancelled.json()["state"] == "cancelled"
    while not all(gone(process) for process in processes):
        assert time.monotonic() - started < 1, "the process still runs"
        time.sleep(0.01)
    time.sleep(0.5)
    assert live.fit(fit_id)["state"] == "cancelled"
    assert live.client.post(f"/fits/{fit_id}/cancel").status_code == 409


def test_lost_worker_is_replaced_and_the_fit_finishes_once(live: Live) -> None:
    request = {"estimator": "random_forest", "params": {"n_estimators": 400}}
    fit_id = live.start_fit(dataset_id=live.upload(_slow_table()), target="y", **request)
    live.wait(fit_id, lambda fit: fit["progress"] > 0.1)
    worker = live.workers.pop()
    processes = fit_processes(worker)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    started = time.monotonic()
    live.start_worker()
    while not all(gone(process) for process in processes):
        assert time.monotonic() - started < 2, "the fit outlived its worker"
        time.sleep(0.01)
    fit = live.finished(fit_id, 90)
    assert (fit["state"], fit["attempt"]) == ("succeeded", 2)
    assert fit["tracking"] == "pending"


def test_stopped_worker_gives_its_fit_back(live: Live) -> None:
    fit_id = live.start_fit(dataset_id=live.upload(_slow_table()), target="y", **LONG)
    live.wait(fit_id, lambda fit: fit["progress"] > 0.1)
    worker = live.workers.pop()
    worker.terminate()
    assert worker.wait(20) == 0
    live.start_worker()
    live.wait(fit_id, lambda fit: fit["attempt"] == 2, 30)
    assert live.client.post(f"/fits/{fit_id}/cancel").status_code == 202


def test_deleted_fit_is_gone_from_lists_and_by_id(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(), target="body_mass_g", estimator="dummy_baseline"
    )
    live.finished(fit_id)
    assert live.client.delete(f"/fits/{fit_id}").status_code == 204
    assert live.client.get(f"/fits/{fit_id}").status_code == 404
    listed = live.client.get("/fits?limit=200").json()["items"]
    assert fit_id not in [item["id"] for item in listed]


def test_list_is_sorted_by_a_metric_with_unscored_fits_last(live: Live) -> None:
    items = live.client.get("/fits?sort=-metrics.r2&limit=200").json()["items"]
    scores = [item["metrics"].get("r2") for item in items]
    known = [score for score in scores if score is not None]
    assert known == sorted(known, reverse=True)
    assert scores[: len(known)] == known
