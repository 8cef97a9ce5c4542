"""The databases of a home for another command: the running stack's, or started for it alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.stack.child import StackError
from backend.stack.control import environment_of_running
from backend.stack.home import load_secrets
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.product import DATABASES, database_environment, secret_environment
from backend.stack.state import HomeLock, Owner


@contextmanager
def databases_of(home: Path) -> Iterator[dict[str, str]]:
    """The settings by which the home's databases are reached, for as long as the block lasts.

    Raises
    ------
    StackError
        There is no database in the home, or its stack is just starting or stopping.
    """
    home = home.expanduser().resolve()
    if not any(home.glob("postgres-[0-9][0-9]")):
        raise StackError(f"{home}: there is no Goodfit in this folder")
    own = {"GOODFIT_HOME": str(home)}
    running = environment_of_running(home)
    if running:
        yield {**running, **own}
        return
    with HomeLock(home) as lock:
        if not lock.acquire():
            raise StackError(f"{home}: Goodfit is just starting or stopping; try again")
        lock.sign(Owner(pid=os.getpid(), mark=""))
        postgres = EmbeddedPostgres(home, databases=DATABASES)
        try:
            postgres.start()
            yield {
                **secret_environment(load_secrets(home)),
                **database_environment(postgres),
                **own,
            }
        finally:
            postgres.stop()
