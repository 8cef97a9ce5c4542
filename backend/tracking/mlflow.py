"""Records fits in MLflow; the only client of it. Runs in a child process of the worker.

MlflowClient with explicit ids: the fluent functions keep a global active run.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

# Before the import: no telemetry, no search for git, no progress bars, and no long patience.
os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    GIT_PYTHON_REFRESH="quiet",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
)

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from backend.tracking.permissions import grant_readers
from backend.tracking.port import FitRecord, RecordedRun

SERVICE_USER: Final = "goodfit-service"
MODEL: Final = "model"
FIT_TAG: Final = "goodfit.fit_id"
COMPLETE_TAG: Final = "goodfit.complete"
# MLflow refuses longer values.
LONGEST_PARAM: Final = 6_000
PINNED: Final = ("scikit-learn", "pandas", "numpy", "scipy", "joblib", "cloudpickle")
TYPES: Final[Mapping[str, DataType]] = {
    "number": DataType.double,
    "integer": DataType.double,
    "boolean": DataType.double,
    "date": DataType.double,
    "datetime": DataType.double,
    "string": DataType.string,
}


class DamagedModel(ValueError):
    """The model file is not the one that the fit made."""


class MlflowTracker:
    """Writes as the platform's service; people get to read."""

    def __init__(self, url: str, service_key: str, timeout: float) -> None:
        os.environ["MLFLOW_TRACKING_USERNAME"] = SERVICE_USER
        os.environ["MLFLOW_TRACKING_PASSWORD"] = service_key
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(int(timeout))
        # Artifacts are found through the global address, whatever the client was given.
        mlflow.set_tracking_uri(url)
        self._client = MlflowClient(tracking_uri=url)
        self._url = url
        self._service_key = service_key

    def record_fit(self, record: FitRecord) -> RecordedRun:
        """Record a fit; repeated, also after a crash half-way, it stays one run."""
        experiment_id = self._experiment(record)
        grant_readers(self._url, (SERVICE_USER, self._service_key), experiment_id, record.readers)
        run = self._run(record, experiment_id)
        if run.data.tags.get(COMPLETE_TAG) != "true":
            self._complete(record, run)
        return RecordedRun(run_id=run.info.run_id, experiment_id=experiment_id)

    def _experiment(self, record: FitRecord) -> str:
        found = self._client.get_experiment_by_name(record.experiment)
        if found is None:
            try:
                made: str = self._client.create_experiment(record.experiment)
            except MlflowException:  # another worker was faster
                found = self._client.get_experiment_by_name(record.experiment)
                if found is None:
                    raise
            else:
                return made
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        experiment_id: str = found.experiment_id
        return experiment_id

    def _run(self, record: FitRecord, experiment_id: str) -> Run:
        """The fit's run: the one that stands there, or a new one."""
        wanted = f"tags.`{FIT_TAG}` = '{record.fit_id}'"
        found = self._client.search_runs([experiment_id], wanted, max_results=1)
        if found:
            return found[0]
        tags = {
            FIT_TAG: str(record.fit_id),
            "goodfit.project": record.experiment,
            "goodfit.dataset": f"{record.dataset_name} v{record.dataset_version}",
            "mlflow.user": record.username,
            "mlflow.source.name": "goodfit",
            "mlflow.source.type": "JOB",
            **record.tags,
        }
        return self._client.create_run(
            experiment_id,
            start_time=int(record.started_at * 1000),
            tags=tags,
            run_name=record.fit_name,
        )

    def _complete(self, record: FitRecord, run: Run) -> None:
        """Each step is done once, or may be done again without harm."""
        run_id = run.info.run_id
        finished = int(record.finished_at * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, finished, 0) for name, value in record.metrics.items()],
            params=[
                Param(name, str(value)[:LONGEST_PARAM]) for name, value in record.params.items()
            ],
        )
        if run.inputs is None or not run.inputs.dataset_inputs:
            self._client.log_inputs(run_id, [_dataset(record)])
        if run.outputs is None or not run.outputs.model_outputs:
            self._log_model(record, run)
        self._client.set_terminated(run_id, "FINISHED", finished)
        self._client.log_batch(run_id, tags=[RunTag(COMPLETE_TAG, "true")])

    def _log_model(self, record: FitRecord, run: Run) -> None:
        run_id, experiment_id = run.info.run_id, run.info.experiment_id
        unfinished = self._client.search_logged_models(
            [experiment_id], filter_string=f"source_run_id = '{run_id}'", max_results=1
        )
        model = (
            unfinished[0]
            if unfinished
            else self._client.create_logged_model(
                experiment_id, name=MODEL, source_run_id=run_id, model_type="scikit-learn"
            )
        )
        with tempfile.TemporaryDirectory(prefix="goodfit-model-") as folder:
            path = Path(folder) / MODEL
            _save(record, path, run_id, model.model_id)
            self._client.log_model_artifacts(model.model_id, str(path))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])


def _dataset(record: FitRecord) -> DatasetInput:
    schema = Schema([ColSpec(TYPES[c["type"]], c["name"]) for c in record.dataset_columns])
    # MLflow's own digests are eight characters long; its column holds 36.
    dataset = Dataset(
        name=f"{record.dataset_name} v{record.dataset_version}"[:500],
        digest=record.dataset_digest[:36],
        source_type="goodfit",
        source=json.dumps({"sha256": record.dataset_digest}),
        schema=json.dumps({"mlflow_colspec": schema.to_dict()}),
        profile=json.dumps({"num_rows": record.dataset_rows, "target": record.target}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _save(record: FitRecord, path: Path, run_id: str, model_id: str) -> None:
    """The pipeline in MLflow's format; everything is told, so nothing has to be inferred."""
    content = Path(record.model_path).read_bytes()
    if hashlib.sha256(content).hexdigest() != record.model_sha256:
        raise DamagedModel(f"the model of fit {record.fit_id} has another sha256")
    pipeline = joblib.load(record.model_path)
    signature = ModelSignature(
        inputs=Schema([ColSpec(TYPES[c["type"]], c["name"]) for c in record.input_columns]),
        outputs=Schema([_output(record.output)]),
    )
    mlflow.sklearn.save_model(
        pipeline,
        str(path),
        mlflow_model=mlflow.models.Model(run_id=run_id, model_id=model_id),
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
        signature=signature,
        input_example=_example(record),
        pip_requirements=[f"{name}=={version(name)}" for name in PINNED],
    )


def _output(output: Mapping[str, Any]) -> ColSpec:
    classes: Sequence[Any] | None = output["classes"]
    if classes is None:
        return ColSpec(DataType.double, output["name"])
    if all(isinstance(value, bool) for value in classes):
        return ColSpec(DataType.boolean, output["name"])
    if all(isinstance(value, int) for value in classes):
        return ColSpec(DataType.long, output["name"])
    return ColSpec(DataType.string, output["name"])


def _example(record: FitRecord) -> pd.DataFrame:
    frame = pd.DataFrame(record.input_example, columns=[c["name"] for c in record.input_columns])
    for column in record.input_columns:
        kind = "float64" if TYPES[column["type"]] is DataType.double else "object"
        frame[column["name"]] = frame[column["name"]].astype(kind)
    return frame


def record_request(
    request: Mapping[str, Any], _report: Callable[[float, str], None]
) -> dict[str, Any]:
    """Record one fit: `record`, `url`, `service_key` and `timeout` in, the run's ids out."""
    tracker = MlflowTracker(request["url"], request["service_key"], request["timeout"])
    return tracker.record_fit(FitRecord.model_validate(request["record"])).model_dump()
