"""Who may read `/metrics`, and what stands there."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.core.instruments import observe_prediction
from backend.settings import Settings
from tests.conftest import SignIn, upload_csv

TOKEN = "a token for Prometheus of 32 bytes or more"


@pytest.fixture
async def prometheus(app: FastAPI, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app.state.settings = Settings(**{**dict(settings), "metrics_token": TOKEN})
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        yield client
    app.state.settings = settings


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def labelled(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


async def test_stranger_and_member_are_refused(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    assert (await anonymous.get("/metrics")).status_code == 401
    wrong = await anonymous.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"
    assert (await (await sign_in("ada")).get("/metrics")).status_code == 403


async def test_admin_and_prometheus_read(sign_in: SignIn, prometheus: httpx.AsyncClient) -> None:
    admin = await sign_in("root", Role.ADMIN)
    for reader in (admin, prometheus):
        assert (await samples(reader))[labelled("goodfit_database_up")] == 1


async def test_requests_are_counted_by_template_and_never_by_path(
    sign_in: SignIn, prometheus: httpx.AsyncClient
) -> None:
    ada = await sign_in("ada")
    route = "/api/v1/datasets/{dataset_id}"
    one = labelled("goodfit_http_requests_total", method="GET", route=route, status="404")
    before = (await samples(prometheus)).get(one, 0)
    for path in ("987654321", "987654322"):
        assert (await ada.get(f"/api/v1/datasets/{path}")).status_code == 404
    await ada.get("/api/v1/nothing/like/987654321")
    await ada.request("INVENTED987654321", "/api/v1/fits")
    after = await samples(prometheus)
    assert after[one] == before + 2
    routes = {value for _, labels in after for name, value in labels if name == "route"}
    assert "unmatched" in routes
    assert "987654321" not in str(after)
    assert "ada" not in {value for _, labels in after for _, value in labels}
    count = labelled("goodfit_http_request_seconds_count", method="GET", route=route)
    assert after[count] >= 2


async def test_waiting_job_and_queued_fit_are_seen(
    sign_in: SignIn,
    prometheus: httpx.AsyncClient,
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    ada = await sign_in("ada")
    dataset = (await upload_csv(ada)).json()["id"]
    request = {"dataset_id": dataset, "target": "body_mass_g", "estimator": "ridge"}
    before = await samples(prometheus)
    assert (await ada.post("/api/v1/fits", json=request)).status_code == 202
    async with sessions() as session:
        # The whole test is one transaction, in which the database's clock stands still.
        await session.execute(
            text(
                "update pgqueuer set created = now() - interval '90 s',"
                " execute_after = now() - interval '90 s' where entrypoint = 'fits.run'"
            )
        )
        await session.commit()
    after = await samples(prometheus)
    waiting = labelled("goodfit_queue_jobs", entrypoint="fits.run", state="waiting")
    assert after[waiting] == before.get(waiting, 0) + 1
    oldest = after[labelled("goodfit_queue_oldest_seconds", entrypoint="fits.run")]
    assert oldest == pytest.approx(90, abs=5)
    queued = labelled("goodfit_fits", state="queued")
    assert after[queued] == before[queued] + 1
    assert after[labelled("goodfit_fits", state="failed")] == 0


async def test_prediction_is_timed_by_kind(prometheus: httpx.AsyncClient) -> None:
    count = labelled("goodfit_prediction_seconds_count", kind="rows")
    before = (await samples(prometheus)).get(count, 0)
    observe_prediction(0.004, "rows")
    after = await samples(prometheus)
    assert after[count] == before + 1
    bucket = labelled("goodfit_prediction_seconds_bucket", kind="rows", le="0.005")
    assert after[bucket] >= 1


async def test_lost_database_leaves_the_process_figures(
    app: FastAPI, prometheus: httpx.AsyncClient
) -> None:
    def lost() -> None:
        raise ConnectionRefusedError

    app.state.sessions = lost
    figures = await samples(prometheus)
    assert figures[labelled("goodfit_database_up")] == 0
    assert labelled("goodfit_database_pool_limit") in figures
    assert not any(name == "goodfit_fits" for name, _ in figures)
