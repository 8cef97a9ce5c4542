"""Leaderboards: what takes part, who leads, what the budget does, and who may see it."""

from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from backend.core.access import Role
from backend.core.db import transaction
from backend.fits.leaderboards import settle
from backend.science.catalogue import ESTIMATORS
from tests.audit.events import the_event
from tests.conftest import SignIn, upload_csv
from tests.fits.finishing import finish_fit

V1 = "/api/v1"
THREE = ["k_nearest_neighbors", "dummy_baseline", "ridge"]


async def _asked(client: httpx.AsyncClient, **wanted: Any) -> httpx.Response:
    dataset_id = wanted.pop("dataset_id", None) or (await upload_csv(client)).json()["id"]
    body = {"dataset_id": dataset_id, "target": "species", "estimators": THREE, **wanted}
    headers = body.pop("headers", {})
    return await client.post(f"{V1}/leaderboards", json=body, headers=headers)


async def _board(client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await _asked(client, **wanted)
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _detail(client: httpx.AsyncClient, board: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"{V1}/leaderboards/{board['id']}")
    assert answer.status_code == 200, answer.text
    detail: dict[str, Any] = answer.json()
    return detail


async def _settle(app: FastAPI, *, later_by: int = 0) -> None:
    """The worker's chore; `later_by` seconds after the fits began."""
    async with transaction(app.state.sessions) as session:
        if later_by:
            back = "update fits set started_at = started_at - make_interval(secs => :s)"
            await session.execute(text(back), {"s": later_by})
        await settle(session)


def _named(response: httpx.Response) -> list[list[Any]]:
    assert response.status_code == 422, response.text
    return [error["loc"] for error in response.json()["errors"]]


async def test_leaderboard_ranks_its_fits_by_the_main_metric(app: FastAPI, sign_in: SignIn) -> None:
    client = await sign_in("ada")
    board = await _board(client)
    assert (board["state"], board["total"], board["unfinished"]) == ("running", 3, 3)
    assert board["main_metric"] == "accuracy"
    waiting = await _detail(client, board)
    fits = waiting["fits"]
    # The cheap ones go first.
    assert [fit["estimator"] for fit in fits] == ["dummy_baseline", "ridge", "k_nearest_neighbors"]
    assert {fit["leaderboard_id"] for fit in fits} == {board["id"]}
    for fit in fits:
        await finish_fit(app, fit["id"])
    await _settle(app)
    done = await _detail(client, board)
    assert (done["state"], done["unfinished"]) == ("finished", 0)
    assert done["started_at"] is not None
    scores = [fit["metrics"]["accuracy"] for fit in done["fits"]]
    assert scores == sorted(scores, reverse=True)
    assert done["fits"][-1]["estimator"] == "dummy_baseline"
    assert done["best_fit_id"] == done["fits"][0]["id"]


async def test_all_fits_of_a_leaderboard_are_scored_on_the_same_rows(
    app: FastAPI, sign_in: SignIn
) -> None:
    client = await sign_in("ada")
    board = await _board(client, estimators=["ridge", "dummy_baseline"], seed=7)
    held = []
    for fit in (await _detail(client, board))["fits"]:
        await finish_fit(app, fit["id"])
        path = f"{V1}/fits/{fit['id']}/residuals"
        items = (await client.get(path, params={"limit": 1_000})).json()["items"]
        held.append(sorted(item["row"] for item in items))
    assert held[0] == held[1]
    assert len(held[0]) > 50


async def test_whole_catalogue_takes_part_or_is_left_out_with_a_reason(sign_in: SignIn) -> None:
    client = await sign_in("ada")
    board = await _board(client, estimators=None)
    tried = set(board["request"]["estimators"])
    left_out = {entry["estimator"]: entry["reason"] for entry in board["request"]["left_out"]}
    able = {e.name for e in ESTIMATORS.values() if e.data == "table" and "multiclass" in e.tasks}
    assert tried | set(left_out) == able
    assert {"dummy_baseline", "random_forest"} <= tried
    assert all(left_out.values())
    assert board["total"] == len(tried)


async def test_out_of_budget_open_fits_fail_with_the_reason(app: FastAPI, sign_in: SignIn) -> None:
    client = await sign_in("ada")
    board = await _board(client, budget_seconds=60)
    first, *others = (await _detail(client, board))["fits"]
    await _settle(app, later_by=100)
    # The budget counts from the first fit, and none has begun.
    assert (await _detail(client, board))["unfinished"] == 3
    await finish_fit(app, first["id"])
    await _settle(app)
    running = await _detail(client, board)
    assert 0 < running["seconds_left"] <= 60
    async with transaction(app.state.sessions) as session:
        await session.execute(text("update leaderboards set started_at = null"))
    await _settle(app, later_by=61)
    over = await _detail(client, board)
    assert over["state"] == "finished"
    assert over["best_fit_id"] == first["id"]
    for fit in over["fits"][1:]:
        assert fit["id"] in {other["id"] for other in others}
        assert fit["state"] == "failed"
        assert fit["error"]["code"] == "budget"
        assert fit["error"]["message"] == "The time budget of 60 s ended before this fit"


async def test_cancelled_leaderboard_cancels_what_is_open(app: FastAPI, sign_in: SignIn) -> None:
    client = await sign_in("ada")
    board = await _board(client)
    first = (await _detail(client, board))["fits"][0]
    await finish_fit(app, first["id"])
    path = f"{V1}/leaderboards/{board['id']}"
    cancelled = await client.post(f"{path}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    states = [fit["state"] for fit in (await _detail(client, board))["fits"]]
    assert states == ["succeeded", "cancelled", "cancelled"]
    again = await client.post(f"{path}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "leaderboard_ended")


async def test_deleted_leaderboard_leaves_its_fits(app: FastAPI, sign_in: SignIn) -> None:
    client = await sign_in("ada")
    board = await _board(client, estimators=["dummy_baseline"])
    (fit,) = (await _detail(client, board))["fits"]
    await finish_fit(app, fit["id"])
    assert (await client.delete(f"{V1}/leaderboards/{board['id']}")).status_code == 204
    assert (await client.get(f"{V1}/leaderboards/{board['id']}")).status_code == 404
    assert (await client.get(f"{V1}/leaderboards")).json()["items"] == []
    assert (await client.get(f"{V1}/fits/{fit['id']}")).json()["state"] == "succeeded"


async def test_repeated_request_makes_one_leaderboard(sign_in: SignIn) -> None:
    client = await sign_in("ada")
    dataset_id = (await upload_csv(client)).json()["id"]
    wanted = {"dataset_id": dataset_id, "headers": {"Idempotency-Key": "one"}}
    first, second = await _board(client, **wanted), await _board(client, **wanted)
    assert first["id"] == second["id"]
    assert len((await client.get(f"{V1}/fits")).json()["items"]) == 3


async def test_leaderboard_beyond_the_bound_of_open_fits_makes_nothing(
    app: FastAPI, sign_in: SignIn
) -> None:
    client = await sign_in("ada")
    usual = app.state.settings
    few = usual.fits.model_copy(update={"max_active_per_user": 2})
    app.state.settings = usual.model_copy(update={"fits": few})
    try:
        answer = await _asked(client)
    finally:
        app.state.settings = usual
    assert answer.status_code == 429
    assert "needs 3 fits" in answer.json()["detail"]
    assert (await client.get(f"{V1}/fits")).json()["items"] == []
    assert (await client.get(f"{V1}/leaderboards")).json()["items"] == []


async def test_wrong_requests_name_their_field(sign_in: SignIn) -> None:
    client = await sign_in("ada")
    dataset_id = (await upload_csv(client)).json()["id"]
    wrong: list[tuple[dict[str, Any], list[Any]]] = [
        ({"target": "spezies"}, ["body", "target"]),
        ({"estimators": ["ridge", "sklearn.svm.SVC"]}, ["body", "estimators", 1]),
        ({"estimators": ["ridge", "ridge"]}, ["body", "estimators", 1]),
        ({"estimators": ["ordinary_least_squares"]}, ["body", "estimators", 0]),
        ({"main_metric": "r2"}, ["body", "main_metric"]),
        ({"features": ["nothing"]}, ["body", "features", 0]),
        ({"features": ["nothing"], "estimators": None}, ["body", "features", 0]),
        ({"budget_seconds": 1e9}, ["body", "budget_seconds"]),
        ({"version": 9}, []),
    ]
    for change, place in wrong:
        answer = await _asked(client, dataset_id=dataset_id, **change)
        if place:
            assert place in _named(answer), answer.text
        else:
            assert answer.status_code == 404
    assert (await client.get(f"{V1}/leaderboards")).json()["items"] == []


async def test_strangers_see_no_leaderboard_and_viewers_change_none(sign_in: SignIn) -> None:
    owner, stranger = await sign_in("ada"), await sign_in("bob")
    board = await _board(owner, estimators=["dummy_baseline"])
    path = f"{V1}/leaderboards/{board['id']}"
    assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(f"{path}/cancel")).status_code == 404
    assert (await stranger.get(f"{V1}/leaderboards")).json()["items"] == []
    listed = (
        await owner.get(f"{V1}/leaderboards", params={"dataset_id": board["dataset_id"]})
    ).json()
    assert [item["id"] for item in listed["items"]] == [board["id"]]
    elsewhere = await owner.get(f"{V1}/leaderboards", params={"dataset_id": 999_999})
    assert elsewhere.json()["items"] == []


async def test_target_with_a_long_name_gets_a_leaderboard(sign_in: SignIn) -> None:
    client = await sign_in("ada")
    target = "y" * 195
    lines = [f"x,{target}", *(f"{row % 7},{row * 1.5}" for row in range(20))]
    made = (await upload_csv(client, "\n".join(lines).encode())).json()
    board = await _board(client, dataset_id=made["id"], target=target, estimators=["ridge"])
    assert (board["target"], board["total"]) == (target, 1)


async def test_end_of_the_budget_is_noted_for_each_open_fit(app: FastAPI, sign_in: SignIn) -> None:
    client, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    board = await _board(client, estimators=["dummy_baseline", "ridge"], budget_seconds=60)
    first, second = (await _detail(client, board))["fits"]
    await finish_fit(app, first["id"])
    await _settle(app, later_by=61)
    noted = await the_event(admin, "fit.cancelled")
    assert (noted["object_id"], noted["actor_name"]) == (second["id"], "system")
    assert noted["details"] == {"leaderboard_id": board["id"], "budget_seconds": 60}
