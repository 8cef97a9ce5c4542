"""Which files the databases name."""

from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

# Every column that holds the key of a blob, or keys by name; a test compares this with the tables.
KEY_COLUMNS: Final = (
    ("dataset_versions", "sha256"),
    ("dataset_versions", "parquet_sha256"),
    ("dataset_profiles", "sha256"),
)
KEYS_BY_NAME_COLUMNS: Final = (("fits", "artifacts"),)
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
    key = sql.SQL("select {1} from {0}")
    keys_by_name = sql.SQL("select value from {0}, jsonb_each_text({1})")
    parts = [key.format(*map(sql.Identifier, pair)) for pair in KEY_COLUMNS]
    parts += [keys_by_name.format(*map(sql.Identifier, pair)) for pair in KEYS_BY_NAME_COLUMNS]
    return {row[0] for row in connection.execute(sql.SQL(" union ").join(parts))}


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
