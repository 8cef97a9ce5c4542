"""Runs a command with a PostgreSQL that exists only for it, at the newest schema.

python -m backend.stack.scratch -- alembic check
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from backend.stack.home import load_secrets
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.product import DATABASES, command, database_environment, secret_environment


def run(arguments: Sequence[str]) -> int:
    """The command's exit code."""
    with tempfile.TemporaryDirectory(prefix="goodfit-scratch-") as folder:
        postgres = EmbeddedPostgres(Path(folder), databases=DATABASES, durable=False)
        try:
            postgres.start()
            environment = {
                **os.environ,
                **secret_environment(load_secrets(Path(folder))),
                **database_environment(postgres),
                "GOODFIT_HOME": folder,
            }
            subprocess.run(command("migrate"), env=environment, check=True)  # noqa: S603 - our own
            return subprocess.run(list(arguments), env=environment, check=False).returncode  # noqa: S603 - the caller's own command
        finally:
            postgres.stop()


def main() -> int:
    """Takes the command from the arguments, after an optional `--`."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        sys.stderr.write(f"usage: {__doc__}")
        return 2
    try:
        return run(arguments)
    except subprocess.CalledProcessError as error:
        return error.returncode


if __name__ == "__main__":
    sys.exit(main())
