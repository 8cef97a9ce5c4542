"""Predicting by model and by fit: rows, one row, a CSV file."""

import csv
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.serving.predictor import Predictor
from backend.tables import Fit
from tests.conftest import DATA, SignIn, upload_csv
from tests.registry.registering import V1, make_fit, make_model

ADELIE = {"bill_length_mm": 40.3, "flipper_length_mm": 195}


def _places(answer: httpx.Response) -> list[tuple[Any, ...]]:
    return [(*entry["loc"], entry["type"]) for entry in answer.json()["errors"]]


async def test_member_predicts_by_query_parameters_and_by_rows(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    one = await ada.get(f"{V1}/models/{model['id']}/predict", params=ADELIE)
    assert one.status_code == 200, one.text
    assert one.json()["predictions"] == ["Adelie"]
    assert one.json()["version"] == 1
    rows = await ada.post(f"{V1}/models/{model['id']}/predict", json={"rows": [ADELIE]})
    fit = await ada.get(f"{V1}/fits/{model['fit_id']}/predict", params=ADELIE)
    assert rows.json()["probabilities"] == one.json()["probabilities"]
    assert fit.json() == {**one.json(), "version": None}


async def test_every_bad_parameter_is_named_at_once(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}/predict"
    bad = await ada.get(url, params={"bill_length_mm": "abc", "color": "red"})
    assert bad.status_code == 422
    assert _places(bad) == [
        ("query", "bill_length_mm", "type"),
        ("query", "flipper_length_mm", "missing"),
        ("query", "color", "unknown"),
    ]
    twice = await ada.get(f"{url}?bill_length_mm=1&bill_length_mm=2&flipper_length_mm=1")
    assert twice.status_code == 422
    assert _places(twice) == [("query", "bill_length_mm", "duplicate")]
    for text in ("1_000", "nan", "inf", "1e999", "0x10", "\uff14\uff10"):
        answer = await ada.get(url, params={**ADELIE, "bill_length_mm": text})
        assert answer.status_code == 422, text


async def test_empty_parameter_is_a_missing_value(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}/predict"
    answer = await ada.get(url, params={**ADELIE, "bill_length_mm": ""})
    same = await ada.post(url, json={"rows": [{**ADELIE, "bill_length_mm": None}]})
    assert answer.json() == same.json()


async def test_csv_comes_back_with_predictions_beside_its_columns(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    body = b"flipper_length_mm;bill_length_mm\n195;40.3\n;\n230;50.1\n"
    answer = await ada.post(
        f"{V1}/models/{model['id']}/predict/file", files={"file": ("new.csv", body)}
    )
    assert answer.status_code == 200, answer.text
    assert "new-predictions.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text), delimiter=";"))
    assert [row["prediction"] for row in rows][::2] == ["Adelie", "Gentoo"]
    assert rows[0]["flipper_length_mm"] == "195"
    assert float(rows[2]["probability:Gentoo"]) == 1.0


async def test_whole_training_file_predicts_as_rows_do(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = (await upload_csv(ada)).json()
    fit_id = await make_fit(
        ada, app, dataset["id"], target="body_mass_g", estimator="ordinary_least_squares"
    )
    content = (DATA / "penguins.csv").read_bytes()
    url = f"{V1}/fits/{fit_id}/predict"
    answer = await ada.post(f"{url}/file", files={"file": ("penguins.csv", content)})
    assert answer.status_code == 200, answer.text
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 344
    inputs = (await ada.get(f"{V1}/fits/{fit_id}/schema")).json()["inputs"]
    asked = []
    for row in rows:
        cells = {c["name"]: row[c["name"]] for c in inputs}
        asked.append(
            {
                c["name"]: None
                if cells[c["name"]] in ("", "NA")
                else (float(cells[c["name"]]) if c["numeric"] else cells[c["name"]])
                for c in inputs
            }
        )
    by_rows = (await ada.post(url, json={"rows": asked})).json()["predictions"]
    assert [float(row["prediction"]) for row in rows] == pytest.approx(by_rows, rel=1e-12)


async def test_bad_csv_names_every_column_and_the_line(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    url = f"{V1}/models/{model['id']}/predict/file"
    body = b'bill_length_mm,color\n40.3,"a\nb"\nabc,red\nx,red\n'
    answer = await ada.post(url, files={"file": ("bad.csv", body)})
    assert answer.status_code == 422
    assert _places(answer) == [
        ("body", "file", "column", "flipper_length_mm", "missing"),
        ("body", "file", "column", "color", "unknown"),
        ("body", "file", "line", 4, "column", "bill_length_mm", "type"),
    ]
    assert "'abc' (2 such values)" in answer.json()["errors"][2]["msg"]
    for content in (b"", b"bill_length_mm,flipper_length_mm\n", b"\xff\xfe", b"a,b\n1\n"):
        broken = await ada.post(url, files={"file": ("bad.csv", content)})
        assert broken.status_code == 422, content
    assert (await ada.post(url, json={"rows": []})).status_code == 415


async def test_formula_in_a_cell_comes_back_as_text(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = (await upload_csv(ada)).json()
    fit_id = await make_fit(
        ada,
        app,
        dataset["id"],
        target="body_mass_g",
        features=["island", "bill_length_mm"],
        estimator="ridge",
    )
    body = b"island,bill_length_mm\n=1+1,-40.3\n"
    answer = await ada.post(f"{V1}/fits/{fit_id}/predict/file", files={"file": ("x.csv", body)})
    assert answer.text.splitlines()[1].startswith("'=1+1,-40.3,")


async def test_model_without_champion_says_so_and_answers_by_version(
    app: FastAPI, sign_in: SignIn
) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app, promote=False)
    url = f"{V1}/models/{model['id']}/predict"
    answer = await ada.get(url, params=ADELIE)
    assert (answer.status_code, answer.json()["code"]) == (409, "model_without_alias")
    by_version = await ada.get(url, params={**ADELIE, "version": 1})
    assert by_version.json()["predictions"] == ["Adelie"]
    assert (await ada.get(url, params={**ADELIE, "version": 9})).status_code == 404
    both = {"rows": [ADELIE], "version": 1, "alias": "champion"}
    assert (await ada.post(url, json=both)).status_code == 422


async def test_moved_alias_answers_with_the_next_request(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    base = f"{V1}/models/{model['id']}"
    reversed_species = (DATA / "penguins.csv").read_text()
    reversed_species = reversed_species.replace("Adelie", "X").replace("Gentoo", "Adelie")
    dataset = (await upload_csv(ada, reversed_species.replace("X", "Gentoo").encode())).json()
    fit_id = await make_fit(ada, app, dataset["id"])
    await ada.post(f"{base}/versions", json={"fit_id": fit_id})
    for version, expected in ((2, "Gentoo"), (1, "Adelie")):
        await ada.put(
            f"{base}/aliases/champion", json={"version": version, "reason": f"v{version}"}
        )
        answer = (await ada.get(f"{base}/predict", params=ADELIE)).json()
        assert (answer["predictions"], answer["version"]) == ([expected], version)


async def test_damaged_model_file_is_never_loaded(app: FastAPI, sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    model = await make_model(ada, app)
    async with app.state.sessions() as session:
        fit = await session.get_one(Fit, model["fit_id"])
    path = Path(app.state.settings.home) / "files" / fit.artifacts["model"][:2]
    path /= fit.artifacts["model"]
    app.state.predictor = Predictor(app.state.blobs)  # nothing loaded yet
    original = path.read_bytes()
    path.write_bytes(original + b"x")
    try:
        answer = await ada.get(f"{V1}/models/{model['id']}/predict", params=ADELIE)
    finally:
        path.write_bytes(original)
    assert (answer.status_code, answer.json()["code"]) == (503, "file_missing")
    answer = await ada.get(f"{V1}/models/{model['id']}/predict", params=ADELIE)
    assert answer.json()["predictions"] == ["Adelie"]
