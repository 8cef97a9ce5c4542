"""Whose address counts: the connection's own, or what a configured proxy or the dashboard says."""

import httpx
import pytest

from tests.core.conftest import ATTEMPTS, PROXY, Edge

# Two servers start first.
pytestmark = pytest.mark.timeout(300)


def _tries(client: httpx.Client, headers: list[dict[str, str]]) -> list[int]:
    form = {"username": "nobody-here", "password": "wrong"}
    return [
        client.post("/api/v1/auth/token", data=form, headers=given).status_code for given in headers
    ]


REFUSED_IN_THE_END = [401] * ATTEMPTS + [429]


def test_client_cannot_choose_the_address_that_its_tries_count_for(edge: Edge) -> None:
    spoofs = [
        {
            "X-Forwarded-For": f"203.0.113.{number}",
            "Forwarded": f"for=203.0.113.{number}",
            "X-Real-IP": f"203.0.113.{number}",
            "X-Goodfit-Client-Address": f"203.0.113.{number}",
            "X-Goodfit-Service-Key": "guessed",
        }
        for number in range(ATTEMPTS + 1)
    ]
    with edge.client("127.0.0.11") as client:
        assert _tries(client, spoofs) == REFUSED_IN_THE_END


def test_configured_proxy_tells_the_address_and_what_came_before_it_does_not_count(
    edge: Edge,
) -> None:
    people = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(ATTEMPTS + 1)]
    one = [{"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.77"} for n in range(ATTEMPTS + 1)]
    with edge.client(PROXY) as client:
        assert _tries(client, people) == [401] * (ATTEMPTS + 1)
        assert _tries(client, one) == REFUSED_IN_THE_END


def test_dashboard_tells_the_address_of_its_browser(edge: Edge) -> None:
    proof = {"X-Goodfit-Service-Key": edge.service_key}
    people = [
        {**proof, "X-Goodfit-Client-Address": f"192.0.2.{number}"} for number in range(ATTEMPTS + 1)
    ]
    with edge.client("127.0.0.12") as client:
        assert _tries(client, people) == [401] * (ATTEMPTS + 1)


def test_audit_names_the_browser_behind_dashboard_and_proxy(edge: Edge) -> None:
    def come_back(address: str, told: str) -> str:
        with edge.client(address, edge.dashboard) as client:
            answer = client.get(
                "/goodfit/oidc/callback?state=abcdefgh&code=c",
                headers={"X-Forwarded-For": told, "Cookie": "goodfit_oidc_abcdefgh=key"},
            )
        assert answer.headers["location"] == "/?refused=oidc_expired"
        newest = "select address from audit_events where action = 'session.refused'"
        return str(edge.rows(f"{newest} order by id desc limit 1")[0][0])

    assert come_back("127.0.0.13", "203.0.113.9") == "127.0.0.13"
    assert come_back(PROXY, "203.0.113.9, 198.51.100.5") == "198.51.100.5"
