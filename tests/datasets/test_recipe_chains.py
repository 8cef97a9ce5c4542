"""Recipes over HTTP beyond one version: joins, roles, replays and exports."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import polars as pl
import pytest

from tests.conftest import DATA, SignIn, upload_csv
from tests.science.images import image_zip

CARS: Final = "power,fuel,sold\n" + "130,gas,01.02.2024\n" * 30 + "?,gas,03.02.2024\n90,steam,?\n"
LATER: Final = "power,fuel,sold\n" + "99,diesel,01.03.2024\n" * 40 + "?,gas,03.02.2025\n8,gas,?\n"
FUELS: Final = "name,price\ngas,1.5\ndiesel,1.75\n"
FIRST: Final[list[dict[str, Any]]] = [
    {"kind": "cast", "columns": ["power"], "to": "number", "errors": "null"},
    {"kind": "parse_dates", "columns": ["sold"], "formats": ["%d.%m.%Y"], "errors": "null"},
]


async def _uploaded(ada: httpx.AsyncClient, text: str, name: str = "cars.csv") -> str:
    answer = await upload_csv(ada, text.encode(), name)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def _number(path: str) -> int:
    return int(path.rpartition("/")[2])


async def _clean(ada: httpx.AsyncClient, path: str, version: int, **body: Any) -> httpx.Response:
    return await ada.post(f"{path}/versions/{version}/recipe", json=body)


async def _frame(ada: httpx.AsyncClient, path: str, version: int) -> pl.DataFrame:
    answer = await ada.get(f"{path}/versions/{version}/download?format=parquet")
    return pl.read_parquet(io.BytesIO(answer.content))


async def test_replay_on_the_next_upload_makes_what_the_script_makes_by_hand(
    sign_in: SignIn, tmp_path: Path
) -> None:
    ada = await sign_in("ada")
    path, fuels = await _uploaded(ada, CARS), await _uploaded(ada, FUELS, "fuels.csv")
    join = {"kind": "join", "dataset_id": _number(fuels), "version": 1, "on": {"fuel": "name"}}
    second = [
        {"kind": "fill_nulls", "columns": {"power": {"method": "median"}}},
        join,
        {"kind": "derive", "name": "cost", "expression": "price * power + weekday(sold)"},
        {"kind": "filter_rows", "expression": "fuel != 'steam'"},
    ]
    assert (await _clean(ada, path, 1, steps=FIRST)).status_code == 201
    made = (await _clean(ada, path, 2, steps=second)).json()["version"]
    inputs = [{"dataset_id": _number(fuels), "version": 1}]
    assert (made["version"], made["parent_version"], made["inputs"]) == (3, 2, inputs)
    sent = await ada.post(f"{path}/versions", files={"file": ("later.csv", LATER)})
    assert sent.json()["version"] == 4
    replayed = await _clean(ada, path, 4, replay_of=3)
    assert replayed.status_code == 201, replayed.text
    version = replayed.json()["version"]
    assert (version["version"], version["parent_version"], version["replay_of"]) == (5, 4, 3)
    assert version["recipe"] == [*FIRST, *second]
    assert version["inputs"] == inputs

    script = await ada.get(f"{path}/versions/3/recipe?format=polars")
    assert script.headers["content-type"].startswith("text/x-python")
    assert "cars-version-3.py" in script.headers["content-disposition"]
    (tmp_path / "clean.py").write_text(script.text)
    (tmp_path / "v1.csv").write_text(CARS)
    (await _frame(ada, path, 4)).write_parquet(tmp_path / "v4.parquet")
    (await _frame(ada, fuels, 1)).write_parquet(tmp_path / "fuels.parquet")
    for source, version_made in (("v1.csv", 3), ("v4.parquet", 5)):
        subprocess.run(  # noqa: S603, ASYNC221  # the script that was downloaded
            [sys.executable, "-I", "clean.py", source, "out.parquet", "fuels.parquet"],
            cwd=tmp_path,
            check=True,
            timeout=60,
        )
        wanted = await _frame(ada, path, version_made)
        assert pl.read_parquet(tmp_path / "out.parquet").equals(wanted)


async def test_whole_way_from_the_upload_is_exported_as_json(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, CARS)
    await _clean(ada, path, 1, steps=FIRST[:1])
    await _clean(ada, path, 2, steps=FIRST[1:])
    whole = (await ada.get(f"{path}/versions/3/recipe")).json()
    assert whole == {"dataset_id": _number(path), "from_version": 1, "version": 3, "steps": FIRST}
    upload = (await ada.get(f"{path}/versions/1/recipe")).json()
    assert (upload["from_version"], upload["steps"]) == (1, [])
    # What was exported can be sent again.
    assert (await _clean(ada, path, 1, steps=whole["steps"])).status_code == 201


async def test_replay_that_does_not_fit_names_the_step_and_makes_nothing(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, CARS)
    await _clean(ada, path, 1, steps=FIRST)
    await ada.post(f"{path}/versions", files={"file": ("other.csv", "power,fuel\n1,gas\n2,gas\n")})
    answer = await _clean(ada, path, 3, replay_of=2)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "Step 2: there is no column 'sold'."
    assert answer.json()["errors"][0]["loc"] == ["body", "replay_of", 1, "columns", 0]
    assert (await ada.get(path)).json()["latest_version"] == 3


@pytest.mark.parametrize(
    ("body", "status", "loc"),
    [
        ({"replay_of": 1}, 422, ["body", "replay_of"]),
        ({"replay_of": 9}, 404, None),
        ({"replay_of": 0}, 422, ["body", "replay_of"]),
        ({}, 422, ["body"]),
        ({"replay_of": 1, "steps": FIRST}, 422, ["body"]),
        (
            {"steps": [{"kind": "filter_rows", "expression": "power >"}]},
            422,
            ["body", "steps", 0, "expression"],
        ),
        (
            {"steps": [{"kind": "derive", "name": "x", "expression": "1", "code": "1"}]},
            422,
            ["body", "steps", 0, "code"],
        ),
        (
            {"steps": [{"kind": "join", "dataset_id": 10**6, "version": 1, "on": {"fuel": "n"}}]},
            404,
            None,
        ),
        (
            {"steps": [{"kind": "join", "dataset_id": 10**30, "version": 1, "on": {"fuel": "n"}}]},
            422,
            ["body", "steps", 0, "dataset_id"],
        ),
        (
            {"steps": [{"kind": "set_role", "columns": {"fuel": "numeric"}}]},
            422,
            ["body", "steps", 0, "columns", "fuel"],
        ),
    ],
)
async def test_bad_request_is_refused_by_place(
    sign_in: SignIn, body: dict[str, Any], status: int, loc: list[Any] | None
) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, CARS)
    answer = await _clean(ada, path, 1, **body)
    assert answer.status_code == status, answer.text
    assert (answer.json()["errors"][0]["loc"] if loc else None) == loc
    assert (await ada.get(path)).json()["latest_version"] == 1


async def test_dry_run_shows_changed_rows_and_added_columns(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, CARS)
    steps = [FIRST[0], {"kind": "derive", "name": "kw", "expression": "power * 0.7355"}]
    body = {"steps": steps}
    answer = await ada.post(f"{path}/versions/1/recipe?dry_run=true", json=body)
    cast, derived = answer.json()["steps"]
    assert cast["first_changes"] == [
        {"row": 30, "kind": "changed", "before": {"power": "?"}, "after": {"power": None}}
    ]
    assert derived["columns_added"] == ["kw"]
    assert len(derived["first_changes"]) == 5


async def test_given_role_is_kept_through_later_recipes(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, CARS)
    await _clean(ada, path, 1, steps=[{"kind": "set_role", "columns": {"fuel": "text"}}])
    await _clean(ada, path, 2, steps=[{"kind": "rename", "columns": {"fuel": "drive"}}])
    columns = (await ada.get(f"{path}/versions/3/profile")).json()["columns"]
    drive = next(column for column in columns if column["name"] == "drive")
    assert (drive["role"], drive["role_given"]) == ("text", True)
    assert not columns[0]["role_given"]


async def test_foreign_trashed_and_image_datasets_are_not_joined(sign_in: SignIn) -> None:
    ada, bob = await sign_in("ada"), await sign_in("bob")
    path = await _uploaded(ada, CARS)
    foreign, trashed = await _uploaded(bob, FUELS), await _uploaded(ada, FUELS)
    images = await ada.post("/api/v1/datasets", files={"file": ("p.zip", image_zip(12))})
    assert (await ada.delete(trashed)).status_code == 204

    async def join(other: str) -> httpx.Response:
        step = {"kind": "join", "dataset_id": _number(other), "version": 1, "on": {"fuel": "name"}}
        return await _clean(ada, path, 1, steps=[step])

    assert (await join(foreign)).status_code == 404
    assert (await join(trashed)).status_code == 404
    refused = await join(images.headers["location"])
    assert refused.json()["errors"][0]["loc"] == ["body", "steps", 0, "dataset_id"]


async def test_script_is_refused_once_a_joined_dataset_is_gone(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path, fuels = await _uploaded(ada, CARS), await _uploaded(ada, FUELS, "fuels.csv")
    step = {"kind": "join", "dataset_id": _number(fuels), "version": 1, "on": {"fuel": "name"}}
    assert (await _clean(ada, path, 1, steps=[step])).status_code == 201
    assert (await ada.delete(fuels)).status_code == 204
    assert (await ada.get(f"{path}/versions/2/recipe?format=polars")).status_code == 409
    assert (await ada.get(f"{path}/versions/2/recipe")).json()["steps"] == [step]


async def test_penguins_are_cleaned_by_expressions(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, (DATA / "penguins.csv").read_text(), "penguins.csv")
    steps = [
        {"kind": "filter_rows", "expression": "sex is not null and bill_length_mm > 40"},
        {"kind": "derive", "name": "ratio", "expression": "bill_length_mm / bill_depth_mm"},
        {"kind": "interactions", "columns": ["bill_length_mm", "bill_depth_mm"]},
    ]
    answer = await _clean(ada, path, 1, steps=steps)
    assert answer.status_code == 201, answer.text
    frame = pl.read_csv(DATA / "penguins.csv", null_values="NA")
    kept = frame.filter(pl.col("sex").is_not_null(), pl.col("bill_length_mm") > 40)
    assert (answer.json()["rows"], answer.json()["columns"]) == (kept.height, frame.width + 2)


async def test_recipes_since_the_upload_are_bounded(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = await _uploaded(ada, "x,y\n1,a\n2,b\n")
    sort = {"kind": "sort", "by": [{"column": "x"}]}
    assert (await _clean(ada, path, 1, steps=[sort] * 100)).status_code == 201
    for version in (2, 3):
        assert (await _clean(ada, path, version, replay_of=version)).status_code == 201
    doubled = await _clean(ada, path, 4, replay_of=4)
    assert (doubled.status_code, doubled.json()["errors"][0]["loc"]) == (
        422,
        ["body", "replay_of"],
    )
    assert "more than 500 steps" in doubled.json()["detail"]
    assert (await _clean(ada, path, 4, steps=[sort] * 100)).status_code == 201
    one_more = await _clean(ada, path, 5, steps=[sort])
    assert (one_more.status_code, one_more.json()["errors"][0]["loc"]) == (422, ["body", "steps"])
    assert len((await ada.get(f"{path}/versions/5/recipe")).json()["steps"]) == 500
    # From the upload there is room again.
    long = {"kind": "replace_values", "column": "y", "values": {"z" * 9_000: "a"}}
    assert (await _clean(ada, path, 1, steps=[long] * 50)).status_code == 201
    too_long = await _clean(ada, path, 6, steps=[long] * 50)
    assert "more than 500,000 characters" in too_long.json()["detail"]
    assert (await ada.get(path)).json()["latest_version"] == 6
