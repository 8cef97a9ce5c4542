"""Validation over HTTP: folds, splits used again, and what is refused before the queue."""

from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from tests.conftest import SignIn
from tests.fits.finishing import finish_fit

ROWS = 40
LEAST_SQUARES = {"target": "y", "features": ["x1"], "estimator": "ordinary_least_squares"}


async def _line(client: httpx.AsyncClient) -> int:
    """A noisy line."""
    random = np.random.default_rng(2)
    x = random.normal(size=ROWS)
    y = 2 * x + random.normal(size=ROWS)
    made = await client.post(
        "/api/v1/datasets", json={"name": "line", "X": x.tolist(), "y": y.tolist()}
    )
    return int(made.json()["id"])


async def _fitted(app: FastAPI, client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    started = await client.post("/api/v1/fits", json=asked)
    assert started.status_code == 202, started.text
    fit_id = started.json()["id"]
    await finish_fit(app, fit_id)
    fit: dict[str, Any] = (await client.get(f"/api/v1/fits/{fit_id}")).json()
    assert fit["state"] == "succeeded", fit["error"]
    return fit


async def test_cross_validated_fit_tells_folds_spread_intervals_and_environment(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    dataset = await _line(ada)
    validation = {"kind": "kfold", "folds": 4}
    fit = await _fitted(app, ada, dataset_id=dataset, validation=validation, **LEAST_SQUARES)
    assert [fold["rows"] for fold in fit["fold_metrics"]] == [10] * 4
    scores = [fold["metrics"]["r2"] for fold in fit["fold_metrics"]]
    assert fit["metric_spread"]["r2"]["mean"] == pytest.approx(np.mean(scores))
    interval = fit["metric_intervals"]["r2"]
    assert interval["low"] < fit["metrics"]["r2"] < interval["high"]
    assert fit["main_metric"] == "r2"
    assert (fit["rows_used"], fit["rows_holdout"]) == (ROWS, ROWS)
    assert fit["environment"]["seed"] == 0
    assert "scikit-learn" in fit["environment"]["libraries"]


async def test_split_of_a_fit_is_used_again_row_by_row(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = await _line(ada)
    validation: dict[str, Any] = {"kind": "kfold", "folds": 4}
    first = await _fitted(
        app, ada, dataset_id=dataset, validation=validation, seed=7, **LEAST_SQUARES
    )
    again = {"kind": "same_rows", "fit_id": first["id"]}
    second = await _fitted(app, ada, dataset_id=dataset, validation=again, seed=8, **LEAST_SQUARES)
    assert second["fold_metrics"] == first["fold_metrics"]
    assert second["metrics"] == first["metrics"]
    search = {"kind": "grid", "space": {"alpha": [1, 2]}, "trials": 9}
    asked = {"dataset_id": dataset, "target": "y", "estimator": "ridge", "search": search}
    answer = await ada.post("/api/v1/fits", json={**asked, "validation": again})
    assert answer.status_code == 422
    assert [e["loc"] for e in answer.json()["errors"]] == [["body", "search", "trials"]]


async def test_split_of_no_such_fit_is_refused_by_field(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = await _line(ada)
    unscored = await _fitted(
        app, ada, dataset_id=dataset, validation={"kind": "none"}, **LEAST_SQUARES
    )
    for fit_id in (unscored["id"], 10**12):
        asked = {"dataset_id": dataset, "validation": {"kind": "same_rows", "fit_id": fit_id}}
        answer = await ada.post("/api/v1/fits", json={**LEAST_SQUARES, **asked})
        assert answer.status_code == 422
        assert [e["loc"] for e in answer.json()["errors"]] == [["body", "validation", "fit_id"]]


@pytest.mark.parametrize(
    ("asked", "place", "text"),
    [
        ({"target": "empty"}, ["target"], "no values"),
        ({"target": "same"}, ["target"], "same value"),
        ({"target": "name", "estimator": "gaussian_naive_bayes"}, ["target"], "one row per class"),
        ({"main_metric": "accuracy"}, ["main_metric"], "known are r2"),
        ({"main_metric": "pinball_loss"}, ["main_metric"], "known are r2"),
        ({"estimator": "os.system"}, ["estimator"], "unknown estimator"),
        ({"params": {"fit_intercept": "yes"}}, ["params", "fit_intercept"], "boolean"),
        (
            {"estimator": "random_forest", "params": {"n_estimators": 1e9}},
            ["params", "n_estimators"],
            "less than or equal",
        ),
        ({"weights": "none"}, ["weights"], "no column"),
        ({"validation": {"kind": "kfold", "folds": 20.5}}, ["validation", "kfold", "folds"], ""),
        ({"validation": {"kind": "group", "column": "g"}}, ["validation", "column"], "no column"),
        (
            {"validation": {"kind": "group", "column": "half", "folds": 3}},
            ["validation", "folds"],
            "2 groups, fewer than the 3 folds",
        ),
        (
            {"validation": {"kind": "time", "column": "name"}},
            ["validation", "column"],
            "ordered by dates or numbers",
        ),
        (
            {"validation": {"kind": "time", "folds": 3, "gap": 100}},
            ["validation", "gap"],
            "leave no rows",
        ),
        (
            {"estimator": "gaussian_naive_bayes"},
            ["estimator"],
            "does not do regression",
        ),
    ],
)
async def test_what_cannot_be_right_is_refused_before_the_queue(
    sign_in: SignIn, asked: dict[str, Any], place: list[str], text: str
) -> None:
    ada = await sign_in("ada")
    lines = ["x1,y,empty,same,name,half"]
    lines += [f"{row % 7},{row * 1.5},,1,n{row},{'ab'[row % 2]}" for row in range(20)]
    content = "\n".join(lines).encode()
    files = {"file": ("table.csv", content, "text/csv")}
    made = await ada.post("/api/v1/datasets", files=files, data={"name": "table"})
    assert made.status_code in (200, 201, 202), made.text
    body = {"dataset_id": made.json()["id"], **LEAST_SQUARES, **asked}
    answer = await ada.post("/api/v1/fits", json=body)
    assert answer.status_code == 422, answer.text
    told = answer.json()["errors"]
    assert ["body", *place] in [error["loc"] for error in told], told
    assert text in " ".join(error["msg"] for error in told)


@pytest.mark.parametrize(
    ("rows", "asked", "text"),
    [
        (range(3), {}, "too few; at least"),
        (
            [f"c{row % 101}" for row in range(202)],
            {"estimator": "random_forest"},
            "101 different values; at most 100 classes",
        ),
    ],
    ids=["few rows", "many classes"],
)
async def test_target_of_which_nothing_can_be_learnt_is_refused_before_the_queue(
    sign_in: SignIn, rows: list[Any], asked: dict[str, Any], text: str
) -> None:
    ada = await sign_in("ada")
    content = "\n".join(["x1,y", *[f"{place},{value}" for place, value in enumerate(rows)]])
    files = {"file": ("table.csv", content.encode(), "text/csv")}
    made = await ada.post("/api/v1/datasets", files=files, data={"name": "table"})
    body = {"dataset_id": made.json()["id"], **LEAST_SQUARES, **asked}
    answer = await ada.post("/api/v1/fits", json=body)
    assert answer.status_code == 422, answer.text
    (told,) = answer.json()["errors"]
    assert told["loc"] == ["body", "target"]
    assert text in told["msg"]


async def test_metrics_are_listed_with_their_directions(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    found = (await ada.get("/api/v1/metrics", params={"task": "regression"})).json()["items"]
    assert found[0]["name"] == "r2"
    directions = {metric["name"]: metric["greater_is_better"] for metric in found}
    assert (directions["r2"], directions["rmse"]) == (True, False)
    assert "accuracy" not in directions
