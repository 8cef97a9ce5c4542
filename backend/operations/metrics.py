"""`/metrics`: what Prometheus reads; counters of this process, and one look at the database."""

import hmac
import logging
from collections.abc import Iterator
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from backend.accounts.service import identify
from backend.core.access import Scope
from backend.core.db import transaction
from backend.core.deps import SettingsDep
from backend.core.errors import Forbidden, Unauthenticated
from backend.core.instruments import REGISTRY
from backend.fits.states import FitState
from backend.operations.facts import WAITING, Facts, heartbeat_age, look
from backend.settings import Settings

router = APIRouter(tags=["operations"])
_log = logging.getLogger(__name__)
_bearer = HTTPBearer(auto_error=False, description="An administrator's, or GOODFIT_METRICS_TOKEN")


async def _require_reader(
    request: Request,
    settings: SettingsDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> None:
    """The token made for Prometheus, which needs no database, or an administrator's own."""
    if credentials is None:
        raise Unauthenticated
    token = credentials.credentials
    expected = settings.metrics_token
    if expected is not None and hmac.compare_digest(
        token.encode(), expected.get_secret_value().encode()
    ):
        return
    async with transaction(request.app.state.read_sessions) as session:
        viewer = await identify(session, token, settings)
    if viewer is None:
        raise Unauthenticated
    if not (viewer.sees_everything and viewer.scope.includes(Scope.READ)):
        raise Forbidden("This is for administrators.")


@router.get("/metrics", dependencies=[Depends(_require_reader)])
async def read_metrics(request: Request, settings: SettingsDep) -> Response:
    """Metrics in Prometheus's text format."""
    facts = await _look(request)
    moment = CollectorRegistry(auto_describe=False)
    moment.register(_Moment(request, settings, facts))
    content = generate_latest(REGISTRY) + generate_latest(moment)
    return Response(
        content, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"}
    )


async def _look(request: Request) -> Facts | None:
    """None while the database is away: the process's own counters matter most then."""
    try:
        async with transaction(request.app.state.sessions) as session:
            return await look(session)
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        _log.warning("no figures from the database", extra={"error": repr(error)})
        return None


def _gauge(name: str, text: str, *values: tuple[dict[str, str], float]) -> GaugeMetricFamily:
    labels = tuple(values[0][0]) if values else ()
    family = GaugeMetricFamily(f"goodfit_{name}", text, labels=labels)
    for named, value in values:
        family.add_metric([named[label] for label in labels], value)
    return family


class _Moment(Collector):
    """What is true at this moment, as gauges."""

    def __init__(self, request: Request, settings: Settings, facts: Facts | None) -> None:
        self._engine: AsyncEngine = request.app.state.engine
        self._free_bytes: int | None = request.app.state.blobs.free_bytes()
        self._settings = settings
        self._facts = facts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All gauges."""
        is_up = float(self._facts is not None)
        yield _gauge("database_up", "Whether the database answered this scrape", ({}, is_up))
        yield from self._pool()
        yield from self._machine()
        if self._facts is not None:
            yield from _work(self._facts)

    def _pool(self) -> Iterator[GaugeMetricFamily]:
        pool = self._engine.pool
        if not isinstance(pool, QueuePool):
            return
        database = self._settings.database
        yield _gauge(
            "database_pool_connections",
            "Connections of this process",
            ({"state": "in_use"}, pool.checkedout()),
            ({"state": "idle"}, pool.checkedin()),
        )
        limit = database.pool_size + database.pool_overflow
        yield _gauge("database_pool_limit", "Connections that this process may open", ({}, limit))

    def _machine(self) -> Iterator[GaugeMetricFamily]:
        if self._free_bytes is not None:
            text = "Room on the disk of the file store"
            yield _gauge("files_free_bytes", text, ({}, self._free_bytes))
        age = heartbeat_age(self._settings)
        if age is not None:
            text = "Time since a worker on this machine showed that it lives"
            yield _gauge("worker_heartbeat_age_seconds", text, ({}, age))


def _work(facts: Facts) -> Iterator[GaugeMetricFamily]:
    yield _gauge(
        "queue_jobs",
        "Jobs by kind and state",
        *(({"entrypoint": row.entrypoint, "state": row.state}, row.count) for row in facts.queue),
    )
    yield _gauge(
        "queue_oldest_seconds",
        "How long the oldest due job has waited",
        *(
            ({"entrypoint": row.entrypoint}, row.oldest_seconds)
            for row in facts.queue
            if row.state == WAITING
        ),
    )
    fits = {**dict.fromkeys((state.value for state in FitState), 0), **facts.fits}
    yield _gauge("fits", "Fits by state", *(({"state": name}, n) for name, n in fits.items()))
    yield _gauge(
        "retrainings",
        "Retrainings by state",
        *(({"state": name}, count) for name, count in facts.retrainings.items()),
    )
    text = "Finished fits that MLflow does not have yet"
    yield _gauge("unrecorded_fits", text, ({}, facts.unrecorded_fits))
    text = "How long the oldest of them has been finished"
    yield _gauge("unrecorded_oldest_seconds", text, ({}, facts.unrecorded_oldest_seconds))
    yield _gauge("workers", "Workers connected to the database", ({}, facts.workers))
