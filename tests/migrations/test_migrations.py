"""The schema goes up, down and up again, and is what the tables say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from backend.bootstrap import is_current
from backend.core.schema_check import head_revision
from backend.migrate import alembic_config, upgrade
from backend.settings import Settings
from backend.stack.postgres import EmbeddedPostgres
from tests.conftest import make_settings


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Settings]:
    server = EmbeddedPostgres(tmp_path / "postgres", databases=("empty",), durable=False)
    server.start()
    yield make_settings(server.url("empty"), tmp_path)
    server.stop()


def test_there_is_one_head() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [head_revision()]


def test_up_down_up_and_nothing_left_to_generate(empty: Settings) -> None:
    config = alembic_config()
    config.attributes["url"] = empty.database.url.get_secret_value()
    assert not is_current(empty)
    upgrade(empty)
    assert is_current(empty)
    command.check(config)
    command.downgrade(config, "base")
    assert not is_current(empty)
    upgrade(empty)
    assert is_current(empty)
