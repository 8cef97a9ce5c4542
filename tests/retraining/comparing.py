"""Runs a queued retraining to its end without a worker: the same claims, programs and finishes."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from backend.core.db import transaction
from backend.retraining import attempts
from backend.science.comparison import compare_request
from tests.conftest import DATA
from tests.fits.finishing import finish_fit
from tests.registry.registering import V1

PENGUINS = (DATA / "penguins.csv").read_text()


async def finish_retraining(
    app: FastAPI, client: httpx.AsyncClient, retraining_id: int
) -> dict[str, Any]:
    url = f"{V1}/retrainings/{retraining_id}"
    fit_id = (await client.get(url)).json()["fit_id"]
    await finish_fit(app, fit_id)
    await compare(app, fit_id)
    ended: dict[str, Any] = (await client.get(url)).json()
    return ended


async def compare(app: FastAPI, fit_id: int) -> None:
    async with transaction(app.state.sessions) as session:
        held = await attempts.claim(session, fit_id, max_attempts=3)
    assert held is not None
    with tempfile.TemporaryDirectory() as name:
        files = {key: str(Path(name) / key) for key in held.files}
        for key, digest in held.files.items():
            app.state.blobs.fetch(digest, Path(files[key]))
        request = json.loads(json.dumps(held.request | files))
        evidence = await asyncio.to_thread(compare_request, request, lambda _share, _text: None)
    async with transaction(app.state.sessions) as session:
        assert await attempts.finish(session, held, json.loads(json.dumps(evidence)))


def with_wrong_labels(share: int) -> bytes:
    """Penguins in which every `share`-th species is another one."""
    names = {"Adelie": "Gentoo", "Gentoo": "Chinstrap", "Chinstrap": "Adelie"}
    lines = PENGUINS.splitlines()
    for number in range(1, len(lines), share):
        species, _, rest = lines[number].partition(",")
        lines[number] = f"{names[species]},{rest}"
    return "\n".join(lines).encode()
