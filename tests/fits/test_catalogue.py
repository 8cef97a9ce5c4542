"""The catalogue over HTTP, and what a fit may ask of it."""

from typing import Any

import pytest

from backend.science import extras
from backend.science.catalogue import ESTIMATORS
from tests.conftest import SignIn, upload_csv

V1 = "/api/v1"


async def test_a_member_reads_how_each_estimator_is_asked_for(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    items = {i["name"]: i for i in (await ada.get(f"{V1}/estimators")).json()["items"]}
    assert set(items) == set(ESTIMATORS)
    forest = items["random_forest"]
    trees = forest["params_schema"]["properties"]["n_estimators"]
    assert (trees["minimum"], trees["maximum"]) == (1, 2_000)
    assert forest["defaults"]["n_estimators"] == 100
    assert forest["presets"]["accurate"] == {"n_estimators": 500}
    assert forest["search_space"]["min_samples_leaf"] == {"low": 1, "high": 30, "log": True}
    assert items["gaussian_process"]["most_rows"] == 2_000
    assert items["xgboost"]["install"].endswith("pip install -e '.[boosting]'")
    assert items == {name: (await ada.get(f"{V1}/estimators/{name}")).json() for name in ESTIMATORS}


@pytest.mark.parametrize(
    ("query", "some", "others"),
    [
        ("task=regression", "lasso", "gaussian_naive_bayes"),
        ("task=multiclass", "gaussian_naive_bayes", "lasso"),
        ("data=image", "convolutional_network", "ridge"),
        ("task=binary&data=table", "svm", "convolutional_network"),
    ],
)
async def test_a_member_lists_only_what_goes_with_the_question(
    sign_in: SignIn, query: str, some: str, others: str
) -> None:
    ada = await sign_in("ada")
    names = {i["name"] for i in (await ada.get(f"{V1}/estimators?{query}")).json()["items"]}
    assert some in names
    assert others not in names
    assert (await ada.get(f"{V1}/estimators?task=guessing")).status_code == 422


@pytest.mark.parametrize(
    ("request_of_it", "field", "told"),
    [
        ({"estimator": "random_forest", "params": {"n_estimators": 1e9}}, "n_estimators", ""),
        (
            {"estimator": "random_forest", "params": {"n_estimators": 10**9}},
            "n_estimators",
            "less than or equal to 2000",
        ),
        ({"estimator": "lightgbm", "params": {"learning_rate": "0.1"}}, "learning_rate", "number"),
        ({"estimator": "tweedie", "params": {"power": 0.5}}, "power", "between 0 and 1"),
        ({"estimator": "svm", "params": {"shrinking": True}}, "shrinking", "not permitted"),
        ({"estimator": "sklearn.svm.SVC"}, "estimator", "unknown estimator"),
    ],
)
async def test_what_the_catalogue_does_not_allow_is_refused_by_name(
    sign_in: SignIn, request_of_it: dict[str, Any], field: str, told: str
) -> None:
    ada = await sign_in("ada")
    dataset_id = (await upload_csv(ada)).json()["id"]
    body = {"dataset_id": dataset_id, "target": "body_mass_g", **request_of_it}
    answer = await ada.post(f"{V1}/fits", json=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["loc"][-1] == field
    assert told in problem["msg"]


async def test_without_the_extra_boosting_is_listed_and_refused(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(extras.MODULES, "boosting", ("a_module_that_is_not_there",))
    ada = await sign_in("ada")
    assert not (await ada.get(f"{V1}/estimators/xgboost")).json()["available"]
    body = {
        "dataset_id": (await upload_csv(ada)).json()["id"],
        "target": "species",
        "estimator": "xgboost",
    }
    answer = await ada.post(f"{V1}/fits", json=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["loc"] == ["body", "estimator"]
    assert "pip install" in problem["msg"]
