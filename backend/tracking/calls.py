"""The worker's calls to MLflow: in a child of low priority, tried again while MLflow is away."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import httpx

from backend.jobs.children import ChildDied, ChildFailed, Work
from backend.jobs.registry import WorkerContext
from backend.jobs.retry import LONGEST_WAIT, try_again
from backend.settings import Settings
from backend.tracking.rest import Connection

_log = logging.getLogger(__name__)
# Somebody waits for a fit and a plot; nobody waits for a record.
NICENESS: Final = 10
# What was refused is tried again after an upgrade or a repair, not every few seconds.
WAIT_FOR_REPAIR: Final = timedelta(minutes=5)
WAIT_AFTER: Final = {"TrackerError": WAIT_FOR_REPAIR}


async def call_mlflow(context: WorkerContext, program: str, content: Mapping[str, Any]) -> Any:
    """The answer of `program` ("module:function"); raises to put the job back when there is none.

    The program gets `content` and, beside it, `url`, `service_key` and `timeout`.
    """
    settings = context.settings
    request = {
        **content,
        "url": settings.urls.mlflow_for_processes,
        "service_key": settings.secrets.service_key.get_secret_value(),
        "timeout": settings.tracking.timeout.total_seconds(),
    }
    try:
        return await context.children.run(Work(program, request, niceness=NICENESS), _ignore)
    except (ChildFailed, ChildDied) as failure:
        told = {"program": program, "reason": str(failure), "trace": getattr(failure, "trace", "")}
        _log.warning("not recorded yet", extra=told)
        kind = getattr(failure, "kind", "")
        raise try_again(WAIT_AFTER.get(kind, LONGEST_WAIT), str(failure)) from failure


def open_connection(settings: Settings) -> Connection:
    """Plain calls from the worker itself, for what cannot wait for a child."""
    key = settings.secrets.service_key.get_secret_value()
    timeout = settings.tracking.timeout.total_seconds()
    return Connection(settings.urls.mlflow_for_processes, key, timeout)


async def _ignore(_fraction: float, _message: str) -> None:
    """Recording is too quick for progress."""


async def require_mlflow(settings: Settings) -> None:
    """Ask before a process is started in vain."""
    url = f"{settings.urls.mlflow_for_processes}/health"
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            answer = await client.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise try_again(LONGEST_WAIT / 2, f"MLflow does not answer: {error}") from error
