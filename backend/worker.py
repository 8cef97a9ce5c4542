"""The worker process: takes jobs from the queue, shows that it lives, drains on SIGTERM."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.domain.models import Context, Job, Schedule

import backend.accounts.tasks as account_tasks
import backend.datasets.purge_tasks as purge_tasks
import backend.datasets.tasks as dataset_tasks
import backend.fits.tasks as fit_tasks
import backend.projects.tasks as project_tasks
import backend.registry.tasks as registry_tasks
import backend.retraining.tasks as retraining_tasks
from backend.core.db import create_engine, create_sessions
from backend.core.logs import bind_job, configure_logging
from backend.jobs.children import ChildProcesses
from backend.jobs.driver import ListeningDriver, worker_name
from backend.jobs.queue import REQUEST_HEADER
from backend.jobs.registry import (
    CHORES,
    SCHEDULES,
    TASKS,
    ChoreSpec,
    ScheduleSpec,
    Task,
    WorkerContext,
)
from backend.jobs.retry import try_again
from backend.settings import Settings
from backend.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
# Importing a slice's tasks module registers its tasks.
TASK_MODULES: Final = (
    account_tasks,
    project_tasks,
    purge_tasks,
    dataset_tasks,
    fit_tasks,
    registry_tasks,
    retraining_tasks,
)
PRELOADED: Final = ("backend.science.warm", "backend.jobs.children")
HEARTBEAT_SECONDS: Final = 2.0
# How long work may go on after SIGTERM before it goes back into the queue.
DRAIN_SECONDS: Final = 5.0
POLL: Final = timedelta(seconds=1)
# numpy's thread pools would make every fit use all cores, and forks of them are fragile.
THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def heartbeat_path(settings: Settings) -> Path:
    """The file whose age tells whether the worker lives."""
    return settings.home / "run" / "worker.heartbeat"


async def _beat(path: Path) -> None:
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    while True:
        await asyncio.to_thread(path.touch)
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _entry(
    context: WorkerContext, work: Task, draining: asyncio.Event
) -> Callable[[Job, Context], Awaitable[None]]:
    """Run a task until it ends, its job is cancelled, or the worker has to go."""

    async def run(job: Job, job_context: Context) -> None:
        bind_job(int(job.id), (job.headers or {}).get(REQUEST_HEADER))
        with job_context.cancellation:
            running = asyncio.ensure_future(work(context, job.payload or b"{}"))
            leaving = asyncio.create_task(draining.wait())
            try:
                await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
                    return
                raise try_again(timedelta(0), "the worker stops")
            finally:
                leaving.cancel()
                running.cancel()
                await asyncio.gather(running, leaving, return_exceptions=True)

    return run


def _on_time(context: WorkerContext, spec: ScheduleSpec) -> Callable[[Schedule], Awaitable[None]]:
    async def run(_schedule: Schedule) -> None:
        await spec.work(context)

    return run


def _stop_on_signals(queue: PgQueuer) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, queue.shutdown.set)


async def _repeat(context: WorkerContext, chore: ChoreSpec) -> None:
    """Do a chore at its interval; a failure is logged and the next round tries again."""
    while True:
        try:
            await chore.work(context)
        except Exception:  # whatever it was, the chore must not end with it
            _log.exception("chore failed")
        await asyncio.sleep(chore.every.total_seconds())


async def _drain(queue: PgQueuer, draining: asyncio.Event) -> None:
    """After a signal or a lost listener, give what runs a moment, then put it back."""
    await queue.shutdown.wait()
    _log.info("worker stops")
    await asyncio.sleep(DRAIN_SECONDS)
    draining.set()


async def run(settings: Settings) -> None:
    """Work until a signal comes."""
    engine = create_engine(settings.database)
    children = ChildProcesses(PRELOADED)
    children.warm_up()
    context = WorkerContext(
        settings=settings,
        sessions=create_sessions(engine),
        blobs=BlobStore(settings.files_url),
        children=children,
    )
    pool = await asyncpg.create_pool(
        settings.database.asyncpg_url(),
        min_size=1,
        max_size=4,
        server_settings={"application_name": worker_name()},
    )
    queue = PgQueuer(ListeningDriver(pool))
    draining = asyncio.Event()
    for name, spec in TASKS.items():
        entry = _entry(context, spec.work, draining)
        queue.entrypoint(
            name, concurrency_limit=spec.at_once, accepts_context=True, on_failure="hold"
        )(entry)
    for plan in SCHEDULES:
        queue.schedule(plan.name, plan.cron)(_on_time(context, plan))
    _stop_on_signals(queue)
    helpers = [
        asyncio.create_task(_beat(heartbeat_path(settings))),
        asyncio.create_task(_drain(queue, draining)),
        *(asyncio.create_task(_repeat(context, chore)) for chore in CHORES),
    ]
    try:
        await queue.run(
            dequeue_timeout=POLL,
            batch_size=1,
            # One place more than fits may take, so that recording does not keep a fit waiting.
            max_concurrent_tasks=settings.fits.concurrency + 1,
            heartbeat_timeout=settings.fits.lost_after,
            shutdown_on_listener_failure=True,
        )
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await pool.close()
        await engine.dispose()


def serve(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    # PyTorch's threads wait for each other; spinning would take the time of other fits.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    configure_logging(settings.log_level)
    asyncio.run(run(settings))
    return 0
