"""Each route against each kind of caller; a route without a row in `routes.py` fails the suite."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from backend.api import PUBLIC_ROUTES
from tests.api.routes import ALL, AREAS
from tests.api.rules import CALLERS, GONE, OK, Rule
from tests.api.world import Sessions, World, undone
from tests.registry.registering import V1

# Described, not governed: no user data behind them.
DOCUMENTATION = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
# Beside the version prefix: no data in them; tests/operations says who may read the metrics.
OUTSIDE = {("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
REFUSALS = (401, 403, 404)


def _served(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if route.path in DOCUMENTATION:
            continue
        assert route.methods, f"{route.path} is neither a route nor documentation"
        for method in sorted(route.methods):
            yield method, str(route.path)


def test_every_route_has_a_row_and_every_row_a_route(app: FastAPI) -> None:
    rows = [(route.method, V1 + route.path) for route in ALL]
    assert len(set(rows)) == len(rows)
    assert set(rows) == set(_served(app)) - OUTSIDE


def test_what_needs_no_sign_in_is_what_the_application_says() -> None:
    public = {(row.method, V1 + row.path) for row in ALL if row.rule is Rule.PUBLIC}
    assert public | OUTSIDE - {("GET", "/metrics")} == PUBLIC_ROUTES


def _answered(answer: httpx.Response, expected: int) -> bool:
    if expected == OK:
        return answer.status_code not in REFUSALS and answer.status_code < 500
    return answer.status_code == expected


@pytest.mark.parametrize("area", AREAS)
async def test_every_caller_gets_what_the_rule_says(
    world: World, sessions: Sessions, area: str
) -> None:
    wrong = []
    for route in AREAS[area]:
        if route.rule is Rule.PUBLIC:
            continue
        for caller in CALLERS:
            async with undone(sessions):
                answer = await world.send(caller, route)
            expected = route.rule.answers[caller]
            if not _answered(answer, expected):
                got = f"{answer.status_code} {answer.text[:200]}"
                wrong.append(f"{route.name} as {caller}: {expected or 'allowed'}, got {got}")
    assert wrong == []


async def test_nobody_gets_in_without_a_sign_in_that_holds(
    world: World, sessions: Sessions
) -> None:
    for route in ALL:
        for caller in ("anonymous", *GONE):
            async with undone(sessions):
                answer = await world.send(caller, route)
            if route.rule is Rule.PUBLIC:
                assert answer.json().get("code") != "unauthenticated", route.name
                continue
            assert answer.status_code == 401, (route.name, caller, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["code"] == "unauthenticated"
