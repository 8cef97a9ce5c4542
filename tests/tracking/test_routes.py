"""The allow list, without a server."""

import pytest

from backend.core.local_paths import local_path
from backend.tracking.gate.routes import Access, access_to, is_artifact, is_json_write


@pytest.mark.parametrize(
    ("method", "path", "access"),
    [
        ("GET", "/health", Access.EVERYBODY),
        ("GET", "/version", Access.EVERYBODY),
        ("GET", "/", Access.PEOPLE),
        ("GET", "/static-files/static/js/main.js", Access.PEOPLE),
        ("POST", "/graphql", Access.PEOPLE),
        ("GET", "/ajax-api/2.0/mlflow/runs/get", Access.PEOPLE),
        ("POST", "/api/2.0/mlflow/runs/log-batch", Access.PEOPLE),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/plots/a.png", Access.PEOPLE),
        ("POST", "/api/2.0/mlflow/experiments/create", Access.PLATFORM),
        ("POST", "/ajax-api/2.0/mlflow/registered-models/alias", Access.PLATFORM),
        ("GET", "/api/2.0/mlflow/registered-models/get", Access.PEOPLE),
        ("GET", "/ajax-api/2.0/mlflow/registered-models/search", Access.PEOPLE),
        ("GET", "/api/2.0/mlflow/registered-models/alias", Access.PEOPLE),
        ("GET", "/api/2.0/mlflow/model-versions/get", Access.PEOPLE),
        ("GET", "/api/2.0/mlflow/model-versions/search", Access.PEOPLE),
        ("GET", "/api/2.0/mlflow/model-versions/get-download-uri", Access.PEOPLE),
        ("GET", "/model-versions/get-artifact", Access.PEOPLE),
        ("POST", "/api/2.0/mlflow/registered-models/create", Access.PLATFORM),
        ("POST", "/api/2.0/mlflow/registered-models/rename", Access.PLATFORM),
        ("PATCH", "/api/2.0/mlflow/registered-models/update", Access.PLATFORM),
        ("DELETE", "/api/2.0/mlflow/registered-models/delete", Access.PLATFORM),
        ("POST", "/api/2.0/mlflow/registered-models/set-tag", Access.PLATFORM),
        ("DELETE", "/api/2.0/mlflow/registered-models/alias", Access.PLATFORM),
        ("POST", "/api/2.0/mlflow/model-versions/create", Access.PLATFORM),
        ("DELETE", "/api/2.0/mlflow/model-versions/delete", Access.PLATFORM),
        ("POST", "/api/2.0/mlflow/model-versions/set-tag", Access.PLATFORM),
        ("POST", "/api/2.0/mlflow/model-versions/transition-stage", Access.NOBODY),
        ("POST", "/api/2.0/mlflow/model-versions/search", Access.NOBODY),
        ("GET", "/ajax-api/2.0/mlflow/users/list", Access.PLATFORM),
        ("POST", "/api/2.0/mlflow/users/create", Access.PLATFORM),
        ("POST", "/api/3.0/mlflow/users/permissions/grant", Access.PLATFORM),
        ("PATCH", "/api/2.0/mlflow/users/update-password", Access.NOBODY),
        ("GET", "/signup", Access.NOBODY),
        ("POST", "/api/2.0/mlflow/users/create-ui", Access.NOBODY),
        ("POST", "/api/2.0/mlflow/webhooks", Access.NOBODY),
        ("POST", "/ajax-api/3.0/mlflow/assistant/chat", Access.NOBODY),
        ("POST", "/ajax-api/3.0/mlflow/demo/generate", Access.NOBODY),
        ("GET", "/ajax-api/3.0/jobs/1", Access.NOBODY),
        ("POST", "/ajax-api/2.0/mlflow/gateway-proxy", Access.NOBODY),
        ("POST", "/gateway/chat/mlflow/invocations", Access.NOBODY),
        ("POST", "/api/3.0/mlflow/traces", Access.NOBODY),
        ("POST", "/v1/traces", Access.NOBODY),
        ("PATCH", "/api/3.0/mlflow/traces/1/tags", Access.NOBODY),
        ("POST", "/api/3.0/mlflow/roles/create", Access.NOBODY),
        ("HEAD", "/api/2.0/mlflow/runs/get", Access.NOBODY),
        ("OPTIONS", "/api/2.0/mlflow/runs/search", Access.NOBODY),
        ("GET", "/api/2.0/mlflow/runs/get/", Access.NOBODY),
        ("GET", "/api/2.0/mlflow/runs/getx", Access.NOBODY),
        ("GET", "//api/2.0/mlflow/runs/get", Access.NOBODY),
        ("GET", "/x/api/2.0/mlflow/runs/get", Access.NOBODY),
        ("GET", "/api/2x0/mlflow/runs/get", Access.NOBODY),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/../2/secret", Access.NOBODY),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/%2e%2e/2/secret", Access.NOBODY),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/1\\..\\2", Access.NOBODY),
        ("GET", "/static-files/../../etc/passwd", Access.NOBODY),
        ("GET", "/health\n", Access.NOBODY),
    ],
)
def test_only_listed_routes_are_open(method: str, path: str, access: Access) -> None:
    assert access_to(method, path) is access


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/", "/"),
        ("/#/experiments/1/runs/ab?x=1", "/#/experiments/1/runs/ab?x=1"),
        ("/get-artifact?path=a%20b", "/get-artifact?path=a%20b"),
        ("https://evil.test/", "/"),
        ("//evil.test/", "/"),
        ("/\\evil.test/", "/"),
        ("\\\\evil.test", "/"),
        ("/\t/evil.test", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.test", "/"),
        ("", "/"),
        ("/goodfit/session?ticket=gt_x", "/"),
    ],
)
def test_redirects_stay_on_this_host(wanted: str, path: str) -> None:
    assert local_path(wanted, apart_from="/goodfit/") == path


def test_bodies_and_files_are_known() -> None:
    assert is_json_write("POST", "/ajax-api/2.0/mlflow/runs/set-tag")
    assert not is_json_write("POST", "/api/2.0/mlflow/runs/search")
    assert not is_json_write("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/a")
    assert is_artifact("/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files")
    assert not is_artifact("/api/2.0/mlflow/artifacts/list")
