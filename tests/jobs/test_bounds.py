"""What the kernel refuses to a child."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.children import ChildFailed, ChildProcesses, Work
from backend.jobs.sandbox import Bounds


def write(request: dict[str, Any], _report: object) -> dict[str, Any]:
    """Runs in the child."""
    Path(request["path"]).write_bytes(bytes(request["bytes"]))
    return {}


async def _ignore(_fraction: float, _message: str) -> None: ...


async def _ignore_event(_kind: str, _content: Mapping[str, Any]) -> None: ...


async def test_file_beyond_the_bound_is_refused_and_one_within_is_written(tmp_path: Path) -> None:
    children = ChildProcesses(())
    path = tmp_path / "file"

    async def run(size: int) -> None:
        request = {"path": str(path), "bytes": size}
        work = Work("tests.jobs.test_bounds:write", request, bounds=Bounds(file_bytes=100_000))
        await children.run(work, _ignore, _ignore_event)

    await run(90_000)
    assert path.stat().st_size == 90_000
    with pytest.raises(ChildFailed, match="File too large"):
        await run(200_000)
    assert path.stat().st_size <= 100_000
