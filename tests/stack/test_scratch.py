"""A command with a database of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.stack
PROGRAM = """
import os, psycopg, sys
with psycopg.connect(os.environ["GOODFIT_DATABASE__URL"]) as connection:
    connection.execute("SELECT version_num FROM alembic_version")
sys.stdout.write(os.environ["GOODFIT_HOME"])
sys.exit(7)
"""


def test_command_gets_a_migrated_database_and_its_exit_code_is_passed_on() -> None:
    answer = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "backend.stack.scratch", "--", sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert answer.returncode == 7, answer.stderr
    assert answer.stdout.startswith("/")


def test_no_command_is_wrong_usage() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "backend.stack.scratch"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "usage" in answer.stderr
