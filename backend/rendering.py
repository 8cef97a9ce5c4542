"""Draws plots in a process of its own: matplotlib stays out of the API, a crash too."""

import asyncio
import hashlib
import json
import multiprocessing
import pkgutil
import signal
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from backend.core.errors import Unavailable

RENDER: Final = "backend.science.plots.render:render_png"
# Raise it when plots are drawn differently, so that no client keeps an old picture.
DRAWING: Final = 1
WAITING_AT_MOST: Final = 16
CACHED_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class PlotFormat:
    """How a plot is drawn."""

    theme: Literal["light", "dark"] = "light"
    width: int = 800
    height: int = 600
    dpi: int = 100


def _prepare() -> None:
    """Load matplotlib before the first plot is asked for; the pool's owner handles signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pkgutil.resolve_name(RENDER)


def _draw(kind: str, numbers: bytes, options: dict[str, Any]) -> bytes:
    png: bytes = pkgutil.resolve_name(RENDER)(kind, json.loads(numbers), **options)
    return png


def plot_etag(plots_sha256: str, kind: str, style: PlotFormat) -> str:
    """Identifies a drawing without drawing it: numbers are immutable, drawing deterministic."""
    text = json.dumps([DRAWING, plots_sha256, kind, asdict(style)])
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


class Renderer:
    """One render process, a bounded queue before it, and a cache behind it."""

    def __init__(self) -> None:
        self._pool = self._new_pool()
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._waiting = 0

    @staticmethod
    def _new_pool() -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(max_workers=1, mp_context=context)

    def warm_up(self) -> None:
        """Start the process; nobody waits for it."""
        self._pool.submit(_prepare)

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def cached(self, etag: str) -> bytes | None:
        """A drawing made earlier."""
        png = self._cache.get(etag)
        if png is not None:
            self._cache.move_to_end(etag)
        return png

    async def draw(self, etag: str, kind: str, numbers: bytes, style: PlotFormat) -> bytes:
        """The PNG of these numbers.

        Raises
        ------
        Unavailable
            When too many drawings wait already, or the process died over this one.
        """
        if (png := self.cached(etag)) is not None:
            return png
        if self._waiting >= WAITING_AT_MOST:
            raise Unavailable("Many plots are being drawn. Try again in a moment.", retry_after=2)
        self._waiting += 1
        pool = self._pool
        try:
            work = pool.submit(_draw, kind, numbers, asdict(style))
            png = await asyncio.wrap_future(work)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = self._new_pool()
            raise Unavailable("The plot could not be drawn. Try again.", retry_after=2) from None
        finally:
            self._waiting -= 1
        self._keep(etag, png)
        return png

    def _keep(self, etag: str, png: bytes) -> None:
        if etag not in self._cache:
            self._cache[etag] = png
            self._cached_bytes += len(png)
        while self._cached_bytes > CACHED_BYTES:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= len(dropped)
