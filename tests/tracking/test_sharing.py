"""Projects in MLflow's real server: who is put out loses it, and what is moved goes along."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from pgqueuer.domain.errors import RetryRequested
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.fits.recording import prepare_record
from backend.fits.schemas import TrackPayload
from backend.fits.tasks import track_fit, withdraw_moved
from backend.jobs.registry import WorkerContext
from backend.projects.tasks import reconcile, share_behind
from backend.registry.schemas import MirrorPayload
from backend.registry.tasks import mirror_model
from backend.settings import Settings
from backend.tables import Fit, Project
from backend.tracking.mlflow import MlflowTracker
from backend.tracking.registry import MlflowRegistry
from tests.conftest import SignIn
from tests.projects.sharing import V1, make_project, share
from tests.registry.registering import make_model
from tests.tracking.conftest import MlflowServer
from tests.tracking.stand_ins import SERVICE_KEY
from tests.tracking.test_mirroring import context_for

# Each records several times, as the worker does.
pytestmark = pytest.mark.timeout(600)
API = "/api/2.0/mlflow"
Sessions = async_sessionmaker[AsyncSession]


@dataclass
class World:
    """anna's model in a project that she shares with ben; vera reads another one of hers."""

    server: MlflowServer
    context: WorkerContext
    anna: httpx.AsyncClient
    model: dict[str, Any]
    shared: int
    other: int

    @property
    def fit_id(self) -> int:
        found: int = self.model["fit_id"]
        return found

    async def slug(self, project: int) -> str:
        found: str = (await self.anna.get(f"{V1}/projects/{project}")).json()["slug"]
        return found

    async def experiment(self, project: int) -> str:
        found = MlflowClient().get_experiment_by_name(await self.slug(project))
        assert found is not None
        return str(found.experiment_id)

    async def work(self) -> None:
        """What the worker does about it."""
        await share_behind(self.context)
        await withdraw_moved(self.context)
        await self.track()
        payload = MirrorPayload(model_id=self.model["id"])
        await mirror_model(self.context, payload.model_dump_json().encode())

    async def track(self) -> None:
        await track_fit(self.context, TrackPayload(fit_id=self.fit_id).model_dump_json().encode())

    async def move(self, project: int) -> None:
        url = f"{V1}/models/{self.model['id']}"
        answer = await self.anna.patch(url, json={"project_id": project})
        assert answer.status_code == 200, answer.text

    async def runs(self, project: int, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
        wanted = f"tags.`goodfit.fit_id` = '{self.fit_id}'"
        return list(MlflowClient().search_runs([await self.experiment(project)], wanted, view))

    def status(self, token: str, path: str, **query: str) -> int:
        with self.server.client(token) as client:
            return client.get(f"{API}/{path}", params=query).status_code

    async def files(self, path: str) -> list[dict[str, Any]]:
        with self.server.platform() as client:
            listed = client.get("/api/2.0/mlflow-artifacts/artifacts", params={"path": path})
        found: list[dict[str, Any]] = listed.json().get("files", [])
        return found

    def found(self, token: str, path: str, rows: str) -> list[str]:
        with self.server.client(token) as client:
            answer = client.get(f"{API}/{path}/search", params={"max_results": 200})
        return [row["name"] for row in answer.json().get(rows, [])]


@pytest.fixture
async def world(
    app: FastAPI,
    settings: Settings,
    sessions: Sessions,
    mlflow_server: MlflowServer,
    sign_in: SignIn,
) -> World:
    MlflowRegistry(mlflow_server.url, SERVICE_KEY, 20)
    anna, _ben = await sign_in("anna"), await sign_in("ben")
    await sign_in("vera", Role.VIEWER)
    stamp = str(time.time_ns())
    shared = await make_project(anna, f"shared {stamp}")
    other = await make_project(anna, f"other {stamp}")
    await share(anna, shared, ben="viewer")
    await share(anna, other, vera="viewer")
    model = await make_model(anna, app, name=f"penguins {stamp}")
    context = context_for(settings, sessions, mlflow_server.url)
    made = World(mlflow_server, context, anna, model, shared, other)
    await made.move(shared)
    return made


async def test_who_is_put_out_loses_experiment_and_models_within_seconds(world: World) -> None:
    await world.work()
    slug, name = await world.slug(world.shared), world.model["mlflow_name"]
    (run,) = await world.runs(world.shared)

    def seen(token: str) -> list[object]:
        with world.server.client(token) as client:
            files = client.get("/get-artifact", params={"run_id": run.info.run_id, "path": "x"})
        return [
            world.status(token, "experiments/get-by-name", experiment_name=slug),
            world.status(token, "runs/get", run_id=run.info.run_id),
            world.status(token, "registered-models/get", name=name),
            slug in world.found(token, "experiments", "experiments"),
            name in world.found(token, "registered-models", "registered_models"),
            files.status_code == 403,
        ]

    assert seen("gf_ben") == seen("gf_anna") == [200, 200, 200, True, True, False]
    assert seen("gf_viewer") == [403, 403, 403, False, False, True]
    url = f"{V1}/projects/{world.shared}/members"
    assert (await world.anna.delete(f"{url}/ben")).status_code == 204
    began = time.monotonic()
    await share_behind(world.context)
    assert seen("gf_ben") == [403, 403, 403, False, False, True]
    assert time.monotonic() - began < 5
    await share(world.anna, world.shared, vera="viewer")
    await share_behind(world.context)
    assert seen("gf_viewer") == seen("gf_anna") == [200, 200, 200, True, True, False]
    assert (await world.anna.delete(f"{V1}/projects/{world.shared}")).status_code == 204
    await share_behind(world.context)
    assert seen("gf_anna") == [403, 403, 403, False, False, True]
    payload = MirrorPayload(model_id=world.model["id"]).model_dump_json().encode()
    await mirror_model(world.context, payload)
    assert world.status("gf_admin", "registered-models/get", name=name) == 404


async def test_a_moved_model_is_recorded_anew_and_leaves_nothing_to_read(world: World) -> None:
    await world.work()
    (old,) = await world.runs(world.shared)
    (source,) = MlflowClient().search_logged_models([await world.experiment(world.shared)])
    name = world.model["mlflow_name"]
    await world.move(world.other)
    await share_behind(world.context)
    # Before anything is recorded.
    assert world.status("gf_ben", "registered-models/get", name=name) == 403
    await world.work()
    assert await world.runs(world.shared) == []
    assert MlflowClient().search_logged_models([await world.experiment(world.shared)]) == []
    assert await world.files(source.artifact_location.removeprefix("mlflow-artifacts:/")) == []
    (new,) = await world.runs(world.other)
    version = MlflowClient().get_model_version_by_alias(name, "champion")
    assert (version.run_id, version.tags["goodfit.version"]) == (new.info.run_id, "1")
    assert len(MlflowClient().search_model_versions(f"name = '{name}'")) == 1
    assert world.status("gf_viewer", "runs/get", run_id=new.info.run_id) == 200
    assert world.status("gf_viewer", "registered-models/get", name=name) == 200
    assert world.status("gf_ben", "runs/get", run_id=new.info.run_id) == 403
    fit = (await world.anna.get(f"{V1}/fits/{world.fit_id}")).json()
    assert (fit["tracking"], fit["mlflow_run_id"]) == ("recorded", new.info.run_id)
    # And back: never the run that lost its files.
    await world.move(world.shared)
    await world.work()
    (again,) = await world.runs(world.shared)
    assert again.info.run_id not in (old.info.run_id, new.info.run_id)
    assert await world.runs(world.other) == []
    version = MlflowClient().get_model_version_by_alias(name, "champion")
    assert version.run_id == again.info.run_id


async def test_what_a_lost_worker_left_in_the_old_project_is_withdrawn(
    world: World, tmp_path: Path
) -> None:
    """The run was made, and the worker killed before the platform knew of it."""
    await withdraw_moved(world.context)
    prepared = await prepare_record(world.context, world.fit_id, tmp_path)
    assert prepared is not None
    MlflowTracker(world.server.url, SERVICE_KEY, 20).record_fit(prepared.told)
    assert len(await world.runs(world.shared)) == 1
    await world.move(world.other)
    await world.work()
    assert await world.runs(world.shared) == []
    assert len(await world.runs(world.other)) == 1


async def test_a_moved_run_goes_at_once_though_it_cannot_be_recorded_anew(
    world: World, sessions: Sessions
) -> None:
    await world.work()
    (source,) = MlflowClient().search_logged_models([await world.experiment(world.shared)])
    path = source.artifact_location.removeprefix("mlflow-artifacts:/")
    assert await world.files(path) != []
    await world.move(world.other)
    async with sessions() as session:
        lost = {"model": "0" * 64, "input_example": "0" * 64}
        await session.execute(update(Fit).where(Fit.id == world.fit_id).values(artifacts=lost))
        await session.commit()
    # Not before it is withdrawn: a run that is going could be taken for the fit's.
    with pytest.raises(RetryRequested, match="not withdrawn"):
        await world.track()
    began = time.monotonic()
    await withdraw_moved(world.context)
    assert await world.runs(world.shared) == []
    assert await world.files(path) == []
    assert time.monotonic() - began < 5
    with pytest.raises(RetryRequested, match="file of the fit is missing"):
        await world.track()
    await withdraw_moved(world.context)
    async with sessions() as session:
        fit = await session.get_one(Fit, world.fit_id)
        assert fit.moves == fit.withdrawn_moves > 0


async def test_a_withdrawal_that_was_cut_off_is_brought_to_its_end(world: World) -> None:
    await world.work()
    (run,) = await world.runs(world.shared)
    experiment = await world.experiment(world.shared)
    MlflowClient().delete_run(run.info.run_id)
    with world.server.platform() as client:
        # As a worker killed in the middle of it leaves one: no files, but the entry.
        (source,) = MlflowClient().search_logged_models([experiment])
        path = source.artifact_location.removeprefix("mlflow-artifacts:/")
        gone = client.delete(f"/api/2.0/mlflow-artifacts/artifacts/{path}")
        assert gone.status_code == 200
    await world.move(world.other)
    await withdraw_moved(world.context)
    assert MlflowClient().search_logged_models([experiment]) == []
    (left,) = await world.runs(world.shared, ViewType.DELETED_ONLY)
    assert left.data.tags["goodfit.withdrawn"] == "true"


async def test_what_mlflow_shows_to_others_is_found_and_taken_back(
    world: World, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    await world.work()
    await share_behind(world.context)
    slug, name = await world.slug(world.shared), world.model["mlflow_name"]
    experiment = await world.experiment(world.shared)
    await reconcile(world.context)
    assert await _mirrored(sessions, world.shared) > 0
    permissions = "/api/3.0/mlflow/users/permissions"
    given = {"username": "vera", "resource_type": "experiment", "resource_id": experiment}
    taken = {"username": "ben", "resource_type": "registered_model", "resource_id": name}
    with world.server.platform() as client:
        answer = client.post(f"{permissions}/grant", json=given | {"permission": "READ"})
        assert answer.status_code == 200, answer.text
    assert world.status("gf_viewer", "experiments/get-by-name", experiment_name=slug) == 200
    await reconcile(world.context)
    assert await _mirrored(sessions, world.shared) == 0
    assert slug in str([record.__dict__.get("projects") for record in caplog.records])
    await share_behind(world.context)
    assert world.status("gf_viewer", "experiments/get-by-name", experiment_name=slug) == 403
    with world.server.platform() as client:
        assert client.post(f"{permissions}/revoke", json=taken).status_code == 200
    assert world.status("gf_ben", "registered-models/get", name=name) == 403
    await reconcile(world.context)
    await share_behind(world.context)
    assert world.status("gf_ben", "registered-models/get", name=name) == 200


async def _mirrored(sessions: Sessions, project: int) -> int:
    async with sessions() as session:
        found = await session.get_one(Project, project, populate_existing=True)
        return found.mirrored_revision
