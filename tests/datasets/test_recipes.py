"""Cleaning recipes over HTTP: dry run, the next version, and what is refused."""

from typing import Any

import httpx
import pytest

from tests.conftest import SignIn, upload_csv
from tests.science.images import image_zip

POWER = "power,fuel\n" + "130,gas\n" * 30 + "?,gas\n?,diesel\n"
TO_NUMBER = {"kind": "cast", "columns": ["power"], "to": "number", "errors": "null"}


async def _uploaded(ada: httpx.AsyncClient, text: str = POWER) -> str:
    answer = await upload_csv(ada, text.encode(), "cars.csv")
    return str(answer.headers["location"])


async def test_dry_run_reports_each_step_and_makes_nothing(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada)
    steps = [TO_NUMBER, {"kind": "drop_nulls"}, {"kind": "drop_columns", "columns": ["fuel"]}]
    answer = await ada.post(f"{path}/versions/1/recipe?dry_run=true", json={"steps": steps})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert (content["rows"], content["columns"], content["version"]) == (30, 1, None)
    assert [step["rows_after"] for step in content["steps"]] == [32, 30, 30]
    assert [step["missing_after"] for step in content["steps"]] == [2, 0, 0]
    assert [step["columns_after"] for step in content["steps"]] == [2, 2, 1]
    assert (await ada.get(path)).json()["latest_version"] == 1


async def test_recipe_makes_the_next_version_and_says_how(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada)
    made = await ada.post(f"{path}/versions/1/recipe", json={"steps": [TO_NUMBER]})
    assert made.status_code == 201, made.text
    version = made.json()["version"]
    assert (version["version"], version["origin"], version["parent_version"]) == (2, "recipe", 1)
    assert version["recipe"] == [TO_NUMBER]
    assert version["warnings"] == []
    assert made.headers["location"] == f"{path}/versions/2"
    assert (await ada.get(f"{path}/versions/2")).json() == version
    columns = (await ada.get(f"{path}/versions/2/profile")).json()["columns"]
    assert (columns[0]["type"], columns[0]["nulls"]) == ("number", 2)
    original = await ada.get(f"{path}/versions/2/download")
    assert original.content[:4] == b"PAR1"
    assert "cars.parquet" in original.headers["content-disposition"]


async def test_doubt_that_a_recipe_leaves_is_still_told(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada)
    steps = [{"kind": "sort", "by": [{"column": "fuel"}]}]
    made = await ada.post(f"{path}/versions/1/recipe", json={"steps": steps})
    assert made.json()["version"]["warnings"] == ["power: 2 of 32 values are not numbers: '?'"]


async def test_same_key_makes_one_version(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada)
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = await ada.post(
            f"{path}/versions/1/recipe", json={"steps": [TO_NUMBER]}, headers=headers
        )
        assert answer.json()["version"]["version"] == 2


@pytest.mark.parametrize(
    ("steps", "places"),
    [
        ([], [[]]),
        ([{"kind": "evaluate", "code": "1"}], [[0]]),
        ([{}], [[0]]),
        (["drop_nulls"], [[0]]),
        ([TO_NUMBER, {"kind": "drop_columns"}], [[1, "columns"]]),
        ([{"kind": "drop_columns", "columns": []}], [[0, "columns"]]),
        ([{"kind": "drop_nulls", "how": "any"}], [[0, "how"]]),
        ([{**TO_NUMBER, "errors": "refuse"}], [[0, "columns", 0]]),
        (
            [TO_NUMBER, {"kind": "drop_columns", "columns": ["fuel", "a", "b"]}],
            [[1, "columns", 1], [1, "columns", 2]],
        ),
        ([{"kind": "fill_nulls", "columns": {"fuel": {"method": "median"}}}],
         [[0, "columns", "fuel", "method"]]),
        ([{"kind": "fill_nulls", "columns": {"fuel": {"method": "constant"}}}],
         [[0, "columns", "fuel"]]),
        ([{"kind": "replace_values", "column": "fuel", "values": {"gas": [1]}}],
         [[0, "values", "gas"]]),
        ([{"kind": "replace_values", "column": "fuel", "values": {"gas": 1}}],
         [[0, "values", "gas"]]),
        ([{"kind": "rename", "columns": {"power": "FUEL"}}], [[0, "columns", "power"]]),
        ([{"kind": "rename", "columns": {"power": "  "}}], [[0, "columns", "power"]]),
        ([{"kind": "rename", "columns": {"power": "a\x00"}}], [[0, "columns", "power"]]),
        ([{"kind": "clip", "columns": {"power": {"lower": 1}}}], [[0, "columns", "power"]]),
        ([{"kind": "clip", "columns": {"power": {"lower": 2, "upper": 1}}}],
         [[0, "columns", "power"]]),
        ([{"kind": "filter_rows",
           "conditions": [{"column": "fuel", "operator": "==", "value": 1}]}],
         [[0, "conditions", 0, "value"]]),
        ([{"kind": "filter_rows",
           "conditions": [{"column": "fuel", "operator": "==", "value": "none"}]}], [[0]]),
        ([{"kind": "filter_rows",
           "conditions": [{"column": "fuel", "operator": "__import__", "value": 1}]}],
         [[0, "conditions", 0, "operator"]]),
        ([{"kind": "sample", "rows": 33}], [[0, "rows"]]),
        ([{"kind": "sample"}], [[0]]),
        ([{"kind": "drop_columns", "columns": ["fuel", "power"]}], [[0]]),
    ],
)  # fmt: skip
async def test_bad_step_is_refused_by_place_and_makes_nothing(
    sign_in: SignIn, steps: list[Any], places: list[list[str | int]]
) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada)
    answer = await ada.post(f"{path}/versions/1/recipe", json={"steps": steps})
    assert answer.status_code == 422, answer.text
    found = [entry["loc"] for entry in answer.json()["errors"]]
    assert found == [["body", "steps", *place] for place in places], answer.text
    assert (await ada.get(path)).json()["latest_version"] == 1


async def test_values_that_do_not_fit_are_shown(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada)
    step = {**TO_NUMBER, "errors": "refuse"}
    answer = await ada.post(f"{path}/versions/1/recipe", json={"steps": [step]})
    assert answer.json()["detail"] == "Step 1: power: 2 of 32 values are not numbers: '?'."


async def test_images_are_no_table(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    sent = await ada.post("/api/v1/datasets", files={"file": ("p.zip", image_zip(12))})
    path = sent.headers["location"]
    answer = await ada.post(f"{path}/versions/1/recipe", json={"steps": [{"kind": "drop_nulls"}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_a_table")
    listed = await ada.get(f"{path}/versions/1/download?format=csv")
    assert listed.status_code == 200
    assert "label" in listed.text.splitlines()[0]
