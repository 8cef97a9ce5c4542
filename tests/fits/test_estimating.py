"""How long a fit would take, by similar ones, and what that must not tell."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.tables import Fit, User
from tests.conftest import SignIn, upload_csv
from tests.fits.made_up import make_up_fit

V1 = "/api/v1"
PATH = f"{V1}/fits/estimate"
PENGUINS = 344
UNKNOWN = {"seconds": None, "fits": 0}
Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
async def ada(sign_in: SignIn) -> httpx.AsyncClient:
    return await sign_in("ada")


async def _asked(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    dataset_id = (await upload_csv(client)).json()["id"]
    return {"dataset_id": dataset_id, "target": "body_mass_g", **more}


async def test_similar_fits_tell_how_long_one_takes(
    ada: httpx.AsyncClient, sessions: Sessions
) -> None:
    dataset_id = (await upload_csv(ada)).json()["id"]
    body = {"dataset_id": dataset_id, "target": "body_mass_g", "estimator": "lasso"}
    assert (await ada.post(PATH, json=body)).json() == {"seconds": None, "fits": 0}
    features = ["bill_length_mm", "flipper_length_mm"]
    for seconds in (1.9, 2.1, 60.0):
        await make_up_fit(
            sessions, dataset_id, seconds=seconds, estimator="lasso", features=features
        )
    alike = {**body, "features": features}
    assert (await ada.post(PATH, json=alike)).json() == {"seconds": pytest.approx(2.1), "fits": 3}
    folds = {**alike, "validation": {"kind": "kfold", "folds": 9}}
    estimated = (await ada.post(PATH, json=folds)).json()["seconds"]
    assert estimated == pytest.approx(0.1 + 2.0 * 10)


async def test_wrong_parameters_are_named(ada: httpx.AsyncClient) -> None:
    forest = await _asked(ada, estimator="random_forest")
    for wrong in (10**400, "many", -1):
        answer = await ada.post(PATH, json={**forest, "params": {"n_estimators": wrong}})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["loc"] == ["body", "params", "n_estimators"]
    unknown = await ada.post(PATH, json={**forest, "estimator": "os.system"})
    assert unknown.json() == UNKNOWN


@pytest.mark.parametrize(
    ("estimator", "params", "ratio"),
    [
        ("random_forest", {"n_estimators": 100}, 5.0),
        ("hist_gradient_boosting", {"max_iter": 100}, 5.0),
        ("multilayer_perceptron", {"units": 50, "layers": 1, "max_iter": 500}, 8.0),
        ("lasso", {"max_iter": 1_000}, 1.0),
    ],
)
async def test_presets_and_rounds_count(
    ada: httpx.AsyncClient,
    sessions: Sessions,
    estimator: str,
    params: dict[str, int],
    ratio: float,
) -> None:
    asked = await _asked(ada, estimator=estimator, features=["year"])
    spec = {"estimator": estimator, "params": params, "validation": {"kind": "holdout"}}
    await make_up_fit(sessions, asked["dataset_id"], seconds=2.1, estimator=estimator, spec=spec)
    told = (await ada.post(PATH, json={**asked, "preset": "accurate"})).json()
    assert told == {"seconds": pytest.approx(0.1 + 2.0 * ratio), "fits": 1}


async def test_folds_of_a_split_that_is_used_again_count(
    ada: httpx.AsyncClient, sessions: Sessions
) -> None:
    asked = await _asked(ada, estimator="ridge", features=["year"])
    outcome = {"fold_metrics": [{"fold": fold} for fold in range(4)]}
    named = await make_up_fit(sessions, asked["dataset_id"], seconds=2.1, outcome=outcome)
    again = {**asked, "validation": {"kind": "same_rows", "fit_id": named}}
    told = (await ada.post(PATH, json=again)).json()
    assert told["seconds"] == pytest.approx(0.1 + 2.0 * 5)
    # No fold is told where each was a single row.
    rows = await make_up_fit(sessions, asked["dataset_id"], seconds=2.1, outcome={})
    again["validation"] = {"kind": "same_rows", "fit_id": rows}
    told = (await ada.post(PATH, json=again)).json()
    assert told["seconds"] == pytest.approx(0.1 + 2.0 * (PENGUINS + 1))


async def test_single_fits_of_others_are_not_told(
    ada: httpx.AsyncClient,
    sign_in: SignIn,
    sessions: Sessions,
    make_user: Callable[..., Awaitable[User]],
) -> None:
    bob = await sign_in("bob")
    hers, his = [
        await _asked(client, estimator="ridge", features=["year"]) for client in (ada, bob)
    ]
    assert (await bob.post(PATH, json=hers)).status_code == 404
    made = [await make_up_fit(sessions, hers["dataset_id"], seconds=3.73) for _ in range(6)]
    assert (await ada.post(PATH, json=hers)).json()["fits"] == 6
    assert (await bob.post(PATH, json=his)).json() == UNKNOWN
    async with sessions() as session:
        others = [(await make_user(name)).id for name in ("carl", "dora", "eve")]
        for place, fit_id in enumerate(made):
            values = {"created_by": others[place % 3]}
            await session.execute(update(Fit).where(Fit.id == fit_id).values(values))
        await session.commit()
    assert (await bob.post(PATH, json=his)).json() == {"seconds": 4.0, "fits": 0}
