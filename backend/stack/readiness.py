"""How to tell that a process does its work."""

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Final

ANSWER_SECONDS: Final = 2.0

ReadyCheck = Callable[[], bool]


def answers(host: str, port: int, path: str) -> ReadyCheck:
    """Ready when a GET is answered by 200."""

    def check() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check


def exists(path: Path) -> ReadyCheck:
    """Ready when the file is there; who starts the process removes it before."""
    return path.exists
