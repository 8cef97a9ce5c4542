"""Processes that work on tables: bounded, killed with whoever waits, and never left over."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from backend.core.errors import TooManyRequests, Unprocessable
from backend.core.logs import bind_request
from backend.datasets.processes import (
    ASKED_AT_MOST,
    TableProcesses,
    TooMuchMemory,
    TooMuchTime,
    Unreadable,
)
from backend.datasets.workspaces import DiskFull
from backend.settings import UploadSettings

WORK = "tests.datasets.table_work"
MEMORY = 700_000_000


@pytest.fixture
async def tables() -> AsyncIterator[TableProcesses]:
    made = TableProcesses(UploadSettings(max_memory_bytes=MEMORY, max_seconds=20))
    yield made
    await made.close()


async def test_work_is_answered_by_one_process_after_the_other(tables: TableProcesses) -> None:
    first = await tables.run(f"{WORK}:process_id")
    assert await tables.run(f"{WORK}:process_id") == first
    assert await tables.run(f"{WORK}:echo", value=[1, "x", None]) == [1, "x", None]


async def test_work_carries_the_id_of_its_request(tables: TableProcesses) -> None:
    bind_request("request-of-this-work")
    assert await tables.run(f"{WORK}:request_id") == "request-of-this-work"


async def test_errors_come_back_as_they_were_raised(tables: TableProcesses) -> None:
    with pytest.raises(Unprocessable) as refused:
        await tables.run(f"{WORK}:refuse")
    assert refused.value.errors[0]["loc"] == ["body", "file"]
    with pytest.raises(RuntimeError, match="fail"):
        await tables.run(f"{WORK}:fail")
    with pytest.raises(DiskFull):
        await tables.run(f"{WORK}:fill_disk")


@pytest.mark.parametrize("library", ["numpy", "polars"])
async def test_too_much_memory_is_told_and_the_next_work_goes_on(
    tables: TableProcesses, library: str
) -> None:
    with pytest.raises(TooMuchMemory):
        await tables.run(f"{WORK}:take_{library}", 2 * MEMORY)
    assert await tables.run(f"{WORK}:take_{library}", 1_000) > 0


async def test_crash_is_told_and_the_next_work_goes_on(tables: TableProcesses) -> None:
    with pytest.raises(Unreadable):
        await tables.run(f"{WORK}:crash")
    assert await tables.run(f"{WORK}:echo", 1) == 1


async def test_spare_that_died_meanwhile_is_nobodys_error(tables: TableProcesses) -> None:
    spare = await tables.run(f"{WORK}:process_id")
    os.kill(spare, signal.SIGKILL)
    await _gone(spare)
    assert await tables.run(f"{WORK}:process_id") != spare


async def test_work_over_its_time_is_ended(tmp_path: Path) -> None:
    tables = TableProcesses(UploadSettings(max_seconds=10))
    mark = tmp_path / "started"
    try:
        with pytest.raises(TooMuchTime):
            await tables.run(f"{WORK}:sleep", 60, mark)
        await _gone(int(mark.read_text()))
    finally:
        await tables.close()


async def test_cancelled_work_ends_its_process(tables: TableProcesses, tmp_path: Path) -> None:
    mark = tmp_path / "started"
    work = asyncio.create_task(tables.run(f"{WORK}:sleep", 60, mark))
    await _written(mark)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    await _gone(int(mark.read_text()))


async def test_close_leaves_no_process(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    tables = TableProcesses(UploadSettings())
    mark = tmp_path / "started"
    await tables.run(f"{WORK}:echo", 1)
    work = asyncio.create_task(tables.run(f"{WORK}:sleep", 60, mark))
    await _written(mark)
    tables.warm_up()
    await tables.close()
    await asyncio.gather(work, return_exceptions=True)
    left = set(psutil.Process().children()) - before
    assert not [p for p in left if "spawn_main" in " ".join(p.cmdline())]


async def test_two_hundred_pieces_of_work_leak_nothing(tables: TableProcesses) -> None:
    await tables.run(f"{WORK}:echo", 1)
    me = psutil.Process()
    before = me.num_fds(), len(me.children())
    for _ in range(200):
        await tables.run(f"{WORK}:echo", b"x" * 10_000)
    assert me.num_fds() <= before[0] + 2
    assert len(me.children()) <= before[1]


async def test_one_user_takes_one_process_and_few_places(
    tables: TableProcesses, tmp_path: Path
) -> None:
    marks = [tmp_path / f"started-{number}" for number in range(ASKED_AT_MOST)]
    ada = tables.share_of(1)
    asked = [asyncio.create_task(ada.run(f"{WORK}:sleep", 60, mark)) for mark in marks]
    await _written(marks[0])
    with pytest.raises(TooManyRequests) as refused:
        await tables.share_of(1).run(f"{WORK}:echo", 1)
    assert refused.value.headers == {"Retry-After": "5"}
    assert await tables.share_of(2).run(f"{WORK}:echo", 2) == 2
    assert await tables.share_of(1, looks=True).run(f"{WORK}:echo", 3) == 3
    assert not any(mark.exists() for mark in marks[1:])
    for one in asked:
        one.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert await tables.share_of(1).run(f"{WORK}:echo", 4) == 4


async def test_whoever_looks_leaves_a_process_to_whoever_keeps(
    tables: TableProcesses, tmp_path: Path
) -> None:
    marks = [tmp_path / f"started-{user}" for user in range(4)]
    looking = [
        asyncio.create_task(tables.share_of(user, looks=True).run(f"{WORK}:sleep", 60, mark))
        for user, mark in enumerate(marks)
    ]
    await _written(marks[0])
    assert await asyncio.wait_for(tables.share_of(9).run(f"{WORK}:echo", 1), 15) == 1
    assert not any(mark.exists() for mark in marks[1:])
    for one in looking:
        one.cancel()
    await asyncio.gather(*looking, return_exceptions=True)


OWNER = """
import asyncio, sys
from pathlib import Path
from backend.datasets.processes import TableProcesses
from backend.settings import UploadSettings

async def main():
    tables = TableProcesses(UploadSettings())
    await tables.run("tests.datasets.table_work:sleep", 60, Path(sys.argv[1]))

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_process_dies_with_a_killed_owner(tmp_path: Path) -> None:
    script, mark = tmp_path / "owner.py", tmp_path / "started"
    script.write_text(OWNER)
    root = Path(__file__).parents[2]
    owner = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(mark), cwd=root, env={"PYTHONPATH": str(root)}
    )
    await _written(mark)
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    await _gone(int(mark.read_text()))


async def _written(mark: Path) -> None:
    end = time.monotonic() + 30
    while not await asyncio.to_thread(_text, mark):
        assert time.monotonic() < end, "the work did not start"
        await asyncio.sleep(0.05)


def _text(mark: Path) -> str:
    return mark.read_text() if mark.exists() else ""


async def _gone(pid: int) -> None:
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the process lives on"
        await asyncio.sleep(0.05)
