"""Lists of fits: every order in pages, filters, search, and what an item looks like."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.fits.listing import ORDERS, _statement
from tests.conftest import SignIn, upload_csv
from tests.fits.made_up import make_up_fit

V1 = "/api/v1"
Sessions = async_sessionmaker[AsyncSession]
TABLE = b"x,y\n1,2\n3,4\n5,6\n7,9\n"


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("ada")


@pytest.fixture
async def dataset_id(ada: httpx.AsyncClient) -> int:
    return int((await upload_csv(ada, TABLE, "rivers.csv")).json()["id"])


async def _ids(client: httpx.AsyncClient, **params: Any) -> list[int]:
    answer = await client.get(f"{V1}/fits", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def _in_pages(client: httpx.AsyncClient, sort: str, limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    params: dict[str, Any] = {"sort": sort, "limit": limit}
    while True:
        page = (await client.get(f"{V1}/fits", params=params)).raise_for_status().json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        assert len(page["items"]) == limit
        params["cursor"] = page["next_cursor"]


def _value(item: dict[str, Any], name: str) -> Any:
    if name.startswith("metrics."):
        return item["metrics"].get(name.removeprefix("metrics."))
    if name == "main_metric":
        return item["metrics"].get(item["main_metric"])
    return item[name]


@pytest.fixture
async def many(ada: httpx.AsyncClient, sessions: Sessions, dataset_id: int) -> list[int]:
    """Ties, gaps, and two projects."""
    other = (await ada.post(f"{V1}/projects", json={"name": "other"})).json()["id"]
    table = {"name": "lakes", "project_id": other, "columns": {"x": [1, 2], "y": [2, 3]}}
    second = (await ada.post(f"{V1}/datasets", json=table)).json()["id"]
    made = []
    for n in range(14):
        metrics = {"r2": n % 4 / 3, "rmse": 1e-7 * n} if n % 3 else None
        place = second if n % 2 else dataset_id
        kinds = ("ridge", "lasso")
        made.append(
            await make_up_fit(
                sessions,
                place,
                metrics=metrics,
                seconds=n % 5 + 0.25 if metrics else None,
                name=f"fit {n % 6}",
                estimator=kinds[n % 2],
                main_metric=("r2", "rmse")[n % 2] if metrics else None,
            )
        )
    made += [await make_up_fit(sessions, dataset_id, state="queued") for _ in range(3)]
    return made


@pytest.mark.parametrize(
    "name", [*(n for n in ORDERS if "." not in n), "metrics.r2", "metrics.rmse", "position"]
)
@pytest.mark.parametrize("sign", ["", "-"])
async def test_pages_together_show_every_fit_once_and_in_order(
    ada: httpx.AsyncClient, many: list[int], name: str, sign: str
) -> None:
    for limit in (4, 5):
        items = await _in_pages(ada, f"{sign}{name}", limit)
        assert sorted(item["id"] for item in items) == sorted(many)
        values = [_value(item, name) for item in items]
        known = [value for value in values if value is not None]
        assert values == known + [None] * (len(values) - len(known))
        pairs = [(value, item["id"]) for value, item in zip(known, items, strict=False)]
        assert pairs == sorted(pairs, reverse=sign == "-")
        unknown = [item["id"] for item in items[len(known) :]]
        assert unknown == sorted(unknown, reverse=sign == "-")


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(limit=st.integers(1, 20), name=st.sampled_from(["metrics.r2", "seconds", "name"]))
async def test_pages_of_any_size_show_the_same_list(
    ada: httpx.AsyncClient, many: list[int], limit: int, name: str
) -> None:
    whole = await _in_pages(ada, f"-{name}", 200)
    assert len(whole) == len(many)
    assert await _in_pages(ada, f"-{name}", limit) == whole


async def test_a_list_is_described_for_clients(app: FastAPI) -> None:
    answers = app.openapi()["paths"][f"{V1}/fits"]["get"]["responses"]["200"]
    assert answers["content"]["application/json"]["schema"]["$ref"].endswith("Page_FitSummary_")


@pytest.mark.parametrize("sort", ["metrics.r3", "-metrics.", "secret", "", "-"])
async def test_an_unknown_order_is_refused_by_its_name(ada: httpx.AsyncClient, sort: str) -> None:
    answer = await ada.get(f"{V1}/fits", params={"sort": sort})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "sort"]


@pytest.mark.usefixtures("many")
async def test_a_cursor_of_another_order_is_refused(ada: httpx.AsyncClient) -> None:
    page = (await ada.get(f"{V1}/fits", params={"limit": 1, "sort": "name"})).json()
    for sort, cursor in (("-name", page["next_cursor"]), ("name", "made-up")):
        answer = await ada.get(f"{V1}/fits", params={"sort": sort, "cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["query", "cursor"]


async def test_filters_leave_what_was_asked_for(
    ada: httpx.AsyncClient, sessions: Sessions, dataset_id: int
) -> None:
    plain = await make_up_fit(sessions, dataset_id, name="Plain 100%")
    tagged = await make_up_fit(sessions, dataset_id, tags={"sea": "cold", "a=b": "c"})
    noted = await make_up_fit(sessions, dataset_id, notes="see the Delta", estimator="lasso")
    failed = await make_up_fit(sessions, dataset_id, state="failed", name="plain_2")
    assert await _ids(ada, state="failed") == [failed]
    assert await _ids(ada, estimator="lasso") == [noted]
    assert await _ids(ada, tag="sea") == await _ids(ada, tag="sea=cold") == [tagged]
    assert await _ids(ada, tag="a=b") == [tagged]
    assert await _ids(ada, tag="sea=warm") == []
    assert await _ids(ada, search="delta") == [noted]
    assert await _ids(ada, search="0%") == [plain]
    assert await _ids(ada, search="n_2") == [failed]
    assert await _ids(ada, search=f"#{plain}") == await _ids(ada, search=str(plain)) == [plain]
    assert len(await _ids(ada, search="RIVERS")) == 4
    assert len(await _ids(ada, mine=True, dataset_id=dataset_id)) == 4
    assert await _ids(ada, project_id=999_999_999) == []
    await ada.put(f"{V1}/fits/{noted}/star")
    assert await _ids(ada, starred=True, sort="-metrics.r2") == [noted]


async def test_lists_show_only_what_is_shared(sign_in: SignIn, many: list[int]) -> None:
    bob, root = await sign_in("bob"), await sign_in("root", Role.ADMIN)
    for sort in ("name", "-metrics.r2", "position"):
        assert await _ids(bob, sort=sort, limit=200) == []
        assert sorted(await _ids(root, sort=sort, limit=200)) == sorted(many)


async def test_text_that_cannot_be_stored_is_refused(ada: httpx.AsyncClient) -> None:
    for name in ("search", "tag", "estimator"):
        answer = await ada.get(f"{V1}/fits", params={name: "a\x00b"})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["loc"] == ["query", name]


@pytest.mark.usefixtures("many")
async def test_texts_numbers_and_queues_of_others_leave_the_statements_of_all_lists_kept(
    ada: httpx.AsyncClient, sessions: Sessions, dataset_id: int
) -> None:
    async def ask(number: int) -> None:
        place = {"project_id": number, "dataset_id": number, "leaderboard_id": number}
        await _ids(ada, search=f"a{number}", tag=f"a{number}=b", estimator=f"a{number}", **place)
        await _ids(ada, search=f"#{number}", created_by=f"user{number}")
        await make_up_fit(sessions, dataset_id, state="queued")
        await _ids(ada, sort="position")

    await ask(1)
    kept = _statement.cache_info().currsize
    await ask(2)
    assert _statement.cache_info().currsize == kept


async def test_member_lists_what_another_has_started(
    sign_in: SignIn, ada: httpx.AsyncClient, sessions: Sessions, dataset_id: int
) -> None:
    bob = await sign_in("bob")
    project = (await ada.get(f"{V1}/datasets/{dataset_id}")).json()["project_id"]
    own = await make_up_fit(sessions, dataset_id)
    assert await _ids(ada, created_by="Ada", project_id=project) == [own]
    assert await _ids(ada, created_by="ada", mine=True) == [own]
    assert await _ids(ada, created_by="bob") == await _ids(ada, created_by="nobody") == []
    assert await _ids(bob, created_by="ada") == []
