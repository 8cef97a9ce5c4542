"""Default ports move out of the way, ports that were set do not."""

import socket

import pytest

from backend.stack.child import StackError
from backend.stack.ports import choose_ports, is_free, port_variable
from backend.stack.postgres import free_port

HOST = "127.0.0.1"


def _choose(environment: dict[str, str]) -> tuple[dict[str, int], list[str]]:
    said: list[str] = []
    return choose_ports(environment, host=HOST, report=said.append), said


def test_taken_default_moves_to_the_next_free_port_and_says_so() -> None:
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_free(8000, HOST):
            first.bind((HOST, 8000))
            first.listen()
        ports, said = _choose({})
    assert ports["api"] > 8000
    assert any("8000" in line and str(ports["api"]) in line for line in said)
    assert len(set(ports.values())) == 3


def test_default_avoids_a_port_that_another_server_was_given() -> None:
    port = next(port for port in range(8501, 8600) if is_free(port, HOST))
    ports, _ = _choose({"GOODFIT_API_PORT": str(port)})
    assert ports["api"] == port
    assert ports["dashboard"] != port


@pytest.mark.parametrize("text", ["eight", "0", "65536", "-1", "80.5", "٣"])
def test_text_that_is_no_port_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(StackError, match="GOODFIT_API_PORT") as raised:
        _choose({"GOODFIT_API_PORT": text})
    assert raised.value.exit_code == 2


def test_one_port_for_two_servers_is_refused() -> None:
    port = str(free_port())
    with pytest.raises(StackError, match="two servers"):
        _choose({"GOODFIT_API_PORT": port, "GOODFIT_MLFLOW_PORT": port})


def test_taken_port_that_was_set_is_refused() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"{port_variable('dashboard')}: {port} is taken"):
            _choose({"GOODFIT_DASHBOARD_PORT": str(port)})
