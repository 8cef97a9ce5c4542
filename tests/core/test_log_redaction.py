"""No secret stands in a log or in the database, whatever way it came."""

import json
import logging
import sys
import time

import httpx
import pytest

from backend.core.logs import JsonFormatter
from backend.core.redaction import HIDDEN, redacted
from tests.core.conftest import ADMIN, ADMIN_PASSWORD, Edge

# Two servers start first.
pytestmark = pytest.mark.timeout(300)

TOKEN = "c29tZXRoaW5nIHJhbmRvbQ_marker"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{TOKEN}"


@pytest.mark.parametrize(
    "text",
    [
        *(f"saw {prefix}_{TOKEN} there" for prefix in ("gf", "gr", "gb", "gt", "gl")),
        f"sent {JWT}",
        f"Authorization: Bearer {TOKEN}",
        f"{{'authorization': 'Basic {TOKEN}'}}",
        f"(b'authorization', b'Digest {TOKEN}')",
        f"Cookie: a=1; goodfit_session={TOKEN}",
        f"Set-Cookie: goodfit_session={TOKEN}; HttpOnly",
        f"curl -H 'bearer {TOKEN}'",
        f"password={TOKEN}&username=ada",
        f'{{"new_password": "two words {TOKEN}"}}',
        f"{{'client_secret': '{TOKEN}'}}",
        f"GOODFIT_SECRETS__TOKEN_KEY={TOKEN}",
        f"service_key: {TOKEN}",
        f"postgresql://goodfit:{TOKEN}@localhost/goodfit",
        f"GET /?invitation=gl_{TOKEN}",
    ],
)
def test_secret_is_taken_out_of_a_text(text: str) -> None:
    assert TOKEN not in redacted(text)
    assert HIDDEN in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "fit 7 of penguins took 0.2 s",
        "GET /api/v1/fits?limit=50 200",
        "file:///var/lib/goodfit/files/ab12",
        "http://127.0.0.1:8000/readyz at 12:30:01",
        "the token has expired; sign in again",
        "big_data_set_of_penguins and gf_x",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("part", ["x", "eyJ-", "a-", "\ufffd", "password", "token="])
def test_long_text_is_searched_at_once(part: str) -> None:
    started = time.perf_counter()
    redacted(part * (64_000 // len(part)))
    assert time.perf_counter() - started < 2


def _line(message: str, *args: object, **extra: object) -> dict[str, object]:
    record = logging.LogRecord("n", logging.INFO, "f", 1, message, args, None)
    record.__dict__.update(extra)
    found: dict[str, object] = json.loads(JsonFormatter().format(record))
    return found


def test_secret_is_taken_out_of_message_and_extra_of_a_line() -> None:
    line = _line(
        "link gl_%s",
        TOKEN,
        password=f"two words {TOKEN}",
        headers={"cookie": TOKEN, "host": "lab"},
        pairs=[(b"authorization", f"Bearer {TOKEN}".encode())],
        milliseconds=1.5,
        user_id=7,
    )
    assert TOKEN not in json.dumps(line)
    assert (line["milliseconds"], line["user_id"]) == (1.5, 7)
    assert line["headers"] == {"cookie": HIDDEN, "host": "lab"}


def test_secret_is_taken_out_of_a_traceback() -> None:
    try:
        raise ValueError(f"password={TOKEN} for {JWT}")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    written = JsonFormatter().format(record)
    assert "ValueError" in written
    assert TOKEN not in written


def _sign_in(edge: Edge, password: str) -> httpx.Response:
    form = {"username": ADMIN, "password": password}
    return httpx.post(f"{edge.api}/api/v1/auth/token", data=form, timeout=30)


def test_real_processes_keep_no_secret_in_logs_or_database(edge: Edge) -> None:
    secrets = {ADMIN_PASSWORD, "wrong-marker-password", "client-secret-marker", edge.service_key}
    assert _sign_in(edge, "wrong-marker-password").status_code == 401
    first = _sign_in(edge, ADMIN_PASSWORD).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = httpx.post(f"{edge.api}/api/v1/auth/token", data=form, timeout=30).json()
    secrets |= {
        answer[kind] for answer in (first, second) for kind in ("access_token", "refresh_token")
    }
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    with httpx.Client(base_url=f"{edge.api}/api/v1", headers=headers, timeout=30) as client:
        personal = client.post("/tokens", json={"name": "ci"}).json()["token"]
        ticket = client.post("/auth/ticket").json()["ticket"]
        invited = client.post("/users", json={"username": "invited"}).json()["invitation"]["url"]
        link = invited.partition("invitation=")[2]
        chosen = "another marker for the invited one"
        body = {"token": link, "new_password": chosen}
        entered = client.post("/auth/password", json=body, headers={"Authorization": ""})
        assert entered.status_code == 200, entered.text
        client.get("/users/me", headers={"Authorization": f"Bearer {personal}"})
        client.get(f"/users/me?access_token={personal}", headers={"Authorization": ""})
    cookie = httpx.post(
        f"{edge.dashboard}/goodfit/session", content=ticket, headers={"Origin": edge.dashboard}
    ).cookies["goodfit_session"]
    httpx.get(f"{edge.dashboard}/?signin={link}", cookies={"goodfit_session": cookie}, timeout=30)
    secrets |= {personal, ticket, link, chosen, cookie, entered.json()["access_token"]}
    assert min(map(len, secrets)) > 15
    tables = edge.rows("select tablename from pg_tables where schemaname = 'public'")
    # The tables are our own.
    statements = [f'select t::text from "{table}" t' for (table,) in tables]  # noqa: S608  # the catalogue's
    stored = "\n".join(str(edge.rows(statement)) for statement in statements)
    logged = edge.logged()
    assert "session.opened" in stored
    assert '"request"' in logged
    assert {secret for secret in secrets if secret in stored or secret in logged} == set()
