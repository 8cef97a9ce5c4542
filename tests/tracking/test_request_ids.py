"""The id of the request that started a fit reaches MLflow's run and MLflow's log."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from backend.core.logs import bind_job
from backend.tracking.mlflow import record_request
from tests.tracking.conftest import MlflowServer
from tests.tracking.record import make_record
from tests.tracking.stand_ins import SERVICE_KEY

REQUEST_ID = "request-of-the-person"


@pytest.mark.usefixtures("tracker")
def test_record_carries_the_request_that_caused_it(
    mlflow_server: MlflowServer, model_path: Path
) -> None:
    request = {
        "record": make_record(4711, "ida", model_path).model_dump(mode="json"),
        "url": mlflow_server.url,
        "service_key": SERVICE_KEY,
        "timeout": 20,
    }
    bind_job(3, REQUEST_ID)
    try:
        answer = record_request(request, lambda _fraction, _message: None)
    finally:
        bind_job(None)
    run = MlflowClient().get_run(answer["run_id"])
    assert run.data.tags["goodfit.request_id"] == REQUEST_ID
    lines = (mlflow_server.home / "mlflow.log").read_text().splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    paths = {line["path"] for line in logged if line["request_id"] == REQUEST_ID}
    assert "/api/2.0/mlflow/runs/create" in paths
    assert any(path.endswith("/artifacts/MLmodel") for path in paths)
