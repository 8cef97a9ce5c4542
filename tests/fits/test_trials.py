"""Searches over the API: what is refused before the queue, and the trials as they are told."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI

from backend.core.db import transaction
from backend.fits import attempts
from backend.fits.attempts import Told
from backend.fits.files import fetch_request, store_artifacts
from backend.science.run import run_request
from tests.conftest import SignIn, upload_csv
from tests.fits.finishing import claim_fit

V1 = "/api/v1"


class _Trials:
    """Gathers the trials as a worker does."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def __call__(self, share: float, message: str, /) -> None:
        assert 0 <= share <= 1
        assert message

    def tell(self, kind: str, content: Mapping[str, Any], /) -> None:
        if kind == "trial":
            self.told.append(dict(content))


async def _search(app: FastAPI, client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """A fit with a search, done as a worker does it: half of the trials are written on the way."""
    answer = await client.post(f"{V1}/fits", json=wanted)
    assert answer.status_code == 202, answer.text
    fit_id = answer.json()["id"]
    sessions, blobs = app.state.sessions, app.state.blobs
    async with transaction(sessions) as session:
        held = await claim_fit(session, fit_id)
    assert held is not None
    heard = _Trials()
    with tempfile.TemporaryDirectory() as name:
        request = fetch_request(blobs, held, Path(name))
        outcome = await asyncio.to_thread(run_request, request, heard)
        artifacts = store_artifacts(blobs, Path(name))
    half = len(heard.told) // 2
    async with transaction(sessions) as session:
        on_the_way = Told(trials=heard.told[:half])
        assert await attempts.report(session, held, 0.5, "half", on_the_way)
    async with transaction(sessions) as session:
        rest = Told(trials=heard.told[half:])
        assert await attempts.succeed(session, held, outcome, artifacts, told=rest)
    fit: dict[str, Any] = (await client.get(f"{V1}/fits/{fit_id}")).json()
    return fit


def _noise(rows: int = 120) -> bytes:
    """A target that nothing tells."""
    generator = np.random.default_rng(5)
    lines = ["a,b,c,y"]
    for _ in range(rows):
        a, b, c = generator.normal(size=3)
        lines.append(f"{a:.6f},{b:.6f},{c:.6f},{'yes' if generator.random() < 0.5 else 'no'}")
    return "\n".join(lines).encode()


async def test_trials_show_what_was_tried_and_the_best_so_far(
    app: FastAPI, sign_in: SignIn
) -> None:
    client = await sign_in("ada")
    fit = await _search(
        app,
        client,
        dataset_id=(await upload_csv(client)).json()["id"],
        target="species",
        features=["bill_length_mm", "flipper_length_mm"],
        estimator="k_nearest_neighbors",
        search={"kind": "grid", "space": {"n_neighbors": [60, 11, 900, 3]}},
    )
    trials = (await client.get(f"{V1}/fits/{fit['id']}/trials")).json()
    assert [trial["params"]["n_neighbors"] for trial in trials["items"]] == [60, 11, 900, 3]
    assert [trial["state"] for trial in trials["items"]].count("failed") == 1
    scores = [t["score"] for t in trials["items"] if t["state"] == "scored"]
    assert max(scores) == trials["items"][-1]["best_so_far"]
    assert trials["items"][0]["best_so_far"] == trials["items"][0]["score"]
    best = next(t for t in trials["items"] if t["number"] == trials["best_number"])
    assert best["score"] == max(scores)
    assert fit["best_params"]["n_neighbors"] == best["params"]["n_neighbors"]
    assert (trials["metric"], trials["greater_is_better"]) == ("accuracy", True)
    assert "1 of 4 trials failed" in " ".join(fit["warnings"])


async def test_nested_search_on_noise_is_scored_no_better_than_chance(
    app: FastAPI, sign_in: SignIn
) -> None:
    client = await sign_in("ada")
    uploaded = await upload_csv(client, _noise(), "noise.csv")
    fit = await _search(
        app,
        client,
        dataset_id=uploaded.json()["id"],
        target="y",
        estimator="k_nearest_neighbors",
        validation={"kind": "kfold", "folds": 3},
        search={
            "kind": "random",
            "space": {"n_neighbors": {"low": 1, "high": 30}, "weights": ["uniform", "distance"]},
            "trials": 24,
        },
    )
    trials = (await client.get(f"{V1}/fits/{fit['id']}/trials")).json()
    # The budget is the fit's: three outer folds and the last model share it.
    assert len(trials["items"]) == 24
    inside = max(trial["score"] for trial in trials["items"])
    assert abs(fit["metrics"]["accuracy"] - 0.5) < 0.12
    assert inside > fit["metrics"]["accuracy"] + 0.03


async def test_a_fit_without_a_search_has_no_trials(sign_in: SignIn) -> None:
    client = await sign_in("ada")
    dataset_id = (await upload_csv(client)).json()["id"]
    wanted = {"dataset_id": dataset_id, "target": "species", "estimator": "dummy_baseline"}
    fit = (await client.post(f"{V1}/fits", json=wanted)).json()
    answer = await client.get(f"{V1}/fits/{fit['id']}/trials")
    assert (answer.status_code, answer.json()["code"]) == (409, "fit_without_search")


async def test_wrong_searches_are_refused_before_the_queue(sign_in: SignIn) -> None:
    client = await sign_in("ada")
    dataset_id = (await upload_csv(client)).json()["id"]
    base = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "ridge"}
    wrong: list[tuple[dict[str, Any], list[Any]]] = [
        ({"space": {"alpha": [1, -1]}}, ["space", "alpha", 1]),
        ({"space": {"beta": [1]}}, ["space", "beta"]),
        ({"space": {}}, ["space"]),
        ({"space": {"alpha": {"low": 1, "high": 1e10}}}, ["space", "alpha", "high"]),
        ({"space": {"alpha": list(range(1, 40))}, "kind": "grid"}, ["trials"]),
        ({"trials": 0}, ["trials"]),
        ({"kind": "sklearn"}, ["kind"]),
    ]
    for search, place in wrong:
        answer = await client.post(f"{V1}/fits", json={**base, "search": search})
        assert answer.status_code == 422, answer.text
        places = [error["loc"] for error in answer.json()["errors"]]
        assert ["body", "search", *place] in places, answer.text
    assert (await client.get(f"{V1}/fits")).json()["items"] == []
