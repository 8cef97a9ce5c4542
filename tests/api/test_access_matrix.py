"""Each route against each kind of caller; a route without a row here fails the suite."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from backend.api import PUBLIC_ROUTES
from backend.core.access import Role
from tests.conftest import SignIn, upload_csv

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
    ("GET", "/estimators"),
    ("GET", "/estimators/{name}"),
}
WRITES_OWN = {("POST", "/datasets"), ("POST", "/fits")}
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
    ("GET", "/fits/{fit_id}"),
    ("PATCH", "/fits/{fit_id}"),
    ("DELETE", "/fits/{fit_id}"),
    ("POST", "/fits/{fit_id}/cancel"),
    ("POST", "/fits/{fit_id}/rerun"),
    ("GET", "/fits/{fit_id}/residuals"),
    ("POST", "/fits/{fit_id}/predict"),
    ("GET", "/fits/{fit_id}/plots"),
    ("GET", "/fits/{fit_id}/plots/{kind}"),
    ("GET", "/fits/{fit_id}/plots/{kind}.png"),
}
BODIES: dict[tuple[str, str], dict[str, object]] = {
    ("PATCH", "/datasets/{dataset_id}"): {"name": "x"},
    ("PATCH", "/fits/{fit_id}"): {"name": "x"},
    ("POST", "/fits/{fit_id}/predict"): {"rows": [{"x": 1}]},
}
ABSENT = 999_999_999


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if route.path in DOCUMENTATION:
            continue
        assert route.methods, f"{route.path} is neither a route nor documentation"
        for method in sorted(route.methods):
            yield method, str(route.path)


def _concrete(path: str, ids: dict[str, int]) -> str:
    values = {"version": 1, "kind": "residuals", "name": "ridge", **ids}
    return V1 + path.format(**{**dict.fromkeys(("user_id", "session_id", "job_id"), ABSENT), **values})


async def _call(
    client: httpx.AsyncClient, route: tuple[str, str], ids: dict[str, int]
) -> httpx.Response:
    return await client.request(route[0], _concrete(route[1], ids), json=BODIES.get(route))


def test_every_route_has_a_row(app: FastAPI) -> None:
    expected = {(m, V1 + p) for m, p in OWN | WRITES_OWN | ADMIN_ONLY | INTERNAL | OBJECTS}
    assert set(_routes(app)) == expected | PUBLIC_ROUTES | METRICS


async def test_anonymous_gets_401_everywhere_but_at_the_door(
    app: FastAPI, anonymous: httpx.AsyncClient
) -> None:
    ids = dict.fromkeys(("dataset_id", "fit_id", "project_id"), 1)
    for method, path in _routes(app):
        if (method, path) in PUBLIC_ROUTES | METRICS:
            continue
        answer = await _call(anonymous, (method, path.removeprefix(V1)), ids)
        assert answer.status_code == 401, (method, path, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", sorted(OBJECTS), ids=" ".join)
async def test_stranger_gets_the_404_of_an_absent_id(
    sign_in: SignIn, route: tuple[str, str]
) -> None:
    owner, stranger = await sign_in("ada"), await sign_in("bob")
    ids = await _things_of(owner)
    foreign = await _call(stranger, route, ids)
    absent = await _call(stranger, route, dict.fromkeys(ids, ABSENT))
    assert foreign.status_code == absent.status_code == 404, (foreign.text, absent.text)
    assert _comparable(foreign) == _comparable(absent)


def _comparable(answer: httpx.Response) -> tuple[dict[str, object], dict[str, str]]:
    body = {**answer.json(), "request_id": ""}
    return body, {k: v for k, v in answer.headers.items() if k != "x-request-id"}


async def _things_of(owner: httpx.AsyncClient) -> dict[str, int]:
    dataset = (await upload_csv(owner)).json()
    fit = await owner.post(
        "/api/v1/fits",
        json={
            "dataset_id": dataset["id"],
            "target": "body_mass_g",
            "estimator": "ordinary_least_squares",
        },
    )
    assert fit.status_code == 202, fit.text
    sessions = (await owner.get("/api/v1/users/me/sessions")).json()["items"]
    return {
        "dataset_id": dataset["id"],
        "fit_id": fit.json()["id"],
        "project_id": dataset["project_id"],
        "session_id": sessions[0]["id"],
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


async def test_lists_hold_only_what_is_ones_own(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    await _things_of(ada)
    for path in ("/api/v1/datasets", "/api/v1/fits"):
        assert len((await ada.get(path)).json()["items"]) == 1
        assert (await bob.get(path)).json()["items"] == []
    names = [item["name"] for item in (await bob.get("/api/v1/projects")).json()["items"]]
    assert names == ["bob's project"]


async def test_admin_sees_what_members_own(sign_in: SignIn) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    ids = await _things_of(ada)
    assert (await admin.get(f"/api/v1/datasets/{ids['dataset_id']}")).status_code == 200
    assert (await admin.get("/api/v1/fits?mine=true")).json()["items"] == []
