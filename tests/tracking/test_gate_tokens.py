"""Personal tokens at MLflow's real server: what their scope and project allow there."""

import base64
from collections.abc import Callable

import pytest

from backend.tracking.gate.callers import Caller, CallerDirectory, Presented
from backend.tracking.port import FitRecord, RecordedRun
from tests.tracking.conftest import MlflowServer
from tests.tracking.stand_ins import SERVICE_KEY, Api, running

Recorded = Callable[[str, int], tuple[FitRecord, RecordedRun]]
API = "/api/2.0/mlflow"


def as_password(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anna:{token}".encode()).decode()}


@pytest.mark.parametrize("way", ["bearer", "password"])
def test_a_reading_token_reads_and_changes_nothing(
    mlflow_server: MlflowServer, recorded: Recorded, way: str
) -> None:
    _, run = recorded("anna", 1)
    token = "gf_anna_reads"
    headers = as_password(token) if way == "password" else {}
    with mlflow_server.client(token if way == "bearer" else None, **headers) as client:
        path, query = f"{API}/runs/get", {"run_id": run.run_id}
        assert client.get(path, params=query).status_code == 200
        assert client.get("/").status_code == 200
        body = {"experiment_ids": [run.experiment_id]}
        assert client.post(f"{API}/runs/search", json=body).status_code == 200
        tag = {"run_id": run.run_id, "key": "mine", "value": "1"}
        for method, route in (
            ("POST", f"{API}/runs/set-tag"),
            ("POST", f"{API}/runs/delete"),
            ("POST", "/ajax-api/2.0/mlflow/runs/set-tag"),
            ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/x.txt"),
        ):
            answer = client.request(method, route, json=tag)
            assert answer.status_code == 403
            assert answer.json()["message"] == "This token is for read; this needs write."
        tags = client.get(path, params=query).json()["run"]["data"]["tags"]
    assert "mine" not in {tag["key"] for tag in tags}


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("gf_anna_predicts", "This token is for predict; this needs read."),
        ("gf_anna_in_one_project", "A token for one project is not accepted here."),
    ],
)
def test_a_token_that_reaches_less_is_told_why(
    mlflow_server: MlflowServer, recorded: Recorded, token: str, reason: str
) -> None:
    _, run = recorded("anna", 1)
    with mlflow_server.client(token) as client:
        for answer in (
            client.get("/"),
            client.get(f"{API}/runs/get", params={"run_id": run.run_id}),
            client.post(f"{API}/experiments/search", json={"max_results": 10}),
            client.post("/graphql", json={"query": "{ __typename }"}),
        ):
            assert answer.status_code == 403
            assert answer.json()["message"].startswith(reason)
        assert client.get("/health").status_code == 200


async def test_an_answer_without_a_scope_lets_nobody_do_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = Api()
    answer = {"active": True, "username": "anna", "role": "admin"}
    monkeypatch.setattr(api, "answer", lambda *_: (200, answer))
    with running(api):
        directory = CallerDirectory(api.url, SERVICE_KEY)
        found = await directory.find(Presented("gf_old"))
        await directory.close()
    assert isinstance(found, Caller)
    assert found.scope.value == "predict"
