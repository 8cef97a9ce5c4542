"""People at MLflow's real server: who comes in, and who sees and changes what."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.tracking.port import FitRecord, RecordedRun
from tests.tracking.conftest import DASHBOARD, MlflowServer
from tests.tracking.stand_ins import IDENTITIES, SESSION, TICKET

Recorded = Callable[[str, int], tuple[FitRecord, RecordedRun]]
API = "/api/2.0/mlflow"


def experiment_names(client: httpx.Client) -> set[str]:
    answer = client.post(f"{API}/experiments/search", json={"max_results": 100})
    assert answer.status_code == 200, answer.text
    return {experiment["name"] for experiment in answer.json().get("experiments", [])}


def model_of(server: MlflowServer, run_id: str) -> dict[str, Any]:
    with server.platform() as client:
        run = client.get(f"{API}/runs/get", params={"run_id": run_id}).json()["run"]
        model_id = run["outputs"]["model_outputs"][0]["model_id"]
        model: dict[str, Any] = client.get(f"{API}/logged-models/{model_id}").json()["model"]
    return model


def test_anonymous_reaches_the_probes_only(mlflow_server: MlflowServer) -> None:
    with mlflow_server.client() as client:
        assert client.get("/health").status_code == 200
        assert client.get("/version").status_code == 200
        for path in ("/", "/static-files/index.html", f"{API}/experiments/get", "/unknown"):
            answer = client.get(path)
            assert answer.status_code == 401
            assert answer.json()["error_code"] == "UNAUTHENTICATED"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert client.post("/graphql", json={}).status_code == 401


def test_an_anonymous_browser_is_sent_to_the_dashboard(mlflow_server: MlflowServer) -> None:
    with mlflow_server.client(Accept="text/html,*/*") as client:
        answer = client.get("/get-artifact?path=a&run_uuid=b")
        assert answer.status_code == 303
        assert answer.headers["Location"] == (
            f"{DASHBOARD}/?next=mlflow&path=%2Fget-artifact%3Fpath%3Da%26run_uuid%3Db"
        )
        assert client.post("/").status_code == 401


@pytest.mark.parametrize("token", ["gf_unknown", SESSION, TICKET, "gf_impostor"])
def test_a_wrong_token_stays_outside(mlflow_server: MlflowServer, token: str) -> None:
    with mlflow_server.client(token, Accept="text/html") as client:
        assert client.get("/").status_code == 401


def test_a_ticket_becomes_a_cookie_once(mlflow_server: MlflowServer) -> None:
    mlflow_server.api.tickets.add("gt_for_this_test")
    path = "/goodfit/session?ticket=gt_for_this_test&next=%2F%23%2Fexperiments%2F1"
    with mlflow_server.client() as client:
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"] == "/#/experiments/1"
        cookie = answer.headers["Set-Cookie"].lower()
        assert cookie.startswith(f"goodfit_session={SESSION.lower()};")
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        page = client.get("/")
        assert page.status_code == 200
        assert "text/html" in page.headers["Content-Type"]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in page.headers
    with mlflow_server.client() as client:
        again = client.get(path)
        assert again.status_code == 303
        assert again.headers["Location"].startswith(f"{DASHBOARD}/?next=mlflow&path=")
        assert "Set-Cookie" not in again.headers
        assert client.post(path).status_code == 401


@pytest.mark.parametrize("wanted", ["https://evil.test/", "//evil.test", "/\\evil.test"])
def test_a_ticket_leads_nowhere_else(mlflow_server: MlflowServer, wanted: str) -> None:
    mlflow_server.api.tickets.add("gt_for_redirects")
    with mlflow_server.client() as client:
        query = {"ticket": "gt_for_redirects", "next": wanted}
        answer = client.get("/goodfit/session", params=query)
    assert answer.headers["Location"] == "/"


def test_a_reader_sees_the_own_project_only(
    mlflow_server: MlflowServer, recorded: Recorded
) -> None:
    _, anna = recorded("anna", 1)
    _, ben = recorded("ben", 2)
    with mlflow_server.client("gf_anna") as client:
        assert experiment_names(client) == {"anna-personal"}
        own = client.get(f"{API}/runs/get", params={"run_id": anna.run_id})
        assert own.json()["run"]["info"]["run_name"] == "Fit 1"
        foreign = client.get(f"{API}/runs/get", params={"run_id": ben.run_id})
        assert foreign.status_code == 403
        found = client.post(f"{API}/runs/search", json={"experiment_ids": [ben.experiment_id]})
        assert found.json().get("runs", []) == []


def test_files_are_read_by_the_projects_readers_only(
    mlflow_server: MlflowServer, recorded: Recorded
) -> None:
    _, anna = recorded("anna", 1)
    model = model_of(mlflow_server, anna.run_id)
    folder = f"{anna.experiment_id}/models/{model['info']['model_id']}/artifacts"
    by_proxy = f"/api/2.0/mlflow-artifacts/artifacts/{folder}/MLmodel"
    by_page = (
        f"/ajax-api/2.0/mlflow/logged-models/{model['info']['model_id']}/artifacts/files"
        "?artifact_file_path=MLmodel"
    )
    for path in (by_proxy, by_page):
        with mlflow_server.client("gf_anna") as client:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text
            assert "sklearn" in answer.text
            assert answer.headers["Content-Security-Policy"] == "sandbox"
        with mlflow_server.client("gf_ben") as client:
            assert client.get(path).status_code == 403


def test_graphql_keeps_runs_apart(mlflow_server: MlflowServer, recorded: Recorded) -> None:
    _, anna = recorded("anna", 1)
    query = {
        "operationName": "GetRun",
        "query": "query GetRun($data: MlflowGetRunInput!) { mlflowGetRun(input: $data) "
        "{ apiError { code } run { info { runName } } } }",
        "variables": {"data": {"runId": anna.run_id}},
    }
    answers = {}
    for token in ("gf_anna", "gf_ben"):
        with mlflow_server.client(token) as client:
            answer = client.post("/graphql", json=query)
            assert answer.status_code == 200, answer.text
            answers[token] = answer.text
    assert "Fit 1" in answers["gf_anna"]
    assert "Fit 1" not in answers["gf_ben"]


def test_a_reader_writes_nothing(mlflow_server: MlflowServer, recorded: Recorded) -> None:
    _, anna = recorded("anna", 1)
    with mlflow_server.client("gf_anna") as client:
        for path, content in (
            ("runs/create", {"experiment_id": anna.experiment_id}),
            ("runs/set-tag", {"run_id": anna.run_id, "key": "a", "value": "b"}),
            ("runs/delete", {"run_id": anna.run_id}),
            ("experiments/create", {"name": "mine", "artifact_location": "/etc"}),
            ("experiments/delete", {"experiment_id": anna.experiment_id}),
            ("registered-models/create", {"name": "mine"}),
            ("users/create", {"username": "eve", "password": "a long password"}),
        ):
            answer = client.post(f"{API}/{path}", json=content)
            assert answer.status_code == 403, (path, answer.text)
        path = f"/api/2.0/mlflow-artifacts/artifacts/{anna.experiment_id}/x/artifacts/a.txt"
        assert client.put(path, content=b"x").status_code == 403
        assert client.get(f"{API}/users/list").status_code == 403
        assert client.get("/signup").status_code == 404
        assert client.get("/api/2.0/mlflow/webhooks").status_code == 404
        assert client.post("/v1/traces", content=b"").status_code == 404


def test_an_editor_logs_runs_but_not_the_platforms_tags(
    mlflow_server: MlflowServer, recorded: Recorded
) -> None:
    _, run = recorded("cleo", 3)
    with mlflow_server.platform() as client:
        for path in ("revoke", "grant"):
            grant = {
                "username": "vera" if path == "grant" else "cleo",
                "resource_type": "experiment",
                "resource_id": run.experiment_id,
                "permission": "EDIT",
            }
            if path == "grant":
                user = {"username": "vera", "password": "a password that nobody uses"}
                client.post(f"{API}/users/create", json=user)
            answer = client.post(f"/api/3.0/mlflow/users/permissions/{path}", json=grant)
            assert answer.status_code == 200, answer.text
    with mlflow_server.client("gf_viewer") as client:
        experiment = {"experiment_id": run.experiment_id}
        made = client.post(f"{API}/runs/create", json={**experiment, "run_name": "notebook"})
        assert made.status_code == 200, made.text
        run_id = made.json()["run"]["info"]["run_id"]
        forged = {"tags": [{"key": "goodfit.fit_id", "value": "9"}]}
        for path, content in (
            ("runs/create", {**experiment, **forged}),
            ("runs/set-tag", {"run_id": run_id, "key": "goodfit.fit_id", "value": "9"}),
            ("runs/log-batch", {"run_id": run_id, **forged}),
            ("runs/delete-tag", {"run_id": run.run_id, "key": "goodfit.complete"}),
        ):
            assert client.post(f"{API}/{path}", json=content).status_code == 403, path
        escaped = b'{"run_id": "%b", "\\u006bey": "\\u0067oodfit.x", "value": "1"}'
        answer = client.post(f"{API}/runs/set-tag", content=escaped % run_id.encode())
        assert answer.status_code == 403
        assert client.post(f"{API}/runs/set-tag", content=b"{").status_code == 400
        tag = {"run_id": run_id, "key": "note", "value": "goodfit.fit_id"}
        assert client.post(f"{API}/runs/set-tag", json=tag).status_code == 200


def test_an_administrator_sees_all_but_does_not_manage_users(
    mlflow_server: MlflowServer, recorded: Recorded
) -> None:
    recorded("anna", 1)
    recorded("ben", 2)
    with mlflow_server.client("gf_admin") as client:
        assert {"anna-personal", "ben-personal"} <= experiment_names(client)
        assert client.get(f"{API}/users/list").status_code == 403
        assert client.post(f"{API}/registered-models/create", json={"name": "x"}).status_code == 403


def test_the_platform_manages_users(mlflow_server: MlflowServer) -> None:
    with mlflow_server.platform() as client:
        users = client.get(f"{API}/users/list").json()["users"]
        assert {"goodfit-service"} <= {user["username"] for user in users if user["is_admin"]}
    wrong = httpx.get(
        f"{mlflow_server.url}{API}/users/list", auth=("goodfit-service", "wrong"), timeout=10
    )
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_write_by_cookie_comes_from_our_pages(
    mlflow_server: MlflowServer, headers: dict[str, str], status: int
) -> None:
    with mlflow_server.client(Cookie=f"goodfit_session={SESSION}") as client:
        answer = client.post(f"{API}/experiments/search", json={"max_results": 1}, headers=headers)
        assert answer.status_code == status
        own = {"Origin": mlflow_server.url}
        answer = client.post(f"{API}/experiments/search", json={"max_results": 1}, headers=own)
        assert answer.status_code == 200


def test_a_foreign_host_name_is_refused(mlflow_server: MlflowServer) -> None:
    with mlflow_server.client("gf_anna", Host="evil.test") as client:
        assert client.get(f"{API}/users/current").status_code == 400


def test_without_the_api_everybody_stays_outside(mlflow_server: MlflowServer) -> None:
    mlflow_server.api.is_broken = True
    try:
        with mlflow_server.client(f"gf_unseen_{time.monotonic_ns()}") as client:
            answer = client.get("/")
            assert answer.status_code == 503
            assert answer.text.startswith("The API does not answer")
            assert client.get("/health").status_code == 200
            ticket = client.get("/goodfit/session?ticket=gt_whatever_it_is")
            assert ticket.status_code == 503
        with mlflow_server.platform() as client:
            assert client.get(f"{API}/users/current").status_code == 200
    finally:
        mlflow_server.api.is_broken = False


def test_the_ticket_and_the_cookie_stay_out_of_the_log(mlflow_server: MlflowServer) -> None:
    with mlflow_server.client() as client:
        client.get("/goodfit/session?ticket=gt_marker_in_the_log")
    log = (mlflow_server.home / "mlflow.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert any(line.get("path") == "/goodfit/session" for line in lines)
    for secret in ("gt_marker_in_the_log", SESSION, "gf_anna", *mlflow_server.passwords):
        assert secret not in log


@pytest.mark.parametrize("body", [json.dumps(json.dumps({"key": "goodfit.x"})), "[]", "null"])
def test_a_body_that_is_no_object_is_refused(mlflow_server: MlflowServer, body: str) -> None:
    with mlflow_server.client("gf_anna") as client:
        answer = client.post(f"{API}/runs/set-tag", content=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(("username", "enters"), [("ben", False), ("anna", True)])
def test_a_link_does_not_turn_somebody_into_another_user(
    mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, username: str, enters: bool
) -> None:
    present = f"gb_present_session_of_{username}"
    monkeypatch.setitem(IDENTITIES, present, (username, "member"))
    mlflow_server.api.tickets.add("gt_of_anna_for_another")
    path = "/goodfit/session?ticket=gt_of_anna_for_another&next=%2Fwanted"
    with mlflow_server.client(Cookie=f"goodfit_session={present}") as client:
        answer = client.get(path)
    assert answer.status_code == 303
    assert ("Set-Cookie" in answer.headers) is enters
    refused = f"{DASHBOARD}/?next=mlflow&path=%2Fwanted"
    assert answer.headers["Location"] == ("/wanted" if enters else refused)
