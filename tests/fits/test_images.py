"""A zip of images through real processes: uploaded, learnt by a network, predicted for."""

from typing import Any

import pytest

from tests.fits.conftest import Live
from tests.science.images import image_zip, picture

pytest.importorskip("torch", reason="needs the extra `torch`")
pytest.importorskip("skorch", reason="needs the extra `torch`")


def _finished(fit: dict[str, Any]) -> bool:
    return fit["state"] not in ("queued", "running")


def test_a_member_fits_images_and_predicts_for_one(live: Live) -> None:
    fit_id = live.start_fit(
        dataset_id=live.upload(image_zip(120)),
        target="label",
        estimator="convolutional_network",
        params={"epochs": 6, "batch_size": 16, "size": "small", "shift": 1},
    )
    fit = live.wait(fit_id, _finished, seconds=100)
    assert fit["state"] == "succeeded", fit
    assert fit["features"] == ["image"]
    assert fit["metrics"]["accuracy"] > 0.9 > fit["baseline_metrics"]["accuracy"]
    path = f"/fits/{fit_id}/predict/file"
    answer = live.client.post(path, files={"file": ("new.png", picture("circle", 5_000))})
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == ["circle"]
    refused = live.client.post(path, files={"file": ("new.png", b"a,b\n1,2\n")})
    assert refused.status_code == 422
    assert "neither a PNG nor a JPEG" in refused.json()["detail"]
    assert live.client.get(f"/fits/{fit_id}/plots/confusion.png").status_code == 200
