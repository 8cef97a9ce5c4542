"""An image model is retrained by uploading a zip, and predicts an uploaded image."""

import pytest
from fastapi import FastAPI

from backend.core.access import Role
from tests.conftest import SignIn
from tests.fits.finishing import finish_fit
from tests.registry.registering import V1
from tests.retraining.comparing import finish_retraining
from tests.science.images import image_zip, picture

pytest.importorskip("torch")
NETWORK = {
    "target": "label",
    "estimator": "convolutional_network",
    "params": {"epochs": 6},
}


async def test_zip_retrains_and_an_image_is_predicted(app: FastAPI, sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    files = {"file": ("few.zip", image_zip(60))}
    dataset = (await admin.post(f"{V1}/datasets", files=files)).json()
    assert dataset["kind"] == "image"
    fit = await admin.post(f"{V1}/fits", json={"dataset_id": dataset["id"], **NETWORK})
    assert fit.status_code == 202, fit.text
    await finish_fit(app, fit.json()["id"])
    body = {"name": "shapes", "fit_id": fit.json()["id"]}
    model = (await admin.post(f"{V1}/models", json=body)).json()
    base = f"{V1}/models/{model['id']}"
    await admin.put(f"{base}/aliases/champion", json={"version": 1, "reason": "first"})
    schema = (await admin.get(f"{base}/schema")).json()
    assert (schema["kind"], schema["inputs"][0]["width"]) == ("image", 12)
    answer = await admin.post(
        f"{base}/predict/file", files={"file": ("x.png", picture("circle", 999))}
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["probabilities"][0]) == {"circle", "cross"}
    for content in (b"", b"no image", image_zip(20)):
        bad = await admin.post(f"{base}/predict/file", files={"file": ("x.png", content)})
        assert bad.status_code == 422, content[:20]
    rows = await admin.post(f"{base}/predict", json={"rows": [{"image": 1}]})
    assert rows.status_code == 422
    # The first half of the new zip is the old one: its hold-out must not be learnt from.
    retrain = await admin.post(f"{base}/retrain", files={"file": ("more.zip", image_zip(160))})
    assert retrain.status_code == 202, retrain.text
    ended = await finish_retraining(app, admin, retrain.json()["id"])
    assert ended["state"] in ("promoted", "rejected"), ended["error"]
    assert ended["evidence"]["withheld_rows"] >= ended["evidence"]["rows"] == 12


async def test_table_and_other_sizes_cannot_retrain_an_image_model(
    app: FastAPI, sign_in: SignIn
) -> None:
    admin = await sign_in("root", Role.ADMIN)
    files = {"file": ("few.zip", image_zip(40))}
    dataset = (await admin.post(f"{V1}/datasets", files=files)).json()
    body = {"dataset_id": dataset["id"], **NETWORK, "params": {"epochs": 1}}
    fit_id = (await admin.post(f"{V1}/fits", json=body)).json()["id"]
    await finish_fit(app, fit_id)
    model = (await admin.post(f"{V1}/models", json={"name": "m", "fit_id": fit_id})).json()
    base = f"{V1}/models/{model['id']}"
    await admin.put(f"{base}/aliases/champion", json={"version": 1, "reason": "first"})
    table = await admin.post(f"{base}/retrain", files={"file": ("x.csv", b"label,a\nx,1\ny,2\n")})
    assert table.status_code == 422, table.text
    other = await admin.post(f"{base}/retrain", files={"file": ("x.zip", image_zip(40, side=16))})
    assert other.status_code == 422
    assert "16 x 16 pixels in grey, those of the champion 12 x 12" in other.json()["detail"]
