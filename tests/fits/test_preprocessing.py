"""Preprocessing over HTTP: what cannot be is refused by name, what can be is fitted and asked."""

from typing import Any

from fastapi import FastAPI

from tests.conftest import DATA, SignIn
from tests.fits.finishing import finish_fit


async def _penguins(ada: Any) -> int:
    content = (DATA / "penguins.csv").read_bytes()
    made = await ada.post("/api/v1/datasets", files={"file": ("penguins.csv", content)})
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


async def test_owner_is_told_every_wish_that_cannot_be(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    request = {
        "dataset_id": await _penguins(ada),
        "target": "body_mass_g",
        "estimator": "ridge",
        "preprocessing": {
            "columns": {
                "island": {"transform": "log"},
                "bill_length_mm": {"encode": "one_hot"},
                "wings": {},
            },
            "features": [{"kind": "spline", "columns": ["sex"]}],
        },
        "class_weight": "balanced",
        "weights": "species",
    }
    answer = await ada.post("/api/v1/fits", json=request)
    assert answer.status_code == 422
    assert {".".join(map(str, error["loc"][1:])) for error in answer.json()["errors"]} == {
        "preprocessing.columns.island.transform",
        "preprocessing.columns.bill_length_mm.encode",
        "preprocessing.columns.wings",
        "preprocessing.features.0.columns",
        "class_weight",
        "weights",
    }


async def test_owner_asks_a_fit_of_transformed_columns(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    request = {
        "dataset_id": await _penguins(ada),
        "target": "body_mass_g",
        "features": ["bill_length_mm", "flipper_length_mm", "island"],
        "estimator": "ridge",
        "target_transform": "log",
        "preprocessing": {
            "columns": {
                "bill_length_mm": {"transform": "log", "impute": "drop_rows"},
                "island": {"encode": "target"},
            },
            "features": [{"kind": "spline", "columns": ["flipper_length_mm"]}],
        },
    }
    made = await ada.post("/api/v1/fits", json=request)
    assert made.status_code == 202, made.text
    address = f"/api/v1/fits/{made.json()['id']}"
    await finish_fit(app, made.json()["id"])
    fit = (await ada.get(address)).json()
    assert fit["metrics"]["r2"] > 0.6
    assert "Left out for want of bill_length_mm: 2 rows." not in fit["warnings"]  # no target either
    row = {"bill_length_mm": 45, "flipper_length_mm": 210, "island": "Atlantis"}
    answer = await ada.post(f"{address}/predict", json={"rows": [row]})
    assert answer.status_code == 200, answer.text
    assert 4_000 < answer.json()["predictions"][0] < 5_500
    refused = await ada.post(f"{address}/predict", json={"rows": [row | {"bill_length_mm": 0}]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["msg"] == "bill_length_mm must be greater than 0 or null"
    schema = (await ada.get(f"{address}/coefficients")).json()
    assert any("bill_length_mm" in item["term"] for item in schema["items"])
