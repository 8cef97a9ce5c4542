"""A fit runs again and is compared; its script makes the same metrics without the product."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from backend.core.db import transaction
from backend.fits import reproductions
from backend.fits.reproducing import REPEAT_PROGRAM, fetch_repeat
from backend.fits.reproductions import MOST_OPEN, Repeat
from backend.science.reporting import Silent
from backend.science.reproduction.repeat import repeat_request
from tests.conftest import SignIn, upload_csv
from tests.fits.finishing import finish_fit
from tests.fits.made_up import make_up_fit

V1 = "/api/v1"
REQUEST = {"target": "body_mass_g", "estimator": "ridge"}


async def _fitted(client: httpx.AsyncClient, app: FastAPI, **request: Any) -> dict[str, Any]:
    dataset = (await upload_csv(client)).json()
    asked = await client.post(f"{V1}/fits", json={"dataset_id": dataset["id"], **request})
    assert asked.status_code == 202, asked.text
    await finish_fit(app, asked.json()["id"])
    fit: dict[str, Any] = (await client.get(f"{V1}/fits/{asked.json()['id']}")).json()
    return fit


async def _claim(app: FastAPI, reproduction_id: int) -> Repeat | None:
    async with transaction(app.state.sessions) as session:
        return await reproductions.claim(session, reproduction_id, app.state.settings.fits)


async def test_a_second_run_is_identical(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    fit = await _fitted(ada, app, **REQUEST)
    path = f"{V1}/fits/{fit['id']}/reproductions"
    started = await ada.post(path)
    assert started.status_code == 202, started.text
    assert (await ada.post(path)).json()["id"] == started.json()["id"]
    held = await _claim(app, started.json()["id"])
    assert held is not None
    with tempfile.TemporaryDirectory() as name:
        answer = repeat_request(fetch_repeat(app.state.blobs, held, Path(name)), Silent())
    assert answer["differences"] == []
    assert answer["environment"]["libraries"]["scikit-learn"]
    assert REPEAT_PROGRAM.endswith(f":{repeat_request.__name__}")


async def test_a_changed_number_is_told(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    fit = await _fitted(ada, app, **REQUEST)
    started = (await ada.post(f"{V1}/fits/{fit['id']}/reproductions")).json()
    held = await _claim(app, started["id"])
    assert held is not None
    held.outcome["metrics"]["r2"] += 1e-15
    held.environment["libraries"]["numpy"] = "1.0"
    with tempfile.TemporaryDirectory() as name:
        answer = repeat_request(fetch_repeat(app.state.blobs, held, Path(name)), Silent())
    told = {difference["what"]: difference for difference in answer["differences"]}
    assert set(told) == {"metrics.r2", "environment.libraries.numpy"}
    assert told["metrics.r2"]["now"] == fit["metrics"]["r2"]


async def test_a_cancelled_run_is_final_and_its_worker_refused(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    fit = await _fitted(ada, app, **REQUEST)
    path = f"{V1}/fits/{fit['id']}/reproductions"
    number = (await ada.post(path)).json()["id"]
    held = await _claim(app, number)
    assert held is not None
    assert (await ada.post(f"{path}/{number}/cancel")).json()["state"] == "cancelled"
    async with transaction(app.state.sessions) as session:
        assert not await reproductions.finish(session, held, "identical")
    assert (await ada.get(f"{path}/{number}")).json()["state"] == "cancelled"
    assert (await ada.post(f"{path}/{number}/cancel")).status_code == 409
    assert [item["state"] for item in (await ada.get(path)).json()["items"]] == ["cancelled"]


async def test_a_run_that_is_lost_three_times_fails(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    fit = await _fitted(ada, app, **REQUEST)
    path = f"{V1}/fits/{fit['id']}/reproductions"
    number = (await ada.post(path)).json()["id"]
    assert [await _claim(app, number) is not None for _ in range(4)] == [True, True, True, False]
    failed = (await ada.get(f"{path}/{number}")).json()
    assert failed["state"] == "failed"
    assert "lost 3 times" in failed["error"]


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        {"target": "sex", "estimator": "logistic_regression", "class_weight": "balanced"},
        {
            "target": "body_mass_g",
            "estimator": "random_forest",
            "params": {"n_estimators": 5},
            "weights": "flipper_length_mm",
            "target_transform": "log",
            "validation": {"kind": "time", "column": "year", "folds": 2},
        },
        {
            "target": "species",
            "estimator": "k_nearest_neighbors",
            "validation": {"kind": "group", "column": "island", "folds": 3},
            "preprocessing": {
                "columns": {"bill_length_mm": {"impute": "drop_rows", "transform": "log"}},
                "features": [{"kind": "spline", "columns": ["bill_depth_mm"]}],
            },
        },
        {
            "target": "species",
            "estimator": "k_nearest_neighbors",
            "validation": {"kind": "kfold", "folds": 2},
            "search": {"kind": "grid", "space": {"n_neighbors": [1, 9]}, "folds": 2},
        },
    ],
    ids=["plain", "balanced", "time", "groups", "searched"],
)
async def test_script_makes_the_same_metrics_on_its_own(
    app: FastAPI, sign_in: SignIn, request_: dict[str, Any], tmp_path: Path
) -> None:
    ada = await sign_in("ada")
    fit = await _fitted(ada, app, **request_)
    script = await ada.get(f"{V1}/fits/{fit['id']}/script")
    assert script.status_code == 200, script.text
    assert f"fit-{fit['id']}.py" in script.headers["Content-Disposition"]
    address = f"{V1}/datasets/{fit['dataset_id']}/versions/1/download?format=parquet"
    assert address in script.text
    (tmp_path / "table.parquet").write_bytes((await ada.get(address)).content)
    (tmp_path / "fit.py").write_text(script.text)
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "-W", "ignore", "fit.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    printed = dict(line.split()[:2] for line in ended.stdout.splitlines())
    made = {name: json.loads(value) for name, value in printed.items()}
    assert made == pytest.approx(fit["metrics"], rel=1e-12, abs=1e-12)
    assert "backend" not in script.text


async def test_a_name_does_not_end_the_text_that_it_stands_in(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    fit = await _fitted(ada, app, **REQUEST, name='x""" + open("y") + """\\')
    script = (await ada.get(f"{V1}/fits/{fit['id']}/script")).text
    compile(script, "fit.py", "exec")
    assert 'open("y")' not in script


async def test_second_runs_of_one_person_are_few_and_take_turns(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    fits = {}
    for client in (ada, bob):
        dataset_id = (await upload_csv(client)).json()["id"]
        made = [
            await make_up_fit(app.state.sessions, dataset_id, seconds=1)
            for _ in range(MOST_OPEN + 1)
        ]
        fits[client] = [f"{V1}/fits/{fit_id}/reproductions" for fit_id in made]
    hers = [(await ada.post(path)).json()["id"] for path in fits[ada][:MOST_OPEN]]
    refused = await ada.post(fits[ada][MOST_OPEN])
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert (await ada.post(fits[ada][0])).json()["id"] == hers[0]
    his = (await bob.post(fits[bob][0])).json()["id"]
    async with transaction(app.state.sessions) as session:
        jobs = text(
            "select convert_from(payload, 'utf8')::json ->> 'reproduction_id' from pgqueuer"
            " where entrypoint = 'fits.reproduce' order by priority desc, id"
        )
        order = [int(number) for number in (await session.execute(jobs)).scalars()]
        assert order == [hers[0], his, *hers[1:]]
        assert dict(await reproductions.list_open(session)) == {
            hers[0]: 0,
            hers[1]: 1,
            hers[2]: 2,
            his: 0,
        }
    assert (await ada.post(f"{fits[ada][0]}/{hers[0]}/cancel")).status_code == 202
    assert (await ada.post(fits[ada][MOST_OPEN])).status_code == 202
