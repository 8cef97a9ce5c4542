"""The worker's places for fits: each takes the next fit as soon as it is free."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from backend.core.db import transaction
from backend.core.logs import bind_job
from backend.fits import attempts
from backend.fits.claiming import Claim
from backend.fits.running import run_attempt
from backend.jobs.channels import STOP, WORK
from backend.jobs.driver import worker_name
from backend.jobs.registry import WorkerContext

_log = logging.getLogger(__name__)
BEAT_SECONDS: Final = 1.0
# A notification spares this wait; it finds lost fits, and what was put off.
POLL_SECONDS: Final = 1.0
AWAY: Final = (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(slots=True)
class _Running:
    """A fit in one of the places."""

    held: Claim
    task: asyncio.Task[None]
    is_lost: bool = False


class Dispatcher:
    """Takes fits, shows that they are worked on, and ends those that are no longer its own."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._name = worker_name()
        self._running: dict[int, _Running] = {}
        # One place at a time asks for work; the others wait for it.
        self._counter = asyncio.Lock()
        self._offered = asyncio.Event()
        self._stopped = asyncio.Event()
        self._is_closing = False
        # Before its first child is ready another worker starts a fit sooner.
        self._is_warm = False

    async def run(self) -> None:
        """Work until cancelled, or until `drain` was called and nothing runs any more."""
        parts = (self._beat(), self._listen(), self._warm_up())
        helpers = [asyncio.create_task(part) for part in parts]
        places = [
            asyncio.create_task(self._serve())
            for _ in range(self._context.settings.fits.concurrency)
        ]
        try:
            await asyncio.gather(*places)
        finally:
            for task in (*places, *helpers):
                task.cancel()
            await asyncio.gather(*places, *helpers, return_exceptions=True)

    async def drain(self, seconds: float) -> None:
        """Take nothing more; what still runs after a while goes back into the queue."""
        self._is_closing = True
        self._offered.set()
        tasks = [running.task for running in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _warm_up(self) -> None:
        await self._context.children.wait_until_warm()
        self._is_warm = True
        self._offered.set()

    async def _serve(self) -> None:
        """One place."""
        while True:
            async with self._counter:
                held = await self._next()
            if held is None:
                return
            task = asyncio.create_task(self._work(held))
            self._running[held.fit_id] = running = _Running(held, task)
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                if self._running.get(held.fit_id) is running:
                    del self._running[held.fit_id]
            # Its user may have stood at a bound.
            self._offered.set()

    async def _next(self) -> Claim | None:
        """Wait for a fit; None when the worker stops."""
        while not self._is_closing:
            self._offered.clear()
            try:
                held = await self._claim() if self._is_warm else None
            except AWAY as error:
                _log.warning("no fit taken", extra={"error": repr(error)})
            else:
                if held is not None:
                    return held
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._offered.wait(), POLL_SECONDS)
        return None

    async def _claim(self) -> Claim | None:
        limits = self._context.settings.fits
        async with transaction(self._context.sessions) as session:
            return await attempts.take(session, limits, self._name, tuple(self._running))

    async def _work(self, held: Claim) -> None:
        """Run a fit; whatever happens, the place stays."""
        bind_job(None, held.request_id)
        try:
            await run_attempt(self._context, held)
        except asyncio.CancelledError:
            running = self._running.get(held.fit_id)
            if running is not None and running.is_lost:
                told = {"fit_id": held.fit_id, "attempt": held.attempt}
                _log.info("fit no longer ours", extra=told)
                return
            # The worker stops.
            await asyncio.shield(self._give_back(held))
            raise
        except Exception:  # a defect of ours must not end the worker; the fit is lost, and counted
            _log.exception("attempt broke off", extra={"fit_id": held.fit_id})

    async def _give_back(self, held: Claim) -> None:
        with contextlib.suppress(*AWAY):
            async with transaction(self._context.sessions) as session:
                await attempts.give_back(session, held)

    async def _beat(self) -> None:
        """Show each second, or when told to, what this worker works on."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), BEAT_SECONDS)
            self._stopped.clear()
            known = list(self._running.values())
            if not known:
                continue
            try:
                async with transaction(self._context.sessions) as session:
                    kept = await attempts.beat(session, [running.held for running in known])
            except AWAY as error:
                _log.warning("no sign of life given", extra={"error": repr(error)})
                continue
            for running in known:
                if running.held.fit_id not in kept and not running.task.done():
                    running.is_lost = True
                    running.task.cancel()

    async def _listen(self) -> None:
        """Hear of new and ended fits at once; without it they are found by looking."""
        while True:
            with contextlib.suppress(*AWAY):
                await self._hear()
            await asyncio.sleep(POLL_SECONDS)

    async def _hear(self) -> None:
        """One connection, until it breaks."""
        connection = await asyncpg.connect(
            self._context.settings.database.asyncpg_url(),
            timeout=10,
            server_settings={"application_name": self._name},
        )
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda *_: gone.set())
            await connection.add_listener(WORK, self._on_news)
            # What was told before it listened.
            self._offered.set()
            self._stopped.set()
            await gone.wait()
        finally:
            connection.terminate()

    def _on_news(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == STOP:
            self._stopped.set()
        # An ended fit may have kept its user at a bound.
        self._offered.set()
