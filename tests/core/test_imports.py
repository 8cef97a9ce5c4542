"""What a process loads at its start costs every start and all idle memory."""

import subprocess
import sys

import pytest

HEAVY = {"sklearn", "pandas", "mlflow", "matplotlib", "scipy", "polars", "pyarrow", "streamlit"}


@pytest.mark.parametrize("module", ["backend.main", "backend.worker", "backend.cli"])
def test_api_and_worker_start_without_the_science_libraries(module: str) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    answer = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert HEAVY & set(answer.stdout.split()) == set()


def test_fork_server_loads_scikit_learn_but_nothing_with_threads() -> None:
    program = (
        "import backend.science.warm, sys, threading;print(threading.active_count(), *sys.modules)"
    )
    answer = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    threads, *modules = answer.stdout.split()
    assert threads == "1"
    assert "sklearn.ensemble" in modules
    assert {"polars", "mlflow", "sqlalchemy", "fastapi"} & set(modules) == set()
