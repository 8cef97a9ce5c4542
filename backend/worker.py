"""The worker process: takes jobs from the queue, shows that it lives, drains on SIGTERM."""

import asyncio
import contextlib
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
import backend.fits.leaderboard_tasks as leaderboard_tasks
import backend.fits.reproducing as reproducing_tasks
import backend.fits.tasks as fit_tasks
import backend.projects.tasks as project_tasks
import backend.registry.tasks as registry_tasks
import backend.retraining.tasks as retraining_tasks
from backend.core.db import create_engine, create_sessions
from backend.core.logs import bind_job, configure_logging
from backend.fits.dispatching import Dispatcher
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
    reproducing_tasks,
    leaderboard_tasks,
    registry_tasks,
    retraining_tasks,
)
PRELOADED: Final = ("backend.science.warm", "backend.jobs.children")
HEARTBEAT_SECONDS: Final = 2.0
# How long work may go on after SIGTERM before it goes back into the queue.
DRAIN_SECONDS: Final = 5.0
POLL: Final = timedelta(seconds=1)
# Besides fits, which have places of their own.
JOBS_AT_ONCE: Final = 2
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


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


async def _repeat(context: WorkerContext, chore: ChoreSpec) -> None:
    """Do a chore at its interval; a failure is logged and the next round tries again."""
    while True:
        try:
            await chore.work(context)
        except Exception:  # whatever it was, the chore must not end with it
            _log.exception("chore failed")
        await asyncio.sleep(chore.every.total_seconds())


async def _leave(queue: PgQueuer, stopping: asyncio.Event, draining: asyncio.Event) -> None:
    """After a signal or a lost listener, give what runs a moment, then put it back."""
    waits = [asyncio.create_task(event.wait()) for event in (stopping, queue.shutdown)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    queue.shutdown.set()
    await asyncio.sleep(DRAIN_SECONDS)
    draining.set()


async def _work_queue(context: WorkerContext, stopping: asyncio.Event) -> None:
    """Do jobs until a signal comes or the database goes away."""
    settings = context.settings
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
    leaving = asyncio.create_task(_leave(queue, stopping, draining))
    try:
        await queue.run(
            dequeue_timeout=POLL,
            batch_size=1,
            max_concurrent_tasks=JOBS_AT_ONCE,
            heartbeat_timeout=settings.fits.lost_after,
            shutdown_on_listener_failure=True,
        )
    finally:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        pool.terminate()


async def _keep_working(context: WorkerContext, stopping: asyncio.Event) -> None:
    """Jobs again and again: fits that run do not end because the database went away."""
    while not stopping.is_set():
        try:
            await _work_queue(context, stopping)
        except Exception:  # whatever the library raises when its connections are gone
            _log.exception("queue broke off")
        if not stopping.is_set():
            _log.warning("the queue is away")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), POLL.total_seconds())


async def _fit(dispatcher: Dispatcher, stopping: asyncio.Event) -> None:
    """Fits; a worker that takes none any more has to be replaced."""
    try:
        await dispatcher.run()
    finally:
        stopping.set()


async def run(settings: Settings) -> None:
    """Work until a signal comes."""
    engine = create_engine(settings.database)
    children = ChildProcesses(PRELOADED, ready=settings.fits.concurrency)
    children.warm_up()
    context = WorkerContext(
        settings=settings,
        sessions=create_sessions(engine),
        blobs=BlobStore(settings.files_url),
        children=children,
    )
    stopping = asyncio.Event()
    _stop_on_signals(stopping)
    dispatcher = Dispatcher(context)
    fitting = asyncio.create_task(_fit(dispatcher, stopping))
    working = asyncio.create_task(_keep_working(context, stopping))
    helpers = [
        asyncio.create_task(_beat(heartbeat_path(settings))),
        *(asyncio.create_task(_repeat(context, chore)) for chore in CHORES),
    ]
    try:
        await stopping.wait()
        _log.info("worker stops")
        await asyncio.gather(dispatcher.drain(DRAIN_SECONDS), working, fitting)
    finally:
        for helper in (*helpers, working, fitting):
            helper.cancel()
        await asyncio.gather(*helpers, working, fitting, return_exceptions=True)
        await children.close()
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
