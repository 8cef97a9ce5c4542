"""The schema goes up, down and up again, and is what the tables say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from backend.bootstrap import is_current
from backend.core.schema_check import head_revision
from backend.migrate import alembic_config, upgrade
from backend.settings import Settings
from backend.stack.postgres import EmbeddedPostgres
from tests.conftest import make_settings

USER: Final = (
    "insert into users (username, username_key, role) values ('ada', 'ada', 'member') returning id"
)
PROJECT: Final = (
    "insert into projects (name, slug, personal, created_by) values ('p', 'p', true, %s) "
    "returning id"
)
DATASET: Final = (
    "insert into datasets (project_id, name, description, kind, latest_version, created_by) "
    "values (%s, 'd', '', %s, 1, %s) returning id"
)
# As the release of revision 0004 does.
VERSION: Final = (
    "insert into dataset_versions (dataset_id, version, origin, file_name, sha256, parquet_sha256, "
    "content_digest, rows, columns, column_count, bytes, warnings, created_by) "
    "values (%s, %s, 'upload', 'a.csv', 'a', 'b', %s, 1, '[]', 0, 1, '[]', %s)"
)


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


def _fill(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """A table with a version and one with images; answers the table and its maker."""

    def made(statement: str, *values: Any) -> int:
        row = connection.execute(statement, values).fetchone()
        assert row is not None
        return int(row[0])

    user = made(USER)
    project = made(PROJECT, user)
    table, images = (made(DATASET, project, kind, user) for kind in ("table", "image"))
    connection.execute(VERSION, (table, 1, "of old", user))
    connection.execute(VERSION, (images, 1, "pixels", user))
    return table, user


def test_datasets_of_old_are_marked_and_purged_ones_keep_the_schema(empty: Settings) -> None:
    config = alembic_config()
    url = empty.database.url.get_secret_value()
    config.attributes["url"] = url
    command.upgrade(config, "0004")
    digests = "select content_digest from dataset_versions order by id"
    with psycopg.connect(url.replace("+asyncpg", ""), autocommit=True) as connection:
        table, user = _fill(connection)
        command.upgrade(config, "0005")
        assert connection.execute(digests).fetchall() == [("v1:of old",), ("pixels",)]
        assert connection.execute("select state from dataset_profiles").fetchall() == [
            ("queued",),
            ("queued",),
        ]
        connection.execute(VERSION, (table, 2, "newer", user))
        connection.execute("update datasets set purged_at = now() where id = %s", (table,))
        with pytest.raises(CommandError, match="1 datasets are purged"):
            command.downgrade(config, "0004")
        purged = "select count(*) from datasets where purged_at is not null"
        assert connection.execute(purged).fetchall() == [(1,)]
        connection.execute("update datasets set purged_at = null")
        command.downgrade(config, "0004")
        assert connection.execute(digests).fetchall() == [("of old",), ("pixels",), ("newer",)]
        upgrade(empty)
