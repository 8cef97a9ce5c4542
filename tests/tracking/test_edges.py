"""What every answer of MLflow's server carries, and which host names it answers to."""

import httpx
import pytest

from tests.tracking.conftest import MlflowServer

PATHS = ["/health", "/version", "/", "/goodfit/session?ticket=gt_12345678", "/api/2.0/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_foreign_host_is_refused_on_every_route(mlflow_server: MlflowServer, path: str) -> None:
    with mlflow_server.client() as client:
        answer = client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "GOODFIT_ALLOWED_HOSTS" in answer.text
    _carries_the_headers(answer)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_headers(mlflow_server: MlflowServer, path: str) -> None:
    with mlflow_server.client() as client:
        _carries_the_headers(client.get(path))


def _carries_the_headers(answer: httpx.Response) -> None:
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["permissions-policy"]
    assert "server" not in answer.headers
