"""What signing in and being signed in cost; served by an API over a database of its own.

The same route without authentication is the same application whose caller is given instead of
found. Both are asked call by call in turn, so that other work on the machine meets both alike.
"""

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from fastapi import FastAPI

from backend.accounts.dependencies import get_viewer
from backend.bootstrap import create_admin
from backend.core.access import Role, Viewer
from backend.core.logs import configure_logging
from backend.core.security import hash_password, verify_password
from backend.main import create_app
from backend.migrate import upgrade
from backend.settings import Settings
from backend.stack.postgres import EmbeddedPostgres, free_port
from bench.stack import PASSWORD

NAMES: Final = tuple(f"bench-{number}" for number in range(8))
CALLS: Final = 400
WARM_UP: Final = 50
PAIRS: Final = 200
SECONDS: Final = 8.0
HASHES_AT_ONCE: Final = 2
READY_SECONDS: Final = 180.0
ME: Final = "/api/v1/users/me"
TOKEN: Final = "/api/v1/auth/token"  # noqa: S105  # an address
# Whose application serves without asking who calls.
OPEN: Final = "GOODFIT_BENCH_OPEN"
Report = Callable[[str, str], None]
Ask = Callable[[], Awaitable[httpx.Response]]


def measure_signing_in(folder: Path, say: Report) -> None:
    """Say each figure when it is known."""
    server = EmbeddedPostgres(folder / "signing-in", databases=("goodfit",))
    server.start()
    try:
        environment = _environment(server.url("goodfit"), folder)
        with _changed(environment):
            settings = Settings()
        upgrade(settings)
        for name in NAMES:
            create_admin(settings, name, PASSWORD)
        with _serving(environment) as usual, _serving({**environment, OPEN: "1"}) as open_one:
            asyncio.run(_measure(settings, usual, open_one, say))
    finally:
        server.stop()


async def _measure(settings: Settings, usual: str, open_one: str, say: Report) -> None:
    async with (
        _in_process(settings, is_open=False) as one,
        _in_process(settings, is_open=True) as two,
    ):
        _compare("in process", await _in_turn(one, two), say)
    async with (
        httpx.AsyncClient(base_url=usual) as one,
        httpx.AsyncClient(base_url=open_one) as two,
    ):
        _compare("over HTTP", await _in_turn(one, two), say)
    await _throughput(usual, say)
    say("wrong password and unknown name", await _oracle(usual))


async def _in_turn(one: httpx.AsyncClient, two: httpx.AsyncClient) -> dict[str, list[float]]:
    """Milliseconds of each call, by a token of a session, a personal token, and with neither."""
    form = {"username": NAMES[0], "password": PASSWORD}
    session = (await one.post(TOKEN, data=form)).json()["access_token"]
    body = {"name": "bench"}
    personal = await one.post("/api/v1/tokens", json=body, headers=_bearer(session))
    asks: dict[str, Ask] = {
        "signed in": lambda: one.get(ME, headers=_bearer(session)),
        "by personal token": lambda: one.get(ME, headers=_bearer(personal.json()["token"])),
        "without authentication": lambda: two.get(ME, headers=_bearer(session)),
    }
    times: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(WARM_UP + CALLS):
        for name, ask in asks.items():
            started = time.perf_counter()
            answer = await ask()
            if answer.status_code != httpx.codes.OK:
                raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - started) * 1000)
    return times


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _compare(where: str, times: dict[str, list[float]], say: Report) -> None:
    medians = {name: statistics.median(values) for name, values in times.items()}
    free = medians["without authentication"]
    for name, median in medians.items():
        text = f"{median:8.2f} ms median, {median - free:+.2f} ms"
        say(f"GET /users/me {where}, {name}", text)


async def _oracle(address: str) -> str:
    """Medians of refused sign-ins in pairs, one for a known and one for an unknown name."""
    times: dict[str, list[float]] = {NAMES[0]: [], "nobody": []}
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        for _ in range(PAIRS):
            for name, values in times.items():
                started = time.perf_counter()
                answer = await client.post(TOKEN, data={"username": name, "password": "wrong"})
                if answer.status_code != httpx.codes.UNAUTHORIZED:
                    raise SystemExit(f"a wrong password: {answer.status_code}")
                values.append((time.perf_counter() - started) * 1000)
    wrong, unknown = (statistics.median(values) for values in times.values())
    return f"{wrong:8.1f} ms and {unknown:.1f} ms, {abs(wrong - unknown):.1f} ms apart"


async def _throughput(address: str, say: Report) -> None:
    """Sign-ins a second, against the hashes that the machine does by itself."""
    end = time.perf_counter() + SECONDS

    async def sign_in_again(name: str, client: httpx.AsyncClient) -> int:
        done = 0
        while time.perf_counter() < end:
            answer = await client.post(TOKEN, data={"username": name, "password": PASSWORD})
            done += answer.status_code == httpx.codes.OK
        return done

    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        done = sum(await asyncio.gather(*(sign_in_again(name, client) for name in NAMES)))
    stored = hash_password(PASSWORD)
    stop = time.perf_counter() + SECONDS

    def verify_again() -> int:
        count = 0
        while time.perf_counter() < stop:
            count += verify_password(PASSWORD, stored)
        return count

    hashes = sum(
        await asyncio.gather(*(asyncio.to_thread(verify_again) for _ in range(HASHES_AT_ONCE)))
    )
    say("sign-ins, eight at once", f"{done / SECONDS:8.1f} /s")
    say("the bare hash, two at once", f"{hashes / SECONDS:8.1f} /s")


def _environment(url: str, folder: Path) -> dict[str, str]:
    return {
        "GOODFIT_HOME": str(folder / "signing-in-home"),
        "GOODFIT_DATABASE__URL": url,
        **{
            f"GOODFIT_SECRETS__{name}_KEY": secrets.token_urlsafe(32)
            for name in ("TOKEN", "SERVICE", "COOKIE")
        },
        # The bench guesses wrong two hundred times.
        "GOODFIT_AUTH__ATTEMPTS_PER_ACCOUNT": "100000",
        "GOODFIT_AUTH__ATTEMPTS_PER_ADDRESS": "100000",
        "GOODFIT_LOG_LEVEL": "WARNING",
    }


@contextmanager
def _changed(environment: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[str]:
    port = str(free_port())
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.signing_in"],
        env={**os.environ, **environment, "GOODFIT_API_PORT": port},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            if httpx.get(f"{address}/healthz", timeout=2).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > end:
            raise SystemExit("the API did not start")
        time.sleep(0.2)


@asynccontextmanager
async def _in_process(settings: Settings, *, is_open: bool) -> AsyncIterator[httpx.AsyncClient]:
    app = _application(settings, is_open=is_open)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client


def _application(settings: Settings, *, is_open: bool) -> FastAPI:
    app = create_app(settings)
    if is_open:

        async def somebody() -> Viewer:
            return Viewer(user_id=1, username=NAMES[0], role=Role.ADMIN, session_id=1)

        app.dependency_overrides[get_viewer] = somebody
    return app


def _serve() -> None:
    settings = Settings()
    configure_logging(settings.log_level)
    uvicorn.run(
        _application(settings, is_open=bool(os.environ.get(OPEN))),
        port=settings.api_port,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    _serve()
