"""One fit, one run: whatever happens on the way."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from backend.stack.postgres import free_port
from backend.tracking.mlflow import MlflowTracker, record_request
from backend.tracking.port import FitRecord, RecordedRun, TrackerError, TrackerUnavailable
from tests.tracking.conftest import MlflowServer
from tests.tracking.record import make_record
from tests.tracking.stand_ins import SERVICE_KEY, LossyNetwork, running

Recorded = Callable[[str, int], tuple[FitRecord, RecordedRun]]
pytestmark = pytest.mark.usefixtures("tracker")
# A person's notebook: another process that knows an address and a token.
NOTEBOOK = """
import json, sys
import mlflow, mlflow.pyfunc, mlflow.sklearn
import pandas as pd

uri = sys.argv[1]
new = pd.DataFrame({"size": [10.0, 20.0], "kind": ["x", "y"]})
model = mlflow.pyfunc.load_model(uri)
signature = model.metadata.signature
json.dump({
    "sklearn": list(mlflow.sklearn.load_model(uri).predict(new)),
    "pyfunc": list(model.predict(new)),
    "inputs": signature.inputs.input_names(),
    "outputs": signature.outputs.input_names(),
    "example": model.input_example["kind"].tolist(),
    "requirements": open(mlflow.artifacts.download_artifacts(f"{uri}/requirements.txt")).read(),
}, sys.stdout)
"""


def runs_in(experiment_id: str) -> list[Run]:
    return list(MlflowClient().search_runs([experiment_id], run_view_type=ViewType.ALL))


def active_runs(experiment_id: str) -> list[Run]:
    return [run for run in runs_in(experiment_id) if run.info.lifecycle_stage == "active"]


def in_notebook(server: MlflowServer, token: str, uri: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": server.url,
        "MLFLOW_TRACKING_USERNAME": "token",
        "MLFLOW_TRACKING_PASSWORD": token,
    }
    command = [sys.executable, "-W", "ignore", "-c", NOTEBOOK, uri]
    done = subprocess.run(  # noqa: S603  # our own text
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def model_id_of(run: Run) -> str:
    assert run.outputs is not None
    [output] = run.outputs.model_outputs
    return str(output.model_id)


def test_a_record_holds_what_the_fit_was(recorded: Recorded) -> None:
    record, where = recorded("anna", 1)
    run = MlflowClient().get_run(where.run_id)
    assert run.info.run_name == "Fit 1"
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_000, 1_700_000_002_500)
    assert run.data.metrics == pytest.approx({"r2": 0.9, "baseline.r2": -0.01})
    assert run.data.params == {
        "estimator": "ordinary_least_squares",
        "seed": "7",
        "fit_intercept": "True",
    }
    assert (
        run.data.tags.items()
        >= {
            "goodfit.fit_id": "1",
            "goodfit.project": "anna-personal",
            "goodfit.tag.purpose": "test",
            "goodfit.dataset_digest": record.dataset_digest,
            "mlflow.user": "anna",
            "mlflow.source.name": "goodfit",
        }.items()
    )
    model = MlflowClient().get_logged_model(model_id_of(run))
    assert model.status == "READY"
    assert {metric.key: metric.value for metric in model.metrics or []} == run.data.metrics


def test_a_record_names_the_dataset(recorded: Recorded) -> None:
    record, where = recorded("anna", 1)
    inputs = MlflowClient().get_run(where.run_id).inputs
    assert inputs is not None
    [used] = inputs.dataset_inputs
    assert used.dataset.name == "sizes v3"
    assert record.dataset_digest.startswith(used.dataset.digest)
    assert json.loads(str(used.dataset.profile))["num_rows"] == 4
    columns = json.loads(str(used.dataset.schema))["mlflow_colspec"]
    assert [column["name"] for column in columns] == ["size", "kind", "price"]


def test_a_reader_loads_the_model(mlflow_server: MlflowServer, recorded: Recorded) -> None:
    _, where = recorded("anna", 1)
    seen = in_notebook(mlflow_server, "gf_anna", str(where.model_uri))
    assert seen["sklearn"] == pytest.approx([30.0, 60.0])
    assert seen["pyfunc"] == pytest.approx([30.0, 60.0])
    assert (seen["inputs"], seen["outputs"]) == (["size", "kind"], ["price"])
    assert seen["example"][0] == "x"
    assert re.search(r"^scikit-learn==[\d.]+", seen["requirements"], re.MULTILINE)


def test_recording_again_is_the_same_run(
    tracker: MlflowTracker, recorded: Recorded, model_path: Path
) -> None:
    record, first = recorded("quinn", 10)
    assert tracker.record_fit(record) == first
    second = tracker.record_fit(make_record(11, "quinn", model_path))
    assert second.run_id != first.run_id
    assert second.experiment_id == first.experiment_id
    assert len(runs_in(first.experiment_id)) == 2


@pytest.mark.parametrize("lose_answer", [False, True], ids=["request lost", "answer lost"])
def test_a_record_cut_off_at_any_point_is_completed_later(
    mlflow_server: MlflowServer, model_path: Path, lose_answer: bool
) -> None:
    record = make_record(40 + lose_answer, f"dora{lose_answer:d}", model_path)
    network = LossyNetwork(mlflow_server.url)
    network.lose_answer = lose_answer
    attempts = 0
    with running(network):
        cut_off = MlflowTracker(network.url, SERVICE_KEY, 20)
        while True:
            attempts += 1
            network.budget = attempts
            try:
                done = cut_off.record_fit(record)
            except TrackerUnavailable:
                continue
            break
    assert attempts > 10
    repeated = MlflowTracker(mlflow_server.url, SERVICE_KEY, 20).record_fit(record)
    assert repeated == done
    [run] = runs_in(done.experiment_id)
    run = MlflowClient().get_run(run.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.inputs is not None
    assert len(run.inputs.dataset_inputs) == 1
    models = MlflowClient().search_logged_models([done.experiment_id])
    assert [model.model_id for model in models] == [model_id_of(run)]
    history = MlflowClient().get_metric_history(run.info.run_id, "r2")
    assert [metric.value for metric in history] == [0.9]
    with mlflow_server.platform() as client:
        folder = f"{done.experiment_id}/models/{model_id_of(run)}/artifacts"
        listed = client.get(f"/api/2.0/mlflow-artifacts/artifacts?path={folder}").json()["files"]
    assert {"MLmodel", "model.pkl", "requirements.txt"} <= {file["path"] for file in listed}


def test_two_runs_of_one_fit_become_one(tracker: MlflowTracker, model_path: Path) -> None:
    record = make_record(50, "emil", model_path)
    where = tracker.record_fit(record)
    # What a request does that was held up while another worker recorded the fit.
    MlflowClient().create_run(where.experiment_id, tags={"goodfit.fit_id": "50"})
    assert len(active_runs(where.experiment_id)) == 2
    assert tracker.record_fit(record) == where
    assert [run.info.run_id for run in active_runs(where.experiment_id)] == [where.run_id]


def test_what_was_deleted_in_mlflow_is_restored(tracker: MlflowTracker, model_path: Path) -> None:
    record = make_record(60, "fritz", model_path)
    where = tracker.record_fit(record)
    MlflowClient().delete_run(where.run_id)
    MlflowClient().delete_experiment(where.experiment_id)
    assert tracker.record_fit(record) == where
    assert [run.info.run_id for run in active_runs(where.experiment_id)] == [where.run_id]


def test_a_permission_that_somebody_has_is_kept(
    mlflow_server: MlflowServer, tracker: MlflowTracker, model_path: Path
) -> None:
    record = make_record(70, "gina", model_path)
    where = tracker.record_fit(record)
    grant = {
        "username": "gina",
        "resource_type": "experiment",
        "resource_id": where.experiment_id,
        "permission": "EDIT",
    }
    with mlflow_server.platform() as client:
        path = "/api/3.0/mlflow/users/permissions"
        assert client.post(f"{path}/revoke", json=grant).status_code == 200
        assert client.post(f"{path}/grant", json=grant).status_code == 200
        tracker.record_fit(record)
        held = client.get(f"{path}/get", params=grant).json()
    assert held["permission"] == "EDIT"


def test_who_leaves_the_project_loses_its_experiment(
    mlflow_server: MlflowServer, tracker: MlflowTracker, model_path: Path
) -> None:
    record = make_record(71, "nora", model_path, readers=["nora", "otto"])
    where = tracker.record_fit(record)
    held = {"resource_type": "experiment", "resource_id": where.experiment_id}
    with mlflow_server.platform() as client:
        path = "/api/3.0/mlflow/users/permissions/get"
        before = client.get(path, params={"username": "otto", **held}).json()["permission"]
        tracker.record_fit(make_record(72, "nora", model_path))
        after = {
            username: client.get(path, params={"username": username, **held}).json()["permission"]
            for username in ("nora", "otto")
        }
    assert before == "READ"
    assert after == {"nora": "READ", "otto": "NO_PERMISSIONS"}


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": {"goodfit.tag.größe:a/b//c#%": "x" * 9_000}, "fit_name": "n" * 1_000},
        {"params": {f"p{number}": "v" * 7_000 for number in range(120)}},
        {"metrics": {f"m{number}": float(number) for number in range(1_200)}},
        {"metrics": {"infinite": float("inf"), "undefined": float("nan")}},
        {"dataset_name": "n" * 2_000, "input_example": []},
        {"output": {"name": "p", "task": "multiclass", "classes": ["a", "b"]}},
        {"output": {"name": "p", "task": "binary", "classes": [True, False]}},
    ],
    ids=["tags", "params", "metrics", "not finite", "names", "classes", "booleans"],
)
def test_what_mlflow_would_refuse_is_made_to_fit(
    tracker: MlflowTracker, model_path: Path, changes: dict[str, Any], request: Any
) -> None:
    number = 80 + request.node.callspec.indices["changes"]
    where = tracker.record_fit(make_record(number, "hugo", model_path, **changes))
    assert MlflowClient().get_run(where.run_id).info.status == "FINISHED"


def test_a_damaged_model_is_refused_before_anything_is_made(
    tracker: MlflowTracker, model_path: Path
) -> None:
    record = make_record(90, "ines", model_path, model_sha256="0" * 64)
    with pytest.raises(TrackerError, match="another sha256") as refusal:
        tracker.record_fit(record)
    assert not isinstance(refusal.value, TrackerUnavailable)
    experiment = MlflowClient().get_experiment_by_name("ines-personal")
    assert experiment is None or runs_in(experiment.experiment_id) == []


def test_a_stopped_server_is_unavailable(model_path: Path) -> None:
    tracker = MlflowTracker(f"http://127.0.0.1:{free_port()}", SERVICE_KEY, 2)
    with pytest.raises(TrackerUnavailable):
        tracker.record_fit(make_record(91, "jana", model_path))


def test_a_wrong_key_is_an_error_that_waiting_does_not_help(
    mlflow_server: MlflowServer, model_path: Path
) -> None:
    tracker = MlflowTracker(mlflow_server.url, "not the key", 5)
    with pytest.raises(TrackerError) as refusal:
        tracker.record_fit(make_record(92, "kurt", model_path))
    assert not isinstance(refusal.value, TrackerUnavailable)


def test_the_workers_entry_takes_and_gives_json(
    mlflow_server: MlflowServer, recorded: Recorded
) -> None:
    record, first = recorded("anna", 1)
    reports: list[float] = []
    answer = record_request(
        {
            "record": record.model_dump(mode="json"),
            "url": mlflow_server.url,
            "service_key": SERVICE_KEY,
            "timeout": 20.0,
        },
        lambda fraction, _message: reports.append(fraction),
    )
    assert RecordedRun.model_validate(answer) == first
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
