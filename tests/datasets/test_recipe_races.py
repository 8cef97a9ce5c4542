"""What changes while a recipe waits for a process."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import Person, upload_csv

SLEEP = "tests.datasets.table_work:sleep"
SECONDS = 60.0
CARS = b"power,fuel\n130,gas\n99,gas\n"


@pytest.fixture
async def busy() -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Work that takes both processes, so that whoever comes waits."""
    working: list[asyncio.Task[Any]] = []
    yield working
    await _release(working)


async def _release(busy: list[asyncio.Task[Any]]) -> None:
    for work in busy:
        work.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def _occupy(real: FastAPI, busy: list[asyncio.Task[Any]], folder: Path) -> None:
    marks = [folder / "first", folder / "second"]
    busy += [asyncio.create_task(real.state.tables.run(SLEEP, SECONDS, mark)) for mark in marks]
    end = time.monotonic() + 30
    for mark in marks:
        while not await asyncio.to_thread(mark.exists):
            assert time.monotonic() < end, "the processes did not start"
            await asyncio.sleep(0.05)


async def _waiting(
    real: FastAPI, request: Any, busy: list[asyncio.Task[Any]]
) -> asyncio.Task[httpx.Response]:
    """The request, once it waits for a process, which it does without a connection."""
    sent = asyncio.create_task(request)
    await asyncio.sleep(2.0)
    end = time.monotonic() + 15
    while real.state.engine.pool.checkedout():
        assert time.monotonic() < end, "a connection is held"
        await asyncio.sleep(0.05)
    assert not any(work.done() for work in (sent, *busy))
    return sent


async def _joining(ada: httpx.AsyncClient, price: float) -> tuple[str, str, dict[str, Any]]:
    """Cars, fuels that no other test has, and the recipe that joins them."""
    cars = str((await upload_csv(ada, CARS, "cars.csv")).headers["location"])
    fuels = str(
        (await upload_csv(ada, f"name,price\ngas,{price}\n".encode(), "fuels.csv")).headers[
            "location"
        ]
    )
    other = int(fuels.rpartition("/")[2])
    step = {"kind": "join", "dataset_id": other, "version": 1, "on": {"fuel": "name"}}
    return cars, fuels, {"steps": [step]}


async def test_joined_dataset_that_went_away_meanwhile_makes_no_version(
    person: Person, real: FastAPI, busy: list[asyncio.Task[Any]], tmp_path: Path
) -> None:
    ada = await person("ada")
    cars, fuels, body = await _joining(ada, 1.5)
    await _occupy(real, busy, tmp_path)
    sent = await _waiting(real, ada.post(f"{cars}/versions/1/recipe", json=body), busy)
    assert (await ada.delete(fuels)).status_code == 204
    await _release(busy)
    assert (await sent).status_code == 404
    assert (await ada.get(cars)).json()["latest_version"] == 1


async def test_file_that_was_purged_meanwhile_is_told(
    person: Person, real: FastAPI, busy: list[asyncio.Task[Any]], tmp_path: Path
) -> None:
    ada = await person("ada")
    cars, fuels, body = await _joining(ada, 2.5)
    await _occupy(real, busy, tmp_path)
    sent = await _waiting(real, ada.post(f"{cars}/versions/1/recipe", json=body), busy)
    assert (await ada.delete(fuels)).status_code == 204
    assert (await ada.post(f"{fuels}/purge")).status_code == 200
    await _release(busy)
    answer = await sent
    assert (answer.status_code, answer.json()["code"]) == (503, "file_missing")
    assert (await ada.get(cars)).json()["latest_version"] == 1


async def test_script_waits_without_a_connection(
    person: Person, real: FastAPI, busy: list[asyncio.Task[Any]], tmp_path: Path
) -> None:
    ada = await person("ada")
    cars, _, body = await _joining(ada, 3.5)
    assert (await ada.post(f"{cars}/versions/1/recipe", json=body)).status_code == 201
    await _occupy(real, busy, tmp_path)
    script = ada.get(f"{cars}/versions/2/recipe", params={"format": "polars"})
    sent = await _waiting(real, script, busy)
    await _release(busy)
    answer = await sent
    assert (answer.status_code, "import polars" in answer.text) == (200, True)
