"""Which ports the servers listen on."""

import socket
from collections.abc import Mapping
from typing import Final

from backend.stack.child import StackError
from backend.stack.supervisor import SETTINGS_EXIT_CODE, Report

DEFAULT_PORTS: Final = {"api": 8000, "dashboard": 8501, "mlflow": 5000}
TRIES: Final = 100


def port_variable(name: str) -> str:
    """The environment's name for a server's port."""
    return f"GOODFIT_{name.upper()}_PORT"


def choose_ports(environment: Mapping[str, str], *, host: str, report: Report) -> dict[str, int]:
    """A free port for each server: what was set, or the default, or the next free one.

    Raises
    ------
    StackError
        A port that was set is no port number, or is taken.
    """
    chosen: dict[str, int] = {}
    for name in DEFAULT_PORTS:  # first those that were set, so that no default takes their place
        variable = port_variable(name)
        if text := environment.get(variable, "").strip():
            chosen[name] = _as_set(variable, text, host, chosen)
    for name, default in DEFAULT_PORTS.items():
        if name not in chosen:
            chosen[name] = _next_free(default, host, taken=set(chosen.values()))
            if chosen[name] != default:
                report(f"port {default} is taken: {name} listens on {chosen[name]}")
    return {name: chosen[name] for name in DEFAULT_PORTS}


def _as_set(variable: str, text: str, host: str, chosen: Mapping[str, int]) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= port <= 65535:
        problem = "is no port number from 1 to 65535"
    elif port in chosen.values():
        problem = f"{port} is given to two servers"
    elif not is_free(port, host):
        problem = f"{port} is taken by another program"
    else:
        return port
    raise StackError(f"{variable}: {problem}", exit_code=SETTINGS_EXIT_CODE)


def _next_free(default: int, host: str, *, taken: set[int]) -> int:
    for port in range(default, default + TRIES):
        if port not in taken and is_free(port, host):
            return port
    raise StackError(f"no free port from {default} to {default + TRIES - 1}")


def is_free(port: int, host: str) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections that are just closing do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
