"""Each route against each kind of caller; a route without a row here fails the suite."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from backend.api import PUBLIC_ROUTES
from backend.core.access import Role
from tests.conftest import SignIn, upload_csv
from tests.registry.registering import make_model

V1 = "/api/v1"
# Described, not governed: no user data behind them.
DOCUMENTATION = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
# Everybody signed in may call these; they answer about the caller alone.
OWN = {
    ("POST", "/auth/logout"),
    ("POST", "/auth/ticket"),
    ("GET", "/users/me"),
    ("PATCH", "/users/me"),
    ("POST", "/users/me/password"),
    ("GET", "/users/me/sessions"),
    ("GET", "/projects"),
    ("GET", "/datasets"),
    ("GET", "/fits"),
    ("GET", "/models"),
    ("GET", "/retrainings"),
    ("GET", "/estimators"),
    ("GET", "/estimators/{name}"),
}
WRITES_OWN = {("POST", "/datasets"), ("POST", "/fits"), ("POST", "/models")}
ADMIN_ONLY = {
    ("GET", "/users"),
    ("POST", "/users"),
    ("GET", "/users/{user_id}"),
    ("GET", "/operations/jobs"),
    ("POST", "/operations/jobs/{job_id}/retry"),
    ("POST", "/operations/jobs/{job_id}/cancel"),
    ("GET", "/operations/health"),
    ("GET", "/operations/storage"),
}
# Beside the version prefix; tests/operations/test_metrics.py says who may read it.
METRICS = {("GET", "/metrics")}
INTERNAL = {
    ("POST", "/internal/tickets/redeem"),
    ("POST", "/internal/introspect"),
    ("POST", "/internal/logout"),
}
# Routes about one object: a stranger gets the 404 of an id that does not exist.
OBJECTS = {
    ("DELETE", "/users/me/sessions/{session_id}"),
    ("GET", "/projects/{project_id}"),
    ("GET", "/datasets/{dataset_id}"),
    ("PATCH", "/datasets/{dataset_id}"),
    ("DELETE", "/datasets/{dataset_id}"),
    ("POST", "/datasets/{dataset_id}/versions"),
    ("GET", "/datasets/{dataset_id}/versions"),
    ("GET", "/datasets/{dataset_id}/versions/{version}"),
    ("GET", "/datasets/{dataset_id}/versions/{version}/profile"),
    ("GET", "/datasets/{dataset_id}/versions/{version}/preview"),
    ("GET", "/datasets/{dataset_id}/versions/{version}/download"),
    ("POST", "/datasets/{dataset_id}/versions/{version}/recipe"),
    ("GET", "/datasets/{dataset_id}/versions/{version}/images"),
    ("GET", "/datasets/{dataset_id}/versions/{version}/images/{row}.png"),
    ("GET", "/fits/{fit_id}"),
    ("PATCH", "/fits/{fit_id}"),
    ("DELETE", "/fits/{fit_id}"),
    ("POST", "/fits/{fit_id}/cancel"),
    ("POST", "/fits/{fit_id}/rerun"),
    ("GET", "/fits/{fit_id}/residuals"),
    ("GET", "/fits/{fit_id}/coefficients"),
    ("GET", "/fits/{fit_id}/schema"),
    ("POST", "/fits/{fit_id}/predict"),
    ("GET", "/fits/{fit_id}/predict"),
    ("POST", "/fits/{fit_id}/predict/file"),
    ("GET", "/fits/{fit_id}/plots"),
    ("GET", "/fits/{fit_id}/plots/{kind}"),
    ("GET", "/fits/{fit_id}/plots/{kind}.png"),
    ("GET", "/models/{model_id}"),
    ("PATCH", "/models/{model_id}"),
    ("DELETE", "/models/{model_id}"),
    ("POST", "/models/{model_id}/versions"),
    ("GET", "/models/{model_id}/versions"),
    ("GET", "/models/{model_id}/versions/{version}"),
    ("GET", "/models/{model_id}/aliases/history"),
    ("PUT", "/models/{model_id}/aliases/{alias}"),
    ("DELETE", "/models/{model_id}/aliases/{alias}"),
    ("POST", "/models/{model_id}/rollback"),
    ("GET", "/models/{model_id}/schema"),
    ("POST", "/models/{model_id}/predict"),
    ("GET", "/models/{model_id}/predict"),
    ("POST", "/models/{model_id}/predict/file"),
    ("GET", "/models/{model_id}/retraining"),
    ("GET", "/retrainings/{retraining_id}"),
}
# Whoever sees the model may read about them; only administrators may do them.
ADMIN_ON_OBJECTS = {
    ("POST", "/models/{model_id}/retrain"),
    ("PUT", "/models/{model_id}/retraining"),
    ("DELETE", "/models/{model_id}/retraining"),
    ("POST", "/retrainings/{retraining_id}/cancel"),
    ("POST", "/retrainings/{retraining_id}/approve"),
    ("POST", "/retrainings/{retraining_id}/reject"),
}
BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("POST", "/datasets/{dataset_id}/versions/{version}/recipe"): {
        "steps": [{"kind": "drop_nulls"}]
    },
    ("PATCH", "/datasets/{dataset_id}"): {"name": "x"},
    ("PATCH", "/fits/{fit_id}"): {"name": "x"},
    ("POST", "/fits/{fit_id}/predict"): {"rows": [{"x": 1}]},
    ("PATCH", "/models/{model_id}"): {"name": "x"},
    ("POST", "/models/{model_id}/versions"): {"fit_id": 1},
    ("PUT", "/models/{model_id}/aliases/{alias}"): {"version": 1, "reason": "x"},
    ("POST", "/models/{model_id}/rollback"): {"reason": "x"},
    ("POST", "/models/{model_id}/predict"): {"rows": [{"x": 1}]},
    ("PUT", "/models/{model_id}/retraining"): {"dataset_id": 1},
    ("POST", "/retrainings/{retraining_id}/approve"): {"reason": "x"},
    ("POST", "/retrainings/{retraining_id}/reject"): {"reason": "x"},
}
QUERIES = {("DELETE", "/models/{model_id}/aliases/{alias}"): {"reason": "x"}}
ABSENT = 999_999_999


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if route.path in DOCUMENTATION:
            continue
        assert route.methods, f"{route.path} is neither a route nor documentation"
        for method in sorted(route.methods):
            yield method, str(route.path)


def _concrete(path: str, ids: dict[str, int]) -> str:
    values = {
        "version": 1,
        "row": 0,
        "kind": "residuals",
        "name": "ridge",
        "alias": "champion",
        **ids,
    }
    return V1 + path.format(
        **{**dict.fromkeys(("user_id", "session_id", "job_id"), ABSENT), **values}
    )


async def _call(
    client: httpx.AsyncClient, route: tuple[str, str], ids: dict[str, int]
) -> httpx.Response:
    return await client.request(
        route[0], _concrete(route[1], ids), json=BODIES.get(route), params=QUERIES.get(route)
    )


_ALL = OWN | WRITES_OWN | ADMIN_ONLY | INTERNAL | OBJECTS | ADMIN_ON_OBJECTS


def test_every_route_has_a_row(app: FastAPI) -> None:
    expected = {(m, V1 + p) for m, p in _ALL}
    assert set(_routes(app)) == expected | PUBLIC_ROUTES | METRICS


async def test_anonymous_gets_401_everywhere_but_at_the_door(
    app: FastAPI, anonymous: httpx.AsyncClient
) -> None:
    ids = dict.fromkeys(("dataset_id", "fit_id", "project_id", "model_id", "retraining_id"), 1)
    for method, path in _routes(app):
        if (method, path) in PUBLIC_ROUTES | METRICS:
            continue
        answer = await _call(anonymous, (method, path.removeprefix(V1)), ids)
        assert answer.status_code == 401, (method, path, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_stranger_gets_the_404_of_an_absent_id(app: FastAPI, sign_in: SignIn) -> None:
    owner, stranger = await sign_in("ada"), await sign_in("bob")
    ids = await _things_of(owner, app, await sign_in("root", Role.ADMIN))
    for route in sorted(OBJECTS):
        foreign = await _call(stranger, route, ids)
        absent = await _call(stranger, route, dict.fromkeys(ids, ABSENT))
        assert foreign.status_code == absent.status_code == 404, (route, foreign.text)
        assert _comparable(foreign) == _comparable(absent), route


async def test_owner_reads_retraining_and_does_not_govern_it(app: FastAPI, sign_in: SignIn) -> None:
    owner, stranger = await sign_in("ada"), await sign_in("bob")
    ids = await _things_of(owner, app, await sign_in("root", Role.ADMIN))
    for route in sorted(ADMIN_ON_OBJECTS):
        refusals = [await _call(person, route, ids) for person in (owner, stranger)]
        assert [answer.status_code for answer in refusals] == [403, 403], route
    for path in ("/models/{model_id}", "/retrainings/{retraining_id}"):
        assert (await _call(owner, ("GET", path), ids)).status_code == 200


def _comparable(answer: httpx.Response) -> tuple[dict[str, object], dict[str, str]]:
    body = {**answer.json(), "request_id": ""}
    return body, {k: v for k, v in answer.headers.items() if k != "x-request-id"}


async def _things_of(
    owner: httpx.AsyncClient, app: FastAPI, admin: httpx.AsyncClient
) -> dict[str, int]:
    model = await make_model(owner, app)
    retraining = await admin.post(f"{V1}/models/{model['id']}/retrain")
    assert retraining.status_code == 202, retraining.text
    fit = (await owner.get(f"{V1}/fits/{model['fit_id']}")).json()
    sessions = (await owner.get(f"{V1}/users/me/sessions")).json()["items"]
    return {
        "dataset_id": fit["dataset_id"],
        "fit_id": fit["id"],
        "project_id": fit["project_id"],
        "session_id": sessions[0]["id"],
        "model_id": model["id"],
        "retraining_id": retraining.json()["id"],
    }


@pytest.mark.parametrize("route", sorted(ADMIN_ONLY), ids=" ".join)
async def test_member_is_told_what_is_for_administrators(
    sign_in: SignIn, route: tuple[str, str]
) -> None:
    member = await sign_in("ada")
    assert (await _call(member, route, {})).status_code == 403


@pytest.mark.parametrize("route", sorted(INTERNAL), ids=" ".join)
async def test_no_person_reaches_internal_routes(sign_in: SignIn, route: tuple[str, str]) -> None:
    admin = await sign_in("root", Role.ADMIN)
    assert (await _call(admin, route, {})).status_code == 401


async def test_viewer_role_reads_and_does_not_write(sign_in: SignIn) -> None:
    viewer = await sign_in("victor", Role.VIEWER)
    for route in sorted(OWN - {("POST", "/auth/logout"), ("PATCH", "/users/me")}):
        if route[0] == "GET":
            assert (await _call(viewer, route, {})).status_code == 200, route
    assert (await upload_csv(viewer)).status_code == 403
    request = {"dataset_id": 1, "target": "y", "estimator": "ridge"}
    assert (await viewer.post("/api/v1/fits", json=request)).status_code == 403


async def test_lists_hold_only_what_is_ones_own(app: FastAPI, sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    await _things_of(ada, app, await sign_in("root", Role.ADMIN))
    for name, count in (("datasets", 1), ("fits", 2), ("models", 1), ("retrainings", 1)):
        assert len((await ada.get(f"{V1}/{name}")).json()["items"]) == count
        assert (await bob.get(f"{V1}/{name}")).json()["items"] == []
    names = [item["name"] for item in (await bob.get("/api/v1/projects")).json()["items"]]
    assert names == ["bob's project"]


async def test_admin_sees_what_members_own(app: FastAPI, sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    ids = await _things_of(ada, app, admin)
    assert (await admin.get(f"/api/v1/datasets/{ids['dataset_id']}")).status_code == 200
    assert (await admin.get("/api/v1/datasets?mine=true")).json()["items"] == []
