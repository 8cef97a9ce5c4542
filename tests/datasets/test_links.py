"""Links to files: for a short time, for one file, and for as long as their maker may read it."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from backend.core.access import Role
from backend.core.redaction import redacted
from backend.datasets.links import Claims, LinkSigner
from backend.settings import Settings
from tests.audit.events import events
from tests.conftest import SignIn, upload_csv
from tests.projects.sharing import make_project, refused, share
from tests.registry.registering import V1

TABLE = b"name,value\n=1+1,-5\nplain,7\n"


async def _link(client: httpx.AsyncClient, path: str, form: str = "original") -> str:
    """The path of a fresh link; its address begins as the API's own."""
    answer = await client.post(f"{path}/versions/1/link", json={"format": form})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < ends <= timedelta(minutes=10)
    base, _, rest = made["url"].partition("/api/")
    assert base == "http://127.0.0.1:8000"
    return f"/api/{rest}"


async def _table(client: httpx.AsyncClient, **sent: Any) -> str:
    files = {"file": ("sea.csv", TABLE, "text/csv")}
    answer = await client.post(f"{V1}/datasets", files=files, data=sent)
    assert answer.status_code == 201, answer.text
    path: str = answer.headers["location"]
    return path


async def test_link_gives_the_file_to_anybody_and_is_noted(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    path = await _table(ada)
    original = await anonymous.get(await _link(ada, path))
    assert original.content == TABLE
    assert original.headers["x-content-type-options"] == "nosniff"
    assert original.headers["content-disposition"].startswith('attachment; filename="sea.csv"')
    as_csv = await anonymous.get(await _link(ada, path, "csv"))
    assert as_csv.text == "name,value\n'=1+1,-5\nplain,7\n"
    parquet = await anonymous.get(await _link(ada, path, "parquet"))
    assert parquet.content[:4] == b"PAR1"
    linked = await events(root, action="dataset.linked")
    assert [event["details"]["format"] for event in linked] == ["parquet", "csv", "original"]
    downloaded = await events(root, action="dataset.downloaded")
    assert [event["details"]["by_link"] for event in downloaded] == [True] * 3
    assert {event["actor_name"] for event in downloaded} == {"ada"}


async def test_link_ends_with_what_its_maker_may_read(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada, vera, root = await sign_in("ada"), await sign_in("vera"), await sign_in("root", Role.ADMIN)
    project = await make_project(ada)
    await share(ada, project, vera="viewer")
    path = await _table(ada, project_id=str(project))
    hers, own = await _link(vera, path), await _link(ada, path)
    assert (await anonymous.get(hers)).content == TABLE
    member = f"{V1}/projects/{project}/members/vera"
    assert (await ada.delete(member)).status_code == 204
    assert refused(await anonymous.get(hers)) == (404, "not_found")
    await share(ada, project, vera="viewer")
    assert (await anonymous.get(hers)).status_code == 200
    vera_id = (await vera.get(f"{V1}/users/me")).json()["id"]
    disabled = await root.patch(f"{V1}/users/{vera_id}", json={"disabled": True})
    assert disabled.status_code == 200
    assert (await anonymous.get(hers)).status_code == 404
    assert (await anonymous.get(own)).status_code == 200
    assert (await ada.delete(path)).status_code == 204
    assert (await anonymous.get(own)).status_code == 404


async def test_link_of_a_token_ends_with_the_token(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada = await sign_in("ada")
    path = await _table(ada)
    token = (await ada.post(f"{V1}/tokens", json={"name": "x", "scope": "read"})).json()
    headers = {"Authorization": f"Bearer {token['token']}"}
    body = {"format": "original"}
    made = await anonymous.post(f"{path}/versions/1/link", json=body, headers=headers)
    assert made.status_code == 200, made.text
    link = made.json()["url"].removeprefix("http://127.0.0.1:8000")
    assert (await anonymous.get(link)).content == TABLE
    assert (await ada.delete(f"{V1}/tokens/{token['id']}")).status_code == 204
    assert (await anonymous.get(link)).status_code == 404


async def test_link_of_a_sign_in_ends_with_it(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    ada, again = await sign_in("ada"), await sign_in("ada")
    path = await _table(ada)
    link, other = await _link(ada, path), await _link(again, path)
    assert (await anonymous.get(link)).content == TABLE
    assert (await ada.post(f"{V1}/auth/logout")).status_code == 204
    assert refused(await anonymous.get(link)) == (404, "not_found")
    assert (await anonymous.get(other)).content == TABLE


async def test_expired_changed_and_foreign_links_are_none(
    sign_in: SignIn, anonymous: httpx.AsyncClient, settings: Settings
) -> None:
    ada = await sign_in("ada")
    path = await _table(ada)
    link = await _link(ada, path)
    signer = LinkSigner(settings.secrets.token_keys)
    claims = signer.decode(link.rpartition("/")[2])
    late = replace(claims, expires=int(time.time()) - 60)
    foreign = LinkSigner(["another key, which nobody here has ever had"])
    for token in (signer.encode(late), foreign.encode(claims), "gd_", "gd_x", "x", "gd_%00"):
        answer = await anonymous.get(f"{V1}/downloads/{token}")
        assert refused(answer) == (404, "not_found")
    start, text = link[: len(link) - 30], link[len(link) - 30 :]
    for position in range(len(text)):
        other = "A" if text[position] != "A" else "B"
        changed = start + text[:position] + other + text[position + 1 :]
        assert (await anonymous.get(changed)).status_code == 404, position


def test_earlier_key_still_counts() -> None:
    old, new = "the key before the change of keys", "the key after the change of keys"
    claims = Claims(1, None, 2, 3, "csv", 4)
    token = LinkSigner([old]).encode(claims)
    assert LinkSigner([new, old]).decode(token) == claims


async def test_long_junk_is_refused_at_once(anonymous: httpx.AsyncClient) -> None:
    for junk in ("gd_" + "A" * 64_000, "ä" * 10_000, "gd_" + "%2F" * 20_000):
        started = time.perf_counter()
        answer = await anonymous.get(f"{V1}/downloads/{junk}")
        assert answer.status_code == 404
        assert time.perf_counter() - started < 0.5


def test_link_never_stands_in_a_log(settings: Settings) -> None:
    token = LinkSigner(settings.secrets.token_keys).encode(Claims(1, None, 2, 3, "csv", 4))
    assert redacted(f"/api/v1/downloads/{token}") == "/api/v1/downloads/[hidden]"


@pytest.mark.parametrize("body", [{"format": "xlsx"}, {"expires_at": "2030-01-01T00:00:00Z"}])
async def test_link_body_is_checked(sign_in: SignIn, body: dict[str, str]) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada, TABLE)).headers["location"]
    answer = await ada.post(f"{path}/versions/1/link", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", *body]
