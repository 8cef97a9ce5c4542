"""A network over images in MLflow: whoever has PyTorch loads it, without this project."""

import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest

from backend.science.images.classifier import ImageClassifier
from backend.tracking.mlflow import MlflowTracker
from tests.tracking.conftest import MlflowServer
from tests.tracking.record import make_record

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
pytest.importorskip("torch", reason="needs the extra `torch`")
pytest.importorskip("skorch", reason="needs the extra `torch`")

NOTEBOOK = """
import json, sys
import mlflow.pyfunc
import numpy as np

model = mlflow.pyfunc.load_model(sys.argv[1])
images = np.load(sys.argv[2])
json.dump({
    "classes": model.predict(images).tolist(),
    "shape": list(model.metadata.signature.inputs.inputs[0].shape),
    "ours": [name for name in sys.modules if name.partition(".")[0] in ("backend", "sklearn")],
    "requirements": open(
        mlflow.artifacts.download_artifacts(f"{sys.argv[1]}/requirements.txt")
    ).read(),
}, sys.stdout)
"""


def test_a_reader_loads_the_network(
    mlflow_server: MlflowServer, tracker: MlflowTracker, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 9, 12, 3), dtype=np.uint8)
    labels = np.where(np.arange(24) % 2, "dark", "light")
    images[labels == "dark"] //= 4
    classifier = ImageClassifier(epochs=2, filters=16, batch_size=8).fit(images, labels)
    joblib.dump(classifier, tmp_path / "model.joblib")
    np.save(tmp_path / "images.npy", images)
    record = make_record(
        901,
        "anna",
        tmp_path / "model.joblib",
        dataset_columns=[
            {"name": "image", "type": "image"},
            {"name": "label", "type": "string"},
        ],
        target="label",
        input_columns=[
            {
                "name": "image",
                "type": "image",
                "numeric": False,
                "width": 12,
                "height": 9,
                "channels": 3,
            }
        ],
        output={"name": "label", "task": "binary", "classes": ["dark", "light"]},
        input_example=[],
    )
    run = tracker.record_fit(record)
    answer = subprocess.run(  # noqa: S603  # our own program
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            NOTEBOOK,
            str(run.model_uri),
            str(tmp_path / "images.npy"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "MLFLOW_TRACKING_URI": mlflow_server.url,
            "MLFLOW_TRACKING_USERNAME": "token",
            "MLFLOW_TRACKING_PASSWORD": "gf_anna",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    loaded = json.loads(answer.stdout)
    assert loaded["classes"] == classifier.predict(images).tolist()
    assert loaded["shape"] == [-1, 9, 12, 3]
    assert loaded["ours"] == []
    assert "\ntorch==" in loaded["requirements"]
    assert "+" not in loaded["requirements"]
