"""Which files the databases name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from backend.datasets.files import FILES_LOCK
from backend.operations.backup.databases import connect

# Every column that holds the key of a blob, or keys by name; a test compares this with the tables.
KEY_COLUMNS: Final = (
    ("dataset_versions", "sha256"),
    ("dataset_versions", "parquet_sha256"),
    ("dataset_profiles", "sha256"),
)
KEYS_BY_NAME_COLUMNS: Final = (("fits", "artifacts"),)
# A purged dataset keeps its rows and not its files.
_WHOLE: Final = {
    "dataset_versions": "dataset_id in (select id from datasets where purged_at is null)",
    "dataset_profiles": "dataset_version_id in (select v.id from dataset_versions v"
    " join datasets d on d.id = v.dataset_id where d.purged_at is null)",
}
_RECORDED: Final = """
    select id, mlflow_run_id from fits where tracking = 'recorded' and mlflow_run_id is not null
"""
_ARTIFACTS: Final = """
    select r.run_uuid, m.artifact_location
    from runs r left join logged_models m on m.source_run_id = r.run_uuid
    where r.lifecycle_stage = 'active'
"""
_ARTIFACT_SCHEME: Final = "mlflow-artifacts:/"


def named_blobs(connection: psycopg.Connection) -> set[str]:
    """Every blob without which the database would point at nothing."""
    keys_by_name = sql.SQL("select value from {0}, jsonb_each_text({1})")
    parts = [
        sql.SQL("select {1} from {0} where {1} is not null and ").format(*map(sql.Identifier, pair))
        + sql.SQL(_WHOLE[pair[0]])
        for pair in KEY_COLUMNS
    ]
    parts += [keys_by_name.format(*map(sql.Identifier, pair)) for pair in KEYS_BY_NAME_COLUMNS]
    return {row[0] for row in connection.execute(sql.SQL(" union ").join(parts))}


@contextmanager
def files_kept(url: str) -> Iterator[None]:
    """Files of datasets that are purged meanwhile stay until the block has ended."""
    with connect(url) as connection:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock_shared(%s)", [FILES_LOCK])
        yield


def recorded_runs(connection: psycopg.Connection) -> dict[int, str]:
    """MLflow's runs of our fits, by the fits' ids."""
    return dict(connection.execute(_RECORDED).fetchall())


@dataclass(frozen=True, slots=True)
class Run:
    """A run that stands in MLflow, and the folder of its model among the artifacts."""

    run_id: str
    model_folder: str | None


def standing_runs(connection: psycopg.Connection) -> dict[str, Run]:
    """MLflow's runs that are not deleted, by their ids."""
    runs: dict[str, Run] = {}
    for run_id, location in connection.execute(_ARTIFACTS):
        folder = None
        if location is not None and location.startswith(_ARTIFACT_SCHEME):
            folder = location.removeprefix(_ARTIFACT_SCHEME).strip("/")
        if run_id not in runs or folder is not None:
            runs[run_id] = Run(run_id, folder)
    return runs
