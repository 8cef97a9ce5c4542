"""Runs a queued fit to its end without a worker: the same claim, program and finish."""

import asyncio
import tempfile
from pathlib import Path

from fastapi import FastAPI

from backend.core.db import transaction
from backend.fits import attempts
from backend.fits.files import fetch_request, store_artifacts
from backend.science.run import run_request


async def finish_fit(app: FastAPI, fit_id: int) -> None:
    sessions, blobs = app.state.sessions, app.state.blobs
    async with transaction(sessions) as session:
        held = await attempts.claim(session, fit_id, max_attempts=3)
    assert held is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request = fetch_request(blobs, held, folder)
        outcome = await asyncio.to_thread(run_request, request, lambda _fraction, _text: None)
        artifacts = store_artifacts(blobs, folder)
    async with transaction(sessions) as session:
        assert await attempts.succeed(session, held, outcome, artifacts)
