"""A fit as the worker describes it."""

import hashlib
from pathlib import Path
from typing import Any

from backend.tracking.port import FitRecord


def make_record(fit_id: int, username: str, model_path: Path, **changes: Any) -> FitRecord:
    fields: dict[str, Any] = {
        "fit_id": fit_id,
        "fit_name": f"Fit {fit_id}",
        "username": username,
        "experiment": f"{username}-personal",
        "readers": [username],
        "params": {"estimator": "ordinary_least_squares", "seed": 7, "fit_intercept": True},
        "metrics": {"r2": 0.9, "baseline.r2": -0.01, "undefined": None},
        "tags": {"goodfit.tag.purpose": "test"},
        "dataset_name": "sizes",
        "dataset_version": 3,
        "dataset_digest": hashlib.sha256(b"sizes").hexdigest(),
        "dataset_rows": 4,
        "dataset_columns": [
            {"name": "size", "type": "number"},
            {"name": "kind", "type": "string"},
            {"name": "price", "type": "number"},
        ],
        "target": "price",
        "started_at": 1_700_000_000.0,
        "finished_at": 1_700_000_002.5,
        "model_path": str(model_path),
        "model_sha256": hashlib.sha256(model_path.read_bytes()).hexdigest(),
        "input_columns": [
            {"name": "size", "type": "number", "numeric": True},
            {"name": "kind", "type": "string", "numeric": False},
        ],
        "output": {"name": "price", "task": "regression", "classes": None},
        "input_example": [{"size": 1.0, "kind": "x"}, {"size": None, "kind": None}],
    }
    return FitRecord.model_validate({**fields, **changes})
