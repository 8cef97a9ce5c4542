"""Which files the databases name."""

from dataclasses import dataclass
from typing import Final

import psycopg

# Every column that holds the key of a blob; a test compares this with the tables.
BLOB_COLUMNS: Final = {
    "dataset_versions": ("sha256", "parquet_sha256"),
    "fits": ("artifacts",),
}
_BLOBS: Final = """
    select sha256 from dataset_versions
    union select parquet_sha256 from dataset_versions
    union select value from fits, jsonb_each_text(artifacts)
"""
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
    return {row[0] for row in connection.execute(_BLOBS)}


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
