"""Networks over images: learn, repeat themselves to the bit, are stored and predict."""

import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from backend.science.fit import FitResult, describe_inputs
from backend.science.images.archive import ArchiveLimits, open_archive
from backend.science.images.classifier import ImageClassifier
from backend.science.images.fit import fit_images
from backend.science.images.image_table import ImageTable, read_pixels, write_images
from backend.science.images.predict import predict_image
from backend.science.images.problem import ImageProblem
from backend.science.refusal import FitRefused
from backend.science.run import run_request
from backend.science.spec import FitSpec
from tests.science.images import image_zip, labels, picture, png
from tests.science.tables import penguins

# As the worker does: threads that spin while they wait take the other tests' time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
pytest.importorskip("torch", reason="needs the extra `torch`")
pytest.importorskip("skorch", reason="needs the extra `torch`")

COUNT = 120
ESTIMATOR = "convolutional_network"
QUICK = {"epochs": 6, "batch_size": 16, "size": "small", "shift": 1}


def stored(folder: Path, content: bytes) -> tuple[Path, ImageTable]:
    archive, path = folder / "images.zip", folder / "images.parquet"
    archive.write_bytes(content)
    with open_archive(archive, ArchiveLimits(max_images=1_000, max_bytes=10**8)) as images:
        return path, write_images(images, path, 10**8)


def run(folder: Path, content: bytes, **spec: Any) -> FitResult:
    path, told = stored(folder, content)
    request = {"target": "label", "estimator": ESTIMATOR, "params": QUICK, **spec}
    return fit_images(
        FitSpec.model_validate(request),
        pq.read_table(path),
        told.columns,
        on_progress=lambda _share, _text: None,
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    return run(tmp_path_factory.mktemp("fit"), image_zip(COUNT))


def predicted(fitted: FitResult, content: bytes) -> Any:
    output = {"classes": fitted.classes}
    answer = predict_image(fitted.pipeline, describe_inputs(fitted.inputs), output, content)
    assert answer.probabilities is not None
    assert sum(answer.probabilities[0].values()) == pytest.approx(1)
    return answer.predictions[0]


def test_network_tells_circles_from_crosses(fitted: FitResult) -> None:
    assert fitted.task == "binary"
    assert fitted.classes == ["circle", "cross"]
    assert fitted.metrics["accuracy"] > 0.9 > fitted.baseline_metrics["accuracy"]
    assert fitted.warnings == []
    assert (fitted.rows_used, fitted.holdout is not None) == (96, True)
    assert describe_inputs(fitted.inputs) == [
        {
            "name": "image",
            "type": "image",
            "numeric": False,
            "width": 12,
            "height": 12,
            "channels": 1,
        }
    ]


def test_same_seed_same_numbers_to_the_bit(fitted: FitResult, tmp_path: Path) -> None:
    again = run(tmp_path, image_zip(COUNT))
    other = run(tmp_path, image_zip(COUNT), seed=1)
    assert again.metrics == fitted.metrics
    assert fitted.holdout is not None
    assert again.holdout is not None
    assert again.holdout.probabilities is not None
    assert fitted.holdout.probabilities is not None
    assert np.array_equal(again.holdout.probabilities, fitted.holdout.probabilities)
    assert other.metrics != fitted.metrics


@pytest.mark.parametrize("kind", ["circle", "cross"])
def test_new_picture_is_predicted(fitted: FitResult, kind: str) -> None:
    assert predicted(fitted, picture(kind, 9_999)) == kind


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.convert("RGB"),
        lambda image: image.convert("RGBA"),
        lambda image: image.resize((24, 24)),
        lambda image: image.convert("P"),
    ],
)
def test_other_modes_and_sizes_are_brought_to_the_models(
    fitted: FitResult, change: Callable[[Image.Image], Image.Image]
) -> None:
    image = Image.open(io.BytesIO(picture("cross", 4_000)))
    assert predicted(fitted, png(change(image))) == "cross"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither a PNG nor a JPEG"),
        (b"GIF89a", "neither a PNG nor a JPEG"),
        (picture("cross", 0)[:60], "damaged"),
        (png(Image.new("L", (24, 12))), "24 x 12 pixels, the model learnt 12 x 12"),
        (png(Image.new("1", (6_000, 6_000))), "at most 25,000,000"),
        (png(Image.new("I;16", (12, 12))), "more than 8 bits"),
    ],
)
def test_unfit_picture_is_refused_with_the_reason(
    fitted: FitResult, content: bytes, words: str
) -> None:
    with pytest.raises(ImageProblem, match=words):
        predicted(fitted, content)


def test_stored_network_is_small_and_predicts_the_same(fitted: FitResult) -> None:
    file = io.BytesIO()
    joblib.dump(fitted.pipeline, file, compress=1)
    assert file.tell() < 200_000
    file.seek(0)
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 1), dtype=np.uint8)
    loaded = joblib.load(file)
    assert np.array_equal(loaded.predict_proba(images), fitted.pipeline.predict_proba(images))


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 31, 3), (40, 12, 1)])
def test_network_fits_images_of_any_shape(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (17, *shape), dtype=np.uint8)
    codes = np.arange(17) % 3
    classifier = ImageClassifier(epochs=1, batch_size=16, filters=16).fit(images, codes)
    assert classifier.predict_proba(images).shape == (17, 3)


def test_run_leaves_files_and_tells_each_epoch(tmp_path: Path) -> None:
    table, told = stored(tmp_path, image_zip(60))
    folder = tmp_path / "out"
    folder.mkdir()
    seen: list[tuple[float, str]] = []
    summary = run_request(
        {
            "spec": {
                "target": "label",
                "estimator": ESTIMATOR,
                "params": {**QUICK, "epochs": 3},
            },
            "columns": [asdict(column) for column in told.columns],
            "table": str(table),
            "folder": str(folder),
        },
        lambda share, text: seen.append((share, text)),
    )
    assert {path.name for path in folder.iterdir()} == {
        "model.joblib",
        "holdout.parquet",
        "plots.json",
        "input_example.json",
    }
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert [n for n in (1, 2, 3) if any(f"Epoch {n} of 3, loss" in text for _, text in seen)] == [
        1,
        2,
        3,
    ]
    assert summary["features"] == ["image"]
    assert summary["output"]["classes"] == ["circle", "cross"]
    assert list(json.loads((folder / "plots.json").read_text())) == ["confusion"]


def test_withheld_images_are_not_learnt_from(tmp_path: Path) -> None:
    """The hold-out of another archive, half of which stands in this one under other names."""
    (tmp_path / "old").mkdir()
    old, old_told = stored(tmp_path / "old", image_zip(40))
    pd.DataFrame({"row": np.arange(0, 40, 2)}).to_parquet(tmp_path / "holdout.parquet")
    table, told = stored(tmp_path, image_zip(60, folder="new/", seed=0))
    folder = tmp_path / "out"
    folder.mkdir()
    summary = run_request(
        {
            "spec": {"target": "label", "estimator": ESTIMATOR, "params": {**QUICK, "epochs": 1}},
            "columns": [asdict(column) for column in told.columns],
            "table": str(table),
            "folder": str(folder),
            "withheld": {
                "table": str(old),
                "columns": [asdict(column) for column in old_told.columns],
                "holdout": str(tmp_path / "holdout.parquet"),
                "names": ["image", "label"],
            },
        },
        lambda _share, _text: None,
    )
    assert summary["rows_withheld"] == 20
    assert summary["rows_used"] + summary["rows_holdout"] == 40


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (image_zip(20, names=["same"] * 20), "same value in every row"),
        (image_zip(6), "too few"),
        (image_zip(150, names=[f"label {n}" for n in range(150)]), "at most 100 classes"),
    ],
)
def test_images_that_cannot_be_learnt_are_refused(
    content: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(FitRefused, match=words):
        run(tmp_path, content)


def test_table_is_refused_by_a_network() -> None:
    data = penguins()
    with pytest.raises(FitRefused, match="is a table"):
        fit_images(
            FitSpec(target="species", estimator=ESTIMATOR),
            data.table,
            data.columns,
            on_progress=lambda _share, _text: None,
        )


def test_pixels_come_back_as_they_were_sent(tmp_path: Path) -> None:
    path, _ = stored(tmp_path, image_zip(5, mode="RGB"))
    table = pq.read_table(path)
    assert table["label"].to_pylist() == labels(5)
    sent = [
        np.array(Image.open(io.BytesIO(picture(k, n, mode="RGB")))) for n, k in enumerate(labels(5))
    ]
    assert np.array_equal(read_pixels(table), np.array(sent))
