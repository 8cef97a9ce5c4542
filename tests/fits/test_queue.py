"""The order in which fits are taken is fair, whoever takes them."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role
from backend.fits import attempts
from backend.fits.attempts import Failure
from backend.fits.claiming import Claim, queue_positions
from backend.settings import FitSettings
from tests.conftest import Person, SignIn, upload_csv

Sessions = async_sessionmaker[AsyncSession]
# A slow machine takes nothing for lost.
DEFAULT = FitSettings(lost_after=timedelta(hours=1))
IMPATIENT = FitSettings(lost_after=timedelta(days=-365))


async def _queue(client: httpx.AsyncClient, count: int, **extra: object) -> list[int]:
    dataset_id = (await upload_csv(client)).json()["id"]
    request = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "ridge", **extra}
    ids = []
    for _ in range(count):
        answer = await client.post("/api/v1/fits", json=request)
        assert answer.status_code == 202, answer.text
        ids.append(answer.json()["id"])
    return ids


async def _take(
    sessions: Sessions, limits: FitSettings = DEFAULT, worker: str = "one"
) -> Claim | None:
    async with sessions() as session:
        held = await attempts.take(session, limits, worker)
        await session.commit()
    return held


async def _taken(sessions: Sessions, limits: FitSettings = DEFAULT) -> list[int]:
    """Two workers take turns until nothing is left; nothing ends meanwhile."""
    order: list[int] = []
    while held := await _take(sessions, limits, f"worker {len(order) % 2}"):
        order.append(held.fit_id)
    return order


async def test_three_users_take_turns_over_two_workers(sign_in: SignIn, sessions: Sessions) -> None:
    ada, bob, eve = [await sign_in(name) for name in ("ada", "bob", "eve")]
    a, b, e = await _queue(ada, 5), await _queue(bob, 2), await _queue(eve, 1)
    everything = [*a, *b, *e]
    expected = [a[0], b[0], e[0], a[1], b[1], a[2], a[3], a[4]]
    async with sessions() as session:
        positions = await queue_positions(session, everything)
    assert sorted(everything, key=positions.__getitem__) == expected
    shown = (await bob.get(f"/api/v1/fits/{b[1]}")).json()
    assert shown["position"] == 4
    assert await _taken(sessions) == expected


async def test_twelfth_fit_of_one_does_not_delay_the_first_of_another(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    many = await _queue(ada, 4)
    assert [(await _take(sessions)), (await _take(sessions))] != [None, None]
    (first,) = await _queue(bob, 1)
    assert await _taken(sessions) == [first, *many[2:]]


async def test_user_at_the_cap_waits_and_the_others_do_not(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    a, b = await _queue(ada, 3), await _queue(bob, 1)
    capped = FitSettings(max_running_per_user=1, lost_after=DEFAULT.lost_after)
    first = await _take(sessions, capped)
    assert first is not None
    assert [first.fit_id, *await _taken(sessions, capped)] == [a[0], b[0]]
    async with sessions() as session:
        assert await attempts.fail(session, first, Failure("data", "no rows"))
        await session.commit()
    assert await _taken(sessions, capped) == [a[1]]


async def test_fit_of_high_priority_goes_first_and_only_administrators_ask_for_it(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    a = await _queue(ada, 2)
    (urgent,) = await _queue(root, 1, priority="high")
    assert await _taken(sessions) == [urgent, *a]
    dataset_id = (await upload_csv(ada)).json()["id"]
    request = {"dataset_id": dataset_id, "target": "year", "estimator": "ridge"}
    refused = await ada.post("/api/v1/fits", json={**request, "priority": "high"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["body", "priority"]


@pytest.mark.parametrize(
    ("field", "value", "bound"),
    [("seconds", 90_000, "86400"), ("memory_bytes", 9_000_000_000, "8000000000")],
)
async def test_limits_beyond_the_servers_are_for_administrators(
    sign_in: SignIn, field: str, value: int, bound: str
) -> None:
    ada, root = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset_id = (await upload_csv(ada)).json()["id"]
    request = {"dataset_id": dataset_id, "target": "year", "estimator": "ridge"}
    refused = await ada.post("/api/v1/fits", json={**request, "limits": {field: value}})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["loc"] == ["body", "limits", field]
    assert bound in error["msg"]
    await _queue(root, 1, limits={field: value})


async def test_lost_process_waits_before_its_next_attempt_and_fails_after_the_third(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    (fit_id,) = await _queue(ada, 1)
    died = Failure("process_died", "The fit's process was killed 3 times.")
    for attempt in range(1, 4):
        held = await _take(sessions)
        assert held is not None
        assert held.attempt == attempt
        async with sessions() as session:
            assert await attempts.lose(session, held, died, max_attempts=3)
            await session.commit()
        assert await _take(sessions) is None, "it is not due yet"
        async with sessions() as session:
            statement = "update fits set not_before = not_before - interval '9 s' where id = :id"
            await session.execute(text(statement), {"id": fit_id})
            await session.commit()
    fit = (await ada.get(f"/api/v1/fits/{fit_id}")).json()
    assert (fit["state"], fit["error"]["code"]) == ("failed", "process_died")
    log = (await ada.get(f"/api/v1/fits/{fit_id}/log")).json()["items"]
    states = [entry["content"]["state"] for entry in log if entry["kind"] == "state"]
    assert states == ["queued", *["running", "queued"] * 2, "running", "failed"]


async def test_only_a_silent_worker_loses_its_fit(sign_in: SignIn, sessions: Sessions) -> None:
    ada = await sign_in("ada")
    await _queue(ada, 1)
    held = await _take(sessions)
    assert held is not None
    assert await _take(sessions) is None, "its worker has just shown that it works"
    async with sessions() as session:
        assert await attempts.beat(session, [held]) == {held.fit_id}
        await session.commit()
    again = await _take(sessions, IMPATIENT, "another")
    assert again is not None
    assert (again.attempt, again.lost_attempts) == (2, 1)
    async with sessions() as session:
        assert await attempts.beat(session, [held]) == set()
        assert not await attempts.give_back(session, held)


async def test_sign_of_life_waits_for_nobody_who_changes_a_fit(
    person: Person, real: FastAPI
) -> None:
    parallel: Sessions = real.state.sessions
    await _queue(await person("ada"), 2)
    first, second = await _take(parallel), await _take(parallel)
    assert first is not None
    assert second is not None
    lock = text("update fits set progress = 0.5 where id = :id")
    shown = text("select id from fits where heartbeat_at is not null")
    async with parallel() as session:
        await session.execute(text("update fits set heartbeat_at = null"))
        await session.commit()
    async with parallel() as other, parallel() as session, asyncio.timeout(10):
        await other.execute(lock, {"id": first.fit_id})
        kept = await attempts.beat(session, [first, second])
        await session.commit()
        assert kept == {first.fit_id, second.fit_id}
        assert list((await session.execute(shown)).scalars()) == [second.fit_id]


async def test_worker_does_not_take_what_it_holds_itself_however_silent_it_was(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    await _queue(ada, 1)
    held = await _take(sessions)
    assert held is not None
    async with sessions() as session:
        assert await attempts.take(session, IMPATIENT, "one", [held.fit_id]) is None
        await session.commit()
    assert await _take(sessions, IMPATIENT, "another") is not None


async def test_fit_that_is_put_off_takes_no_turn_from_its_users_next(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    put_off, next_one = await _queue(ada, 2)
    (other,) = await _queue(bob, 1)
    async with sessions() as session:
        statement = "update fits set not_before = now() + interval '1 h' where id = :id"
        await session.execute(text(statement), {"id": put_off})
        await session.commit()
    assert await _taken(sessions) == [next_one, other]
