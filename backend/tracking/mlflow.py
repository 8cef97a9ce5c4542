"""Records fits in MLflow; the only client of it. Runs in a child process of the worker.

`MlflowClient` with explicit ids, never the fluent functions, which keep a global active run.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import ColSpec, Schema, TensorSpec

from backend.core.logs import NO_REQUEST, current_request_id
from backend.tracking.connection import connect, tracker_errors
from backend.tracking.experiments import PROJECT_TAG
from backend.tracking.model_folder import DATASET_TYPES, save_model
from backend.tracking.permissions import Resource, let_read
from backend.tracking.port import FitRecord, RecordedRun
from backend.tracking.withdrawal import FIT_TAG, WITHDRAWN_TAG, withdraw_fit

__all__ = ["MlflowTracker", "record_request"]

_log = logging.getLogger(__name__)
MODEL_NAME: Final = "model"
REQUEST_TAG: Final = "goodfit.request_id"
# Set last: a run without it was left half-way.
COMPLETE_TAG: Final = "goodfit.complete"
EXPERIMENT_KIND: Final = "custom_model_development"
_EXISTS: Final = ErrorCode.Name(RESOURCE_ALREADY_EXISTS)
# MLflow's limits.
_LONGEST_PARAM: Final = 6_000
_LONGEST_TAG: Final = 8_000
_LONGEST_DIGEST: Final = 36
_LONGEST_NAME: Final = 500
_LONGEST_SCHEMA: Final = 1_000_000
_LONGEST_RUN_NAME: Final = 250
_LONGEST_KEY: Final = 250
_NOT_IN_KEYS: Final = re.compile(r"[^\w.\- :]")


class MlflowTracker:
    """Writes as the platform's own account. One for the process: MLflow's settings are global."""

    def __init__(self, url: str, service_key: str, timeout: float) -> None:
        self._connection = connect(url, service_key, timeout)
        self._client = MlflowClient(tracking_uri=url)

    def record_fit(self, record: FitRecord) -> RecordedRun:
        """Record a fit; repeated, also after a crash at any point, it stays one run."""
        with tracker_errors():
            experiment_id = self._experiment(record)
            let_read(self._connection, [Resource.experiment(experiment_id)], record.readers)
            # A worker that was lost may have left something elsewhere.
            withdraw_fit(self._connection, record.fit_id, experiment=record.experiment)
            run = self._find_run(record, experiment_id)
            if run is None or run.data.tags.get(COMPLETE_TAG) != "true":
                run = self._record(record, experiment_id, run)
        return RecordedRun(
            run_id=run.info.run_id,
            experiment_id=experiment_id,
            model_uri=f"runs:/{run.info.run_id}/{MODEL_NAME}",
        )

    def _record(self, record: FitRecord, experiment_id: str, run: Run | None) -> Run:
        # Beside the model, whose owner clears up also after a process that was killed.
        beside = Path(record.model_path).parent
        with TemporaryDirectory(prefix="mlflow-", dir=beside) as folder:
            # Before anything is created: a damaged model must not leave half a run.
            saved = save_model(record, Path(folder) / MODEL_NAME)
            run = run or self._create_run(record, experiment_id)
            model = self._model(record, run)
            saved.link(run.info.run_id, model.model_id, model.artifact_location)
            self._complete(record, run, model, saved.path)
        return run

    def _experiment(self, record: FitRecord) -> str:
        found = self._client.get_experiment_by_name(record.experiment)
        if found is None:
            return self._create_experiment(record.experiment)
        experiment_id: str = found.experiment_id
        if found.lifecycle_stage != "active":
            self._client.restore_experiment(experiment_id)
        return experiment_id

    def _create_experiment(self, name: str) -> str:
        # The kind makes its pages open as those of models, not of language models.
        tags = {PROJECT_TAG: name, "mlflow.experimentKind": EXPERIMENT_KIND}
        try:
            return str(self._client.create_experiment(name, tags=tags))
        except MlflowException as error:
            found = self._client.get_experiment_by_name(name)
            if error.error_code != _EXISTS or found is None:
                raise
            return str(found.experiment_id)  # another worker was faster

    def _create_run(self, record: FitRecord, experiment_id: str) -> Run:
        created: Run = self._client.create_run(
            experiment_id,
            start_time=int(record.started_at * 1000),
            tags=_tags(record),
            run_name=record.fit_name[:_LONGEST_RUN_NAME],
        )
        # A request that a killed worker left behind may have made its run meanwhile. Whoever
        # looks sees the same runs and keeps the same one.
        return self._find_run(record, experiment_id) or created

    def _find_run(self, record: FitRecord, experiment_id: str) -> Run | None:
        """The fit's one run, if it stands there; others of the same fit are deleted."""
        wanted = f"tags.`{FIT_TAG}` = '{record.fit_id}'"
        searched = self._client.search_runs([experiment_id], wanted, ViewType.ALL)
        found = [run for run in searched if run.data.tags.get(WITHDRAWN_TAG) != "true"]
        if not found:
            return None
        kept, *surplus = sorted(found, key=_preference)
        for run in surplus:
            if run.info.lifecycle_stage == "active":
                self._client.delete_run(run.info.run_id)
        if kept.info.lifecycle_stage != "active":
            self._client.restore_run(kept.info.run_id)
        return kept

    def _model(self, record: FitRecord, run: Run) -> LoggedModel:
        """The run's entry among the experiment's models: the one there, else a new one."""
        found = self._client.search_logged_models(
            [run.info.experiment_id],
            filter_string=f"source_run_id = '{run.info.run_id}'",
            max_results=1,
        )
        if found:
            return found[0]
        return self._client.create_logged_model(
            run.info.experiment_id,
            name=MODEL_NAME,
            source_run_id=run.info.run_id,
            tags={FIT_TAG: str(record.fit_id), "mlflow.user": record.username},
            params=_params(record),
            model_type="pytorch" if record.takes_images else "scikit-learn",
        )

    def _complete(self, record: FitRecord, run: Run, model: LoggedModel, folder: Path) -> None:
        """Each step can be done again without harm, or is left out when it was done."""
        run_id = run.info.run_id
        dataset = _dataset(record)
        self._client.log_inputs(
            run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
        )
        self._client.log_batch(
            run_id,
            metrics=list(_metrics(record, run_id, model.model_id, dataset)),
            params=[Param(name, value) for name, value in _params(record).items()],
            tags=[RunTag(name, value) for name, value in _tags(record).items()],
        )
        self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.finalize_logged_model(model.model_id, "READY")
        if not (run.outputs and run.outputs.model_outputs):
            self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        self._client.set_terminated(run_id, "FINISHED", int(record.finished_at * 1000))
        self._client.set_tag(run_id, COMPLETE_TAG, "true")


def _preference(run: Run) -> tuple[bool, bool, str]:
    """Smallest is kept: complete before half-way, standing before deleted, then any fixed order."""
    is_complete = run.data.tags.get(COMPLETE_TAG) == "true"
    return (not is_complete, run.info.lifecycle_stage != "active", run.info.run_id)


def _key(name: str) -> str:
    """The name with what MLflow refuses in names replaced."""
    return _NOT_IN_KEYS.sub("_", name)[:_LONGEST_KEY]


def _tags(record: FitRecord) -> dict[str, str]:
    tags = {
        **record.tags,
        FIT_TAG: str(record.fit_id),
        PROJECT_TAG: record.experiment,
        "goodfit.dataset": record.dataset_name,
        "goodfit.dataset_version": str(record.dataset_version),
        "goodfit.dataset_digest": record.dataset_digest,
        "mlflow.user": record.username,
        "mlflow.source.name": "goodfit",
        "mlflow.source.type": "JOB",
    }
    if current_request_id() != NO_REQUEST:
        tags[REQUEST_TAG] = current_request_id()
    return {_key(name): value[:_LONGEST_TAG] for name, value in tags.items()}


def _params(record: FitRecord) -> dict[str, str]:
    return {_key(name): str(value)[:_LONGEST_PARAM] for name, value in record.params.items()}


def _metrics(record: FitRecord, run_id: str, model_id: str, dataset: Dataset) -> Iterable[Metric]:
    """With the fit's own time, so that repeating writes the same rows."""
    timestamp = int(record.finished_at * 1000)
    for name, value in record.metrics.items():
        if value is not None:
            yield Metric(
                _key(name),
                value,
                timestamp,
                0,
                model_id=model_id,
                dataset_name=dataset.name,
                dataset_digest=dataset.digest,
                run_id=run_id,
            )


def _dataset(record: FitRecord) -> Dataset:
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DATASET_TYPES[column["type"]], column["name"]) for column in record.dataset_columns
    ]
    schema = json.dumps({"mlflow_colspec": Schema(columns).to_dict()}) if columns else None
    return Dataset(
        # Name and digest identify a dataset in MLflow; versions of equal content stay apart.
        name=f"{record.dataset_name} v{record.dataset_version}"[:_LONGEST_NAME],
        digest=record.dataset_digest[:_LONGEST_DIGEST],
        source_type="goodfit",
        source=json.dumps(
            {
                "dataset": record.dataset_name,
                "version": record.dataset_version,
                "sha256": record.dataset_digest,
            }
        ),
        schema=schema if schema is None or len(schema) < _LONGEST_SCHEMA else None,
        profile=json.dumps(
            {
                "num_rows": record.dataset_rows,
                "num_columns": len(record.dataset_columns),
                "target": record.target,
            }
        ),
    )


def record_request(
    request: Mapping[str, Any], _report: Callable[[float, str], None]
) -> dict[str, Any]:
    """Record one fit: `record`, `url`, `service_key` and `timeout` in, a `RecordedRun` out."""
    tracker = MlflowTracker(request["url"], request["service_key"], request["timeout"])
    record = FitRecord.model_validate(request["record"])
    run = tracker.record_fit(record)
    _log.info("recorded in MLflow", extra={"fit_id": record.fit_id, "run_id": run.run_id})
    return run.model_dump()
