"""A product with something in it: our schema and MLflow's own, a dataset, a recorded fit."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from backend.bootstrap import create_admin
from backend.migrate import upgrade
from backend.operations.backup.source import Source
from backend.settings import Settings, TrackingSettings
from backend.stack.account import ServerAccount
from backend.stack.cluster import Cluster
from backend.stack.postgres import EmbeddedPostgres
from backend.stack.product import DATABASES
from backend.storage.blobs import BlobStore
from tests.conftest import PASSWORD, make_settings

MLFLOW_SCHEMA = """
import os, sqlalchemy
from mlflow.store.db.utils import _initialize_tables
_initialize_tables(sqlalchemy.create_engine(os.environ["ADDRESS"]))
"""
RECORDED = "0123456789abcdef0123456789abcdef"
MODEL_FOLDER = "7/models/m-1/artifacts"


@dataclass(frozen=True)
class Product:
    """Its source, a way to ask its databases, and a way to add to it."""

    home: Path
    source: Source
    blobs: BlobStore

    def ask(self, statement: str, *values: object, database: str = "goodfit") -> list[Any]:
        with psycopg.connect(self.source.databases[database]) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def store(self, content: bytes, folder: Path) -> str:
        path = folder / "content"
        path.write_bytes(content)
        return self.blobs.put_file(path)

    def add_version(self, content: bytes, folder: Path) -> str:
        """One more version of the one dataset, its file first."""
        digest = self.store(content, folder)
        self.ask(
            "insert into dataset_versions (dataset_id, version, origin, file_name, sha256,"
            " parquet_sha256, content_digest, rows, columns, column_count, bytes, warnings,"
            " doubts, inputs, created_by)"
            " select d.id, 1 + (select count(*) from dataset_versions), 'upload',"
            " 'x.csv', %s, %s, %s, 1, '[]', 1, 1, '[]', '[]', '[]', d.created_by from datasets d",
            digest,
            digest,
            digest,
        )
        return digest

    def add_fit(self, run_id: str | None, state: str = "succeeded", **artifacts: str) -> int:
        rows = self.ask(
            "insert into fits (project_id, dataset_id, dataset_version_id, name, tags, spec,"
            " estimator, target, state, progress, progress_message, attempt, lost_attempts,"
            " metrics, baseline_metrics, outcome, warnings, artifacts, tracking, mlflow_run_id,"
            " created_by) select d.project_id, d.id, v.id, 'f', '{}', '{}', 'ridge', 'y', %s, 1,"
            " 'Done', 1, 0, '{}', '{}', '{}', '[]', %s, %s, %s, d.created_by"
            " from datasets d join dataset_versions v on v.dataset_id = d.id limit 1 returning id",
            state,
            psycopg.types.json.Jsonb(artifacts),
            "pending" if run_id is None else "recorded",
            run_id,
        )
        fit_id: int = rows[0][0]
        return fit_id


@pytest.fixture(scope="session")
def product_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(
        tmp_path_factory.mktemp("product"), databases=DATABASES, durable=False
    )
    server.start()
    subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", MLFLOW_SCHEMA],
        env={**os.environ, "ADDRESS": _with_driver(server.url("mlflow"))},
        check=True,
        capture_output=True,
    )
    yield server
    server.stop()


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture(scope="session")
def product_settings(product_postgres: EmbeddedPostgres) -> Settings:
    made = make_settings(product_postgres.url("goodfit"), product_postgres.home)
    tracking = TrackingSettings.model_validate(
        {
            "database_url": _with_driver(product_postgres.url("mlflow")),
            "auth_database_url": _with_driver(product_postgres.url("mlflow_auth")),
        }
    )
    settings = made.model_copy(update={"tracking": tracking})
    upgrade(settings)
    create_admin(settings, "root", PASSWORD)
    return settings


@pytest.fixture
def product(
    product_settings: Settings, tmp_path: Path, clean: Callable[[Product], None]
) -> Product:
    """One dataset of one version; one fit that is recorded in MLflow."""
    files, artifacts = tmp_path / "files", tmp_path / "artifacts"
    source = Source.of(product_settings)
    made = Product(
        home=product_settings.home,
        source=Source(source.databases, files.as_uri(), artifacts.as_uri()),
        blobs=BlobStore(files.as_uri()),
    )
    clean(made)
    made.ask(
        "insert into projects (name, slug, personal, created_by)"
        " select 'p', 'p', true, id from users on conflict do nothing"
    )
    made.ask(
        "insert into datasets (project_id, name, description, kind, latest_version, created_by)"
        " select p.id, 'd', '', 'table', 1, u.id from users u, projects p limit 1"
    )
    made.add_version(b"a table", tmp_path)
    made.add_fit(RECORDED, model=made.store(b"a model", tmp_path))
    (artifacts / MODEL_FOLDER).mkdir(parents=True)
    (artifacts / MODEL_FOLDER / "MLmodel").write_text("flavors: {}\n")
    return made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where a backup may be restored; root's database would stay outside of it."""
    home = tmp_path / "home"
    yield home
    for link in home.glob("postgres-[0-9][0-9]"):
        Cluster(link.resolve(), link, ServerAccount.choose()).discard_outside()


@pytest.fixture
def clean() -> Callable[[Product], None]:
    def sweep(product: Product) -> None:
        product.ask("truncate datasets, dataset_versions, fits, sessions cascade")
        mlflow = {"database": "mlflow"}
        product.ask("delete from logged_models", **mlflow)
        product.ask("delete from runs", **mlflow)
        product.ask(
            "insert into experiments (experiment_id, name, lifecycle_stage)"
            " values (7, 'project', 'active') on conflict do nothing",
            **mlflow,
        )
        product.ask(
            "insert into runs (run_uuid, experiment_id, lifecycle_stage) values (%s, 7, 'active')",
            RECORDED,
            **mlflow,
        )
        product.ask(
            "insert into logged_models (model_id, experiment_id, name, artifact_location,"
            " creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage,"
            " source_run_id) values ('m-1', 7, 'model', %s, 0, 0, 2, 'active', %s)",
            f"mlflow-artifacts:/{MODEL_FOLDER}",
            RECORDED,
            **mlflow,
        )

    return sweep
