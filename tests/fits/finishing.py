"""Runs a queued fit to its end without a worker: the same claim, program and finish."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.db import transaction
from backend.fits import attempts
from backend.fits.claiming import Claim
from backend.fits.files import fetch_request, store_artifacts
from backend.science.reporting import Silent
from backend.science.run import run_request
from backend.settings import FitSettings

# A worker that was silent for a moment counts as lost, so that tests need not wait.
IMPATIENT = FitSettings(lost_after=timedelta(days=-365))


async def claim_fit(session: AsyncSession, fit_id: int) -> Claim | None:
    """Take this fit as a worker takes the next one: it is put before all others."""
    put_first = text("update fits set priority = 100, not_before = null where id = :id")
    await session.execute(put_first, {"id": fit_id})
    held = await attempts.take(session, IMPATIENT, "a test")
    assert held is None or held.fit_id == fit_id
    return held


async def finish_fit(app: FastAPI, fit_id: int) -> None:
    sessions, blobs = app.state.sessions, app.state.blobs
    async with transaction(sessions) as session:
        held = await claim_fit(session, fit_id)
    assert held is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request = fetch_request(blobs, held, folder)
        outcome = await asyncio.to_thread(run_request, request, Silent())
        artifacts = store_artifacts(blobs, folder)
    async with transaction(sessions) as session:
        assert await attempts.succeed(session, held, outcome, artifacts)
