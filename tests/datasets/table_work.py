"""Work that tests give to the processes for tables."""

import os
import signal
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl

from backend.core.errors import field_error
from backend.core.logs import current_request_id


def process_id() -> int:
    return os.getpid()


def request_id() -> str:
    return current_request_id()


def refuse() -> NoReturn:
    raise field_error("file", msg="not good")


def fail() -> NoReturn:
    raise ZeroDivisionError("a bug")


def sleep(seconds: float, mark: Path) -> None:
    mark.write_text(str(os.getpid()))
    time.sleep(seconds)


def take_numpy(size: int) -> int:
    return len(np.ones(size, dtype=np.uint8))


def take_polars(size: int) -> int:
    return pl.select(pl.int_range(size // 8, eager=False).alias("x") * 2).height


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fill_disk() -> NoReturn:
    raise OSError(28, "No space left on device")


def echo(value: Any) -> Any:
    return value
