"""Models of other libraries in MLflow's format: what loads them again is told."""

from pathlib import Path

import joblib
import mlflow.sklearn
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import Pipeline

from backend.science.catalogue import ESTIMATORS
from backend.science.extras import installed_versions
from backend.tracking.model_folder import save_model
from tests.tracking.record import make_record


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_a_boosted_model_is_loaded_with_classes_by_name(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name)
    sizes = np.arange(60.0)
    rows = pd.DataFrame({"size": sizes, "kind": ["x"] * 60})
    kinds = np.where(sizes < 30, "small", "large")
    numbers = make_column_transformer(("passthrough", ["size"]))
    final = ESTIMATORS[name].build({"n_estimators": 5}, "binary", 0)
    pipeline = Pipeline([("preprocess", numbers), ("estimate", final)]).fit(rows, kinds)
    joblib.dump(pipeline, tmp_path / "model.joblib")
    record = make_record(
        1,
        "anna",
        tmp_path / "model.joblib",
        params={"estimator": name},
        output={"name": "kind", "task": "binary", "classes": ["large", "small"]},
    )
    save_model(record, tmp_path / "saved")
    required = (tmp_path / "saved" / "requirements.txt").read_text()
    (needed,) = (f"{n}=={number}" for n, number in installed_versions([name]).items())
    assert needed in required.split()
    loaded = mlflow.sklearn.load_model(str(tmp_path / "saved"))
    assert loaded.predict(rows.iloc[[0, -1]]).tolist() == ["small", "large"]
