"""Fits once more, as they were or with changes."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.tables import Fit
from tests.conftest import SignIn, upload_csv
from tests.fits.made_up import make_up_fit

V1 = "/api/v1"
Sessions = async_sessionmaker[AsyncSession]
ASKED: dict[str, Any] = {
    "target": "body_mass_g",
    "features": ["bill_length_mm", "flipper_length_mm", "sex"],
    "task": "regression",
    "estimator": "ridge",
    "params": {"alpha": 2.5},
    "preprocessing": {"max_categories": 7, "columns": {"sex": {"impute": "most_frequent"}}},
    "target_transform": "log",
    "validation": {"kind": "kfold", "folds": 4},
    "search": {"kind": "random", "trials": 20, "space": {"alpha": [0.1, 1.0, 10.0]}},
    "main_metric": "rmse",
    "seed": 7,
    "limits": {"seconds": 60, "memory_bytes": 500_000_000},
    "tags": {"sea": "cold"},
    "notes": "of the first one",
    "name": "first",
}
KEPT = (
    *("dataset_id", "version", "target", "features", "task", "estimator", "params", "limits"),
    *("preprocessing", "target_transform", "class_weight", "weights", "validation", "search"),
    *("seed", "tags"),
)


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("ada")


@pytest.fixture
async def first(ada: httpx.AsyncClient) -> dict[str, Any]:
    dataset_id = (await upload_csv(ada)).json()["id"]
    answer = await ada.post(f"{V1}/fits", json={"dataset_id": dataset_id, **ASKED})
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def _rerun(client: httpx.AsyncClient, fit_id: int, **changes: Any) -> dict[str, Any]:
    answer = await client.post(f"{V1}/fits/{fit_id}/rerun", json=changes or None)
    assert answer.status_code == 202, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_the_same_again_keeps_all_that_was_asked(
    ada: httpx.AsyncClient, first: dict[str, Any]
) -> None:
    assert first["notes"] == ASKED["notes"]
    assert first["search"]["space"] == ASKED["search"]["space"]
    again = await _rerun(ada, first["id"])
    assert {name: again[name] for name in KEPT} == {name: first[name] for name in KEPT}
    assert (again["rerun_of"], again["notes"], again["state"]) == (first["id"], "", "queued")


async def test_the_best_of_a_search_is_fitted_without_it(
    ada: httpx.AsyncClient, first: dict[str, Any]
) -> None:
    again = await _rerun(ada, first["id"], params={"alpha": 0.1}, search=None)
    assert (again["params"]["alpha"], again["search"]) == (0.1, None)
    assert again["validation"] == first["validation"]


async def test_another_estimator_drops_what_belongs_to_the_first(
    ada: httpx.AsyncClient, first: dict[str, Any]
) -> None:
    again = await _rerun(ada, first["id"], estimator="k_nearest_neighbors")
    assert again["estimator"] == "k_nearest_neighbors"
    assert "alpha" not in again["params"]
    assert again["search"]["space"] is None
    assert again["search"]["trials"] == first["search"]["trials"]


async def test_no_version_means_the_latest(ada: httpx.AsyncClient, first: dict[str, Any]) -> None:
    path = f"{V1}/datasets/{first['dataset_id']}/versions"
    table = (
        b"species,bill_length_mm,flipper_length_mm,body_mass_g,sex\n"
        + b"Adelie,39.1,181,3750,male\nGentoo,46.1,211,4500,female\n" * 10
    )
    added = await ada.post(path, files={"file": ("more.csv", table, "text/csv")})
    assert added.status_code == 201, added.text
    assert (await _rerun(ada, first["id"]))["version"] == 1
    assert (await _rerun(ada, first["id"], version=None))["version"] == 2


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"params": {"alpha": -1}}, ["body", "params", "alpha"]),
        ({"params": {"trees": 3}}, ["body", "params", "trees"]),
        ({"seed": -1}, ["body", "seed"]),
        ({"validation": {"kind": "kfold", "folds": 1}}, ["body", "validation", "kfold", "folds"]),
        ({"target": "wings"}, ["body", "target"]),
        ({"wings": 2}, ["body", "wings"]),
        ({"version": 0}, ["body", "version"]),
    ],
)
async def test_a_change_that_makes_no_sense_names_its_field(
    ada: httpx.AsyncClient, first: dict[str, Any], changes: dict[str, Any], loc: list[str]
) -> None:
    answer = await ada.post(f"{V1}/fits/{first['id']}/rerun", json=changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["loc"] == loc


async def test_the_same_key_makes_one_fit(ada: httpx.AsyncClient, first: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "once"}
    path = f"{V1}/fits/{first['id']}/rerun"
    made = [(await ada.post(path, json={"seed": 1}, headers=headers)).json() for _ in range(2)]
    assert made[0]["id"] == made[1]["id"]
    other = await ada.post(path, json={"seed": 2}, headers=headers)
    assert other.status_code == 422


async def test_rows_that_were_kept_out_stay_out_of_the_same_again(
    ada: httpx.AsyncClient, first: dict[str, Any], sessions: Sessions
) -> None:
    withheld = {"table": "a", "holdout": "b", "columns": [], "names": ["sex"]}
    rows = {"withheld": withheld, "split_sha256": "c"}
    async with sessions() as session:
        await session.execute(update(Fit).where(Fit.id == first["id"]).values(rows))
        await session.commit()
    again = await _rerun(ada, first["id"])
    other = await _rerun(ada, first["id"], validation={"kind": "none"}, search=None)
    async with sessions() as session:
        kept, fresh = [await session.get_one(Fit, made["id"]) for made in (again, other)]
    assert (kept.withheld, kept.split_sha256) == (withheld, "c")
    assert (fresh.withheld, fresh.split_sha256) == (None, None)


async def test_split_of_a_fit_in_the_trash_is_used_once_more(
    ada: httpx.AsyncClient, sessions: Sessions
) -> None:
    dataset_id = (await upload_csv(ada)).json()["id"]
    named = await make_up_fit(sessions, dataset_id, seconds=1, artifacts={"split": "c"})
    same = {"kind": "same_rows", "fit_id": named}
    asked = {"target": "body_mass_g", "estimator": "ridge", "validation": same}
    made = await ada.post(f"{V1}/fits", json={"dataset_id": dataset_id, **asked})
    assert made.status_code == 202, made.text
    assert (await ada.delete(f"{V1}/fits/{named}")).status_code == 204
    again = await _rerun(ada, made.json()["id"])
    async with sessions() as session:
        assert (await session.get_one(Fit, again["id"])).split_sha256 == "c"
