"""Jobs exist with the rows they are about, and come back when they were lost."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import SYSTEM
from backend.core.errors import Conflict
from backend.fits import attempts
from backend.fits.attempts import Claim
from backend.fits.files import fetch_request, store_artifacts
from backend.fits.recording import prepare_record
from backend.fits.repository import FitRepository
from backend.fits.states import FINAL_STATES, TRANSITIONS, FitState, advance
from backend.jobs.children import ChildProcesses
from backend.jobs.registry import WorkerContext
from backend.jobs.retry import LONGEST_WAIT, wait_before
from backend.science.run import run_request
from backend.settings import Settings
from backend.storage.blobs import BlobStore
from tests.conftest import SignIn, upload_csv

Sessions = async_sessionmaker[AsyncSession]
OUTCOME = {
    "task": "regression",
    "features": ["x"],
    "metrics": {"r2": 0.5},
    "baseline_metrics": {"r2": 0.0},
    "warnings": [],
}


async def _queued_fit(client: httpx.AsyncClient, **extra: object) -> int:
    dataset = (await upload_csv(client)).json()
    answer = await client.post(
        "/api/v1/fits",
        json={
            "dataset_id": dataset["id"],
            "target": "body_mass_g",
            "estimator": "ridge",
            **extra,
        },
    )
    assert answer.status_code == 202, answer.text
    fit_id: int = answer.json()["id"]
    return fit_id


async def _jobs(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        rows = await session.execute(
            text("select dedupe_key from pgqueuer where status in ('queued', 'picked') order by id")
        )
        return list(rows.scalars())


async def _claim(sessions: Sessions, fit_id: int, max_attempts: int = 3) -> Claim | None:
    async with sessions() as session:
        held = await attempts.claim(session, fit_id, max_attempts=max_attempts)
        await session.commit()
    return held


@pytest.mark.parametrize("current", FitState)
@pytest.mark.parametrize("to", FitState)
def test_only_listed_moves_are_possible(current: FitState, to: FitState) -> None:
    if to in TRANSITIONS[current]:
        assert advance(current, to) is to
    else:
        with pytest.raises(Conflict):
            advance(current, to)
    assert {FitState.SUCCEEDED, FitState.FAILED, FitState.CANCELLED} == FINAL_STATES


def test_waits_double_up_to_ten_seconds() -> None:
    seconds = [wait_before(tries).total_seconds() for tries in (0, 1, 2, 3, 4, 1_000)]
    assert seconds == [1, 2, 4, 8, 10, 10]
    assert LONGEST_WAIT.total_seconds() == 10


async def test_fit_and_job_come_together_and_a_refused_fit_leaves_none(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada)
    assert await _jobs(sessions) == [f"fits.run:{fit_id}"]
    dataset_id = (await ada.get(f"/api/v1/fits/{fit_id}")).json()["dataset_id"]
    request = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "ridge"}
    for change, loc in (
        ({"estimator": "oracle"}, ["body", "estimator"]),
        ({"target": "nothing"}, ["body", "target"]),
        ({"features": ["nothing"]}, ["body", "features", 0]),
        ({"features": ["body_mass_g"]}, ["body", "features", 0]),
        ({"features": ["year", "year"]}, ["body", "features"]),
        ({"params": {"alpha": -1}}, ["body", "params", "alpha"]),
        ({"params": {"alpha": 1e18}}, ["body", "params", "alpha"]),
        ({"params": {"n_jobs": 64}}, ["body", "params", "n_jobs"]),
        ({"estimator": "ordinary_least_squares", "task": "binary"}, ["body", "task"]),
        ({"validation": {"kind": "holdout", "test_size": 0.9}}, None),
        ({"validation": {"kind": "nonsense"}}, None),
        ({"seed": -1}, ["body", "seed"]),
        ({"state": "succeeded"}, ["body", "state"]),
    ):
        answer = await ada.post("/api/v1/fits", json={**request, **change})
        assert answer.status_code == 422, (change, answer.text)
        if loc is not None:
            assert answer.json()["errors"][0]["loc"] == loc
    assert await _jobs(sessions) == [f"fits.run:{fit_id}"]


async def test_repeated_key_starts_one_fit(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    dataset_id = (await upload_csv(ada)).json()["id"]
    request = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "ridge"}
    headers = {"Idempotency-Key": "once"}
    first = await ada.post("/api/v1/fits", json=request, headers=headers)
    again = await ada.post("/api/v1/fits", json=request, headers=headers)
    assert first.json()["id"] == again.json()["id"]
    assert len(await _jobs(sessions)) == 1


async def test_cancelled_while_waiting_it_never_runs(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada)
    answer = await ada.post(f"/api/v1/fits/{fit_id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert await _jobs(sessions) == []
    assert await _claim(sessions, fit_id) is None


async def test_late_result_of_an_older_attempt_is_refused(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada)
    old, new = await _claim(sessions, fit_id), await _claim(sessions, fit_id)
    assert old is not None
    assert new is not None
    assert (old.attempt, new.attempt) == (1, 2)
    async with sessions() as session:
        assert not await attempts.report(session, old, 0.5, "late")
        assert not await attempts.succeed(session, old, OUTCOME, {})
        assert not await attempts.fail(session, old, "late")
        assert await attempts.succeed(session, new, OUTCOME, {})
        assert not await attempts.succeed(session, new, OUTCOME, {})
        await session.commit()
    assert (await ada.get(f"/api/v1/fits/{fit_id}")).json()["state"] == "succeeded"
    assert f"fits.track:{fit_id}" in await _jobs(sessions)


async def test_fit_that_loses_every_worker_fails_with_a_reason(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada)
    for _ in range(3):
        assert await _claim(sessions, fit_id) is not None
    assert await _claim(sessions, fit_id) is None
    fit = (await ada.get(f"/api/v1/fits/{fit_id}")).json()
    assert fit["state"] == "failed"
    assert "lost 3 times" in fit["error"]["message"]


async def test_worker_that_stops_gives_back_what_it_holds_without_blame(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada)
    for attempt in range(1, 6):
        held = await _claim(sessions, fit_id)
        assert held is not None
        assert (held.attempt, held.may_be_lost) == (attempt, True)
        async with sessions() as session:
            await attempts.give_back(session, held)
            await session.commit()
        assert (await ada.get(f"/api/v1/fits/{fit_id}")).json()["state"] == "queued"


@pytest.mark.parametrize(
    ("target", "estimator", "task"),
    [
        ("body_mass_g", "ridge", "regression"),
        ("species", "k_nearest_neighbors", "multiclass"),
        ("sex", "random_forest", "binary"),
    ],
)
async def test_what_a_fit_leaves_can_be_told_to_mlflow(
    sign_in: SignIn,
    sessions: Sessions,
    settings: Settings,
    tmp_path: Path,
    target: str,
    estimator: str,
    task: str,
) -> None:
    """The real outcome of each task, through the store, as the tracker gets it."""
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada, target=target, estimator=estimator)
    held = await _claim(sessions, fit_id)
    assert held is not None
    blobs = BlobStore(settings.files_url)
    request = fetch_request(blobs, held, tmp_path)
    outcome = run_request(request, lambda _share, _text: None)
    artifacts = store_artifacts(blobs, tmp_path)
    async with sessions() as session:
        assert await attempts.succeed(session, held, outcome, artifacts)
        await session.commit()
    context = WorkerContext(settings, sessions, blobs, ChildProcesses(()))
    prepared = await prepare_record(context, fit_id, tmp_path)
    assert prepared is not None
    record = prepared.told
    assert prepared.readers.slug == record.experiment
    assert (record.output.task, record.username, record.target) == (task, "ada", target)
    assert record.model_sha256 == artifacts["model"]
    assert record.readers == ["ada"]


async def test_lost_jobs_come_back_once(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    waiting, done = await _queued_fit(ada), await _queued_fit(ada)
    held = await _claim(sessions, done)
    assert held is not None
    async with sessions() as session:
        await attempts.succeed(session, held, OUTCOME, {})
        await session.execute(text("delete from pgqueuer"))
        await session.commit()
    for _ in range(2):
        async with sessions() as session:
            await attempts.restore_jobs(session)
            await session.commit()
        assert await _jobs(sessions) == [f"fits.run:{waiting}", f"fits.track:{done}"]
    async with sessions() as session:
        fit = await FitRepository(session, SYSTEM).get(waiting)
        newest = await session.execute(text("select min(id) from pgqueuer"))
        assert fit.job_id == newest.scalar_one()


async def test_too_many_unfinished_fits_have_to_wait(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    first = await _queued_fit(ada)
    dataset_id = (await ada.get(f"/api/v1/fits/{first}")).json()["dataset_id"]
    request = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "ridge"}
    statuses = [(await ada.post("/api/v1/fits", json=request)).status_code for _ in range(100)]
    assert statuses == [202] * 99 + [429]


async def test_results_of_an_unfinished_fit_are_a_conflict(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    fit_id = await _queued_fit(ada)
    for path in ("plots", "plots/residuals", "plots/residuals.png", "residuals"):
        answer = await ada.get(f"/api/v1/fits/{fit_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "fit_without_results")
