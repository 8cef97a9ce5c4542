"""From the platform's model to MLflow's registry, by the worker's task."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pgqueuer.domain.errors import RetryRequested
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.fits import attempts
from backend.jobs.children import ChildProcesses
from backend.jobs.registry import WorkerContext
from backend.registry.mirroring import enqueue_behind, read_snapshot, store_mirrored
from backend.registry.schemas import MirrorPayload
from backend.registry.tasks import mirror_model
from backend.settings import Settings
from backend.stack.postgres import free_port
from backend.storage.blobs import BlobStore
from backend.tracking.port import FitRecord, MirroredModel, ModelRecord, RecordedRun
from backend.tracking.registry import MlflowRegistry
from tests.conftest import SignIn, upload_csv
from tests.tracking.conftest import MlflowServer
from tests.tracking.stand_ins import SERVICE_KEY

Sessions = async_sessionmaker[AsyncSession]
Recorded = Callable[[str, int], tuple[FitRecord, RecordedRun]]
FinishedFit = Callable[[int | None], Awaitable[int]]
OUTCOME: dict[str, Any] = {
    "task": "regression",
    "features": ["bill_length_mm"],
    "metrics": {"r2": 0.5},
    "baseline_metrics": {"r2": 0.0},
    "warnings": [],
    "input_columns": [{"name": "bill_length_mm", "type": "number", "numeric": True}],
    "output": {"name": "body_mass_g", "task": "regression", "classes": None},
}
REASON = {"reason": "It is better"}


@pytest.fixture(scope="session")
def registry(mlflow_server: MlflowServer) -> MlflowRegistry:
    """Set up once: MLflow's client is global in this process."""
    return MlflowRegistry(mlflow_server.url, SERVICE_KEY, 20)


@pytest.fixture
async def anna(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("anna")


@pytest.fixture
def context(settings: Settings, sessions: Sessions, mlflow_server: MlflowServer) -> WorkerContext:
    return context_for(settings, sessions, mlflow_server.url)


def context_for(settings: Settings, sessions: Sessions, url: str) -> WorkerContext:
    urls = settings.urls.model_copy(update={"mlflow": url})
    secrets = settings.secrets.model_copy(update={"service_key": SecretStr(SERVICE_KEY)})
    told = settings.model_copy(update={"urls": urls, "secrets": secrets})
    return WorkerContext(told, sessions, BlobStore(settings.files_url), ChildProcesses(()))


@pytest.fixture
def finished_fit(anna: httpx.AsyncClient, sessions: Sessions, recorded: Recorded) -> FinishedFit:
    """Makes a fit that succeeded, recorded as that run of anna's, or not recorded yet."""

    async def make(run: int | None) -> int:
        dataset = (await upload_csv(anna)).json()
        request = {"dataset_id": dataset["id"], "target": "body_mass_g", "estimator": "ridge"}
        fit_id: int = (await anna.post("/api/v1/fits", json=request)).json()["id"]
        async with sessions() as session:
            held = await attempts.claim(session, fit_id, max_attempts=3)
            assert held is not None
            assert await attempts.succeed(session, held, OUTCOME, {})
            await session.commit()
        if run is not None:
            await record(sessions, recorded, fit_id, run)
        return fit_id

    return make


async def record(sessions: Sessions, recorded: Recorded, fit_id: int, run: int) -> None:
    where = recorded("anna", run)[1]
    async with sessions() as session:
        await attempts.recorded(
            session, fit_id, run_id=where.run_id, experiment_id=where.experiment_id
        )
        await session.commit()


async def register(client: httpx.AsyncClient, fit_id: int, name: str) -> dict[str, Any]:
    answer = await client.post("/api/v1/models", json={"name": name, "fit_id": fit_id})
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    return model


async def run_job(context: WorkerContext, model_id: int) -> None:
    await mirror_model(context, MirrorPayload(model_id=model_id).model_dump_json().encode())


async def aliases_after_job(context: WorkerContext, model: dict[str, Any]) -> dict[str, int]:
    await run_job(context, model["id"])
    shown = MlflowClient().get_registered_model(model["mlflow_name"]).aliases
    return {alias: int(version) for alias, version in shown.items()}


@pytest.mark.usefixtures("registry")
async def test_mlflow_follows_a_model_from_registration_to_the_trash(
    anna: httpx.AsyncClient, context: WorkerContext, finished_fit: FinishedFit
) -> None:
    model = await register(anna, await finished_fit(1), "Follows")
    path = f"/api/v1/models/{model['id']}"
    assert model["mirror"] == "pending"
    assert await aliases_after_job(context, model) == {}
    assert (await anna.get(path)).json()["mirror"] == "recorded"
    assert (await anna.get(f"{path}/versions/1")).json()["mlflow_version"] == "1"
    added = await anna.post(f"{path}/versions", json={"fit_id": await finished_fit(2)})
    assert added.status_code == 201, added.text
    for version in (1, 2):
        await anna.put(f"{path}/aliases/champion", json={"version": version, **REASON})
        assert await aliases_after_job(context, model) == {"champion": version}
    back = await anna.post(f"{path}/rollback", json=REASON)
    assert back.status_code == 200, back.text
    assert await aliases_after_job(context, model) == {"champion": 1}
    assert (await anna.delete(path)).status_code == 204
    await run_job(context, model["id"])
    with pytest.raises(MlflowException, match="not found"):
        MlflowClient().get_registered_model(model["mlflow_name"])


@pytest.mark.usefixtures("registry")
async def test_a_version_follows_when_its_fit_is_recorded(
    anna: httpx.AsyncClient,
    context: WorkerContext,
    finished_fit: FinishedFit,
    sessions: Sessions,
    recorded: Recorded,
) -> None:
    fit_id = await finished_fit(None)
    model = await register(anna, fit_id, "Waits")
    with pytest.raises(RetryRequested, match="not recorded yet") as later:
        await run_job(context, model["id"])
    assert later.value.delay.total_seconds() <= 30
    assert (
        MlflowClient().get_registered_model(model["mlflow_name"]).tags["goodfit.model"] == "Waits"
    )
    assert (await anna.get(f"/api/v1/models/{model['id']}")).json()["mirror"] == "pending"
    await record(sessions, recorded, fit_id, 1)
    await run_job(context, model["id"])
    assert (await anna.get(f"/api/v1/models/{model['id']}")).json()["mirror"] == "recorded"


async def test_what_mlflow_has_but_was_not_stored_is_not_made_again(
    anna: httpx.AsyncClient,
    context: WorkerContext,
    finished_fit: FinishedFit,
    sessions: Sessions,
    registry: MlflowRegistry,
) -> None:
    model = await register(anna, await finished_fit(1), "Not stored")
    async with sessions() as session:
        snapshot = await read_snapshot(session, model["id"])
    assert snapshot is not None
    # A worker that was killed after its child was done.
    child = registry.mirror(ModelRecord.model_validate(snapshot.content["record"]))
    await run_job(context, model["id"])
    assert child == MirroredModel(versions={1: "1"})
    assert (await anna.get(f"/api/v1/models/{model['id']}/versions/1")).json()[
        "mlflow_version"
    ] == "1"
    name = model["mlflow_name"]
    assert len(MlflowClient().search_model_versions(f"name = '{name}'")) == 1


async def test_a_change_during_the_job_leaves_the_model_behind(
    anna: httpx.AsyncClient, finished_fit: FinishedFit, sessions: Sessions
) -> None:
    model = await register(anna, await finished_fit(1), "Changed")
    path = f"/api/v1/models/{model['id']}"
    async with sessions() as session:
        snapshot = await read_snapshot(session, model["id"])
    assert snapshot is not None
    await anna.put(f"{path}/aliases/champion", json={"version": 1, **REASON})
    async with sessions() as session:
        done = MirroredModel(versions={1: "1"})
        now = await store_mirrored(session, model["id"], done, snapshot.revision, snapshot.readers)
        await session.commit()
    assert now == snapshot.revision + 1
    assert (await anna.get(path)).json()["mirror"] == "pending"


async def test_a_model_whose_job_was_lost_comes_back_once(
    anna: httpx.AsyncClient, finished_fit: FinishedFit, sessions: Sessions
) -> None:
    model = await register(anna, await finished_fit(1), "Lost")
    count = text("select count(*) from pgqueuer where dedupe_key = :key and status = 'queued'")
    key = {"key": f"registry.mirror:{model['id']}"}
    async with sessions() as session:
        assert (await session.execute(count, key)).scalar_one() == 1
        await session.execute(text("delete from pgqueuer"))
        for _ in range(2):
            await enqueue_behind(session)
            assert (await session.execute(count, key)).scalar_one() == 1


async def test_while_mlflow_is_away_the_job_stays(
    anna: httpx.AsyncClient, settings: Settings, sessions: Sessions, finished_fit: FinishedFit
) -> None:
    model = await register(anna, await finished_fit(1), "Away")
    away = context_for(settings, sessions, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RetryRequested, match="MLflow does not answer"):
        await run_job(away, model["id"])
    assert (await anna.get(f"/api/v1/models/{model['id']}")).json()["mirror"] == "pending"
