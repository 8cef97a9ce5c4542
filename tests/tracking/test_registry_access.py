"""People at MLflow's real registry: who sees a model, who loads it, and that nobody changes it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import joblib
import pandas as pd
import pytest
from playwright.sync_api import Page, Response, expect

from backend.tracking.port import FitRecord, ModelRecord, RecordedRun
from backend.tracking.registry import MlflowRegistry
from tests.tracking.conftest import CLIENT_VARIABLES, MlflowServer
from tests.tracking.stand_ins import SERVICE_KEY
from tests.tracking.test_pages import CLOSED, in_browser

Recorded = Callable[[str, int], tuple[FitRecord, RecordedRun]]
API = "/api/2.0/mlflow"
# A person's notebook, as the documentation shows it, with whole numbers as people write them.
NOTEBOOK = """
import json, sys
import mlflow.pyfunc, pandas as pd

new = pd.DataFrame({"size": [10, 20], "kind": ["x", "y"]})
model = mlflow.pyfunc.load_model(sys.argv[1])
json.dump(list(model.predict(new)), sys.stdout)
"""


@pytest.fixture(scope="session")
def models(mlflow_server: MlflowServer, recorded: Recorded) -> dict[str, str]:
    """Names of models: two of anna's and one of ben's, in the order of their names."""
    names = {"first": "anna-personal.access-1", "ben": "ben-personal.access", "second": "x.access"}
    with pytest.MonkeyPatch.context() as patch:
        for variable in CLIENT_VARIABLES:
            patch.setenv(variable, "")
            patch.delenv(variable)
        registry = MlflowRegistry(mlflow_server.url, SERVICE_KEY, 20)
        for number, (key, name) in enumerate(names.items()):
            reader = "ben" if key == "ben" else "anna"
            fit, where = recorded(reader, 2 if key == "ben" else 1)
            version = {
                "version": 1,
                "fit_id": fit.fit_id,
                "run_id": where.run_id,
                "username": reader,
                "estimator": "ridge",
                "dataset_name": fit.dataset_name,
                "dataset_version": fit.dataset_version,
                "dataset_digest": fit.dataset_digest,
            }
            fields = {
                "model_id": 5_000 + number,
                "name": name,
                "title": "Access",
                "description": "",
                "project": fit.experiment,
                "readers": [reader],
                "versions": [version],
                "aliases": {"champion": 1},
            }
            registry.mirror(ModelRecord.model_validate(fields))
    return names


def load(server: MlflowServer, token: str | None, uri: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in CLIENT_VARIABLES
    }
    environment |= {"MLFLOW_TRACKING_URI": server.url, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    if token is not None:
        environment["MLFLOW_TRACKING_TOKEN"] = token
    return subprocess.run(  # noqa: S603  # our own text
        [sys.executable, "-W", "ignore", "-c", NOTEBOOK, uri],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_reader_loads_the_champion_and_it_predicts_like_the_pipeline(
    mlflow_server: MlflowServer, models: dict[str, str], recorded: Recorded
) -> None:
    done = load(mlflow_server, "gf_anna", f"models:/{models['first']}@champion")
    assert done.returncode == 0, done.stderr
    pipeline = joblib.load(recorded("anna", 1)[0].model_path)
    new = pd.DataFrame({"size": [10.0, 20.0], "kind": ["x", "y"]})
    assert json.loads(done.stdout) == pytest.approx(list(pipeline.predict(new)))


@pytest.mark.parametrize(("token", "reason"), [("gf_ben", "Permission denied"), (None, "Sign in")])
def test_a_stranger_loads_nothing(
    mlflow_server: MlflowServer, models: dict[str, str], token: str | None, reason: str
) -> None:
    done = load(mlflow_server, token, f"models:/{models['first']}@champion")
    assert done.returncode != 0
    assert reason in done.stderr


READING: tuple[tuple[str, dict[str, str]], ...] = (
    ("registered-models/get", {}),
    ("registered-models/alias", {"alias": "champion"}),
    ("registered-models/get-latest-versions", {}),
    ("model-versions/get", {"version": "1"}),
    ("model-versions/get-download-uri", {"version": "1"}),
)


@pytest.mark.parametrize(("path", "query"), READING, ids=[path for path, _ in READING])
def test_a_stranger_cannot_tell_a_hidden_model_from_none(
    mlflow_server: MlflowServer, models: dict[str, str], path: str, query: dict[str, str]
) -> None:
    def ask(token: str, name: str) -> httpx.Response:
        with mlflow_server.client(token) as client:
            return client.get(f"{API}/{path}", params={"name": name, **query})

    assert ask("gf_anna", models["first"]).status_code == 200
    hidden, absent = ask("gf_ben", models["first"]), ask("gf_ben", "no.such")
    assert hidden.status_code == absent.status_code == 403
    assert hidden.text == absent.text


def test_files_of_a_version_are_its_readers_only(
    mlflow_server: MlflowServer, models: dict[str, str]
) -> None:
    query = {"name": models["first"], "version": "1", "path": "MLmodel"}
    statuses = {}
    for token in ("gf_anna", "gf_ben", "gf_admin"):
        with mlflow_server.client(token) as client:
            statuses[token] = client.get("/model-versions/get-artifact", params=query).status_code
    assert statuses == {"gf_anna": 200, "gf_ben": 403, "gf_admin": 200}


@pytest.mark.parametrize("token", ["gf_anna", "gf_admin"])
def test_nobody_but_the_platform_changes_the_registry(
    mlflow_server: MlflowServer, models: dict[str, str], token: str
) -> None:
    name, version = {"name": models["first"]}, {"name": models["first"], "version": "1"}
    tag, alias = {"key": "a", "value": "b"}, {"alias": "champion"}
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "registered-models/create", {"name": "mine"}),
        ("POST", "registered-models/rename", {**name, "new_name": "mine"}),
        ("PATCH", "registered-models/update", {**name, "description": "mine"}),
        ("DELETE", "registered-models/delete", name),
        ("POST", "registered-models/set-tag", {**name, **tag}),
        ("DELETE", "registered-models/delete-tag", {**name, "key": "goodfit.model_id"}),
        ("POST", "registered-models/alias", {**version, **alias}),
        ("DELETE", "registered-models/alias", {**name, **alias}),
        ("POST", "model-versions/create", {**name, "source": "models:/m-1"}),
        ("PATCH", "model-versions/update", {**version, "description": "mine"}),
        ("DELETE", "model-versions/delete", version),
        ("POST", "model-versions/set-tag", {**version, **tag}),
        ("DELETE", "model-versions/delete-tag", {**version, "key": "goodfit.version"}),
    ]
    with mlflow_server.client(token) as client:
        for method, path, content in changes:
            for prefix in (API, "/ajax-api/2.0/mlflow"):
                answer = client.request(method, f"{prefix}/{path}", json=content)
                assert answer.status_code == 403, (path, answer.text)
        shown = client.get(f"{API}/registered-models/get", params=name).json()["registered_model"]
    assert shown["aliases"] == [{"alias": "champion", "version": "1"}]


def search(server: MlflowServer, token: str, path: str, **query: Any) -> dict[str, Any]:
    with server.client(token) as client:
        answer = client.get(f"{API}/{path}/search", params=query)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


@pytest.mark.parametrize(
    ("path", "rows"),
    [("registered-models", "registered_models"), ("model-versions", "model_versions")],
)
def test_a_search_neither_shows_nor_counts_what_is_foreign(
    mlflow_server: MlflowServer, models: dict[str, str], path: str, rows: str
) -> None:
    query = {"filter": "name LIKE '%access%'", "order_by": "name ASC"}
    if path == "model-versions":
        query["filter"] = ""
    for token, own in (
        ("gf_anna", {models["first"], models["second"]}),
        ("gf_ben", {models["ben"]}),
    ):
        seen: list[str] = []
        page = search(mlflow_server, token, path, max_results=1, **query)
        while True:
            seen += [row["name"] for row in page[rows]]
            if "next_page_token" not in page:
                break
            next_page = {"max_results": 1, "page_token": page["next_page_token"]}
            page = search(mlflow_server, token, path, **query, **next_page)
        assert own <= set(seen)
        assert (models["ben"] in seen) is (token == "gf_ben")
        assert len(search(mlflow_server, token, path, **query)[rows]) == len(seen)
    everything = search(mlflow_server, "gf_admin", path, **query)
    assert set(models.values()) <= {row["name"] for row in everything[rows]}
    assert search(mlflow_server, "gf_viewer", path, max_results=1, **query) == {rows: []}


@pytest.mark.parametrize(
    "query",
    [
        {"max_results": "0"},
        {"max_results": "1e3"},
        {"max_results": "1000000"},
        {"page_token": "x"},
        {"page_token": "e30="},
        {"filter": "name ~ 1"},
    ],
)
def test_a_wrong_search_is_refused(
    mlflow_server: MlflowServer, models: dict[str, str], query: dict[str, str]
) -> None:
    assert models
    with mlflow_server.client("gf_ben") as client:
        answer = client.get(f"{API}/registered-models/search", params=query)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_graphql_does_not_search_the_registry(
    mlflow_server: MlflowServer, models: dict[str, str]
) -> None:
    query = {
        "query": "query Find($data: MlflowSearchModelVersionsInput!) "
        "{ found: mlflowSearchModelVersions(input: $data) { nextPageToken } }",
        "variables": {"data": {"filter": f"name = '{models['first']}'", "maxResults": 1}},
    }
    for token in ("gf_anna", "gf_ben"):
        with mlflow_server.client(token) as client:
            assert client.post("/graphql", json=query).status_code == 403


@pytest.mark.browser
def test_a_reader_looks_at_a_model_and_its_version(
    mlflow_server: MlflowServer, models: dict[str, str]
) -> None:
    mlflow_server.api.tickets.add("gt_for_the_models_page")
    address = f"/#/models/{quote(models['first'], safe='')}"
    session = f"{mlflow_server.url}/goodfit/session?ticket=gt_for_the_models_page"
    refused: list[tuple[int, str, str]] = []

    def watch(response: Response) -> None:
        if response.status >= 400 and not CLOSED.search(response.url):
            refused.append((response.status, response.request.method, response.url))

    def visit(page: Page) -> None:
        page.on("response", watch)
        page.goto(f"{session}&next={quote(address, safe='')}")
        expect(page.get_by_text(models["first"]).first).to_be_visible(timeout=20_000)
        expect(page.get_by_text("goodfit.project").first).to_be_visible()
        expect(page.get_by_text("champion").first).to_be_visible()
        page.goto(f"{mlflow_server.url}{address}/versions/1")
        expect(page.get_by_text("goodfit.dataset_digest").first).to_be_visible()
        page.goto(f"{mlflow_server.url}/#/models")
        page.reload()
        expect(page.get_by_role("link", name=models["first"])).to_be_visible()
        expect(page.get_by_role("link", name=models["ben"])).not_to_be_visible()

    in_browser(visit)
    assert refused == []
