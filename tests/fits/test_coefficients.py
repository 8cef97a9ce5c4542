"""The coefficients of a fit over HTTP."""

import pytest
from fastapi import FastAPI

from tests.conftest import SignIn
from tests.fits.finishing import finish_fit


@pytest.mark.parametrize(
    ("estimator", "status"), [("ordinary_least_squares", 200), ("k_nearest_neighbors", 409)]
)
async def test_owner_reads_the_coefficients_of_a_linear_fit(
    app: FastAPI, sign_in: SignIn, estimator: str, status: int
) -> None:
    ada = await sign_in("ada")
    x = [float(number) for number in range(20)]
    y = [2 * value + 1 + (-1) ** at * 0.5 for at, value in enumerate(x)]
    made = await ada.post("/api/v1/datasets", json={"name": "line", "X": x, "y": y})
    request = {
        "dataset_id": made.json()["id"],
        "target": "y",
        "features": ["x1"],
        "estimator": estimator,
        "validation": {"kind": "none"},
    }
    fit = (await ada.post("/api/v1/fits", json=request)).json()
    early = await ada.get(f"/api/v1/fits/{fit['id']}/coefficients")
    assert (early.status_code, early.json()["code"]) == (409, "fit_without_results")
    await finish_fit(app, fit["id"])
    answer = await ada.get(f"/api/v1/fits/{fit['id']}/coefficients")
    assert answer.status_code == status, answer.text
    if status == 409:
        assert answer.json()["code"] == "fit_without_coefficients"
        return
    intercept, slope = answer.json()["items"]
    assert (intercept["term"], slope["term"]) == ("(Intercept)", "x1")
    assert slope["ci_low"] < slope["estimate"] < slope["ci_high"]
    assert slope["estimate"] == pytest.approx(2, abs=0.05)
    assert answer.json()["degrees_of_freedom"] == 18


@pytest.mark.parametrize(
    ("params", "field"), [({"n_neighbors": True}, "n_neighbors"), ({"p": "2"}, "p")]
)
async def test_parameter_of_another_type_is_refused_by_name(
    sign_in: SignIn, params: dict[str, object], field: str
) -> None:
    ada = await sign_in("ada")
    made = await ada.post("/api/v1/datasets", json={"name": "line", "X": [1, 2], "y": [1, 2]})
    request = {
        "dataset_id": made.json()["id"],
        "target": "y",
        "estimator": "k_nearest_neighbors",
        "params": params,
    }
    answer = await ada.post("/api/v1/fits", json=request)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "params", field]
