"""Reading what a finished fit left in the blob store, and predicting with it."""

import json
import pkgutil
import threading
from collections import OrderedDict
from typing import Any, Final

from backend.core.errors import FieldProblem, Unprocessable
from backend.fits.schemas import PredictOut, ResidualPage
from backend.science.rows import check_rows
from backend.storage.blobs import BlobStore

LOADED_MODELS: Final = 16
PREDICT: Final = "backend.science.predict:predict"
LOAD: Final = "joblib:load"
WORST_ROWS: Final = "backend.fits.holdout:worst_rows"


def read_plots(blobs: BlobStore, digest: str) -> dict[str, Any]:
    """The numbers of all plots of a fit, by kind."""
    plots: dict[str, Any] = json.loads(blobs.read(digest))
    return plots


def worst_rows(blobs: BlobStore, digest: str, limit: int) -> ResidualPage:
    """Hold-out rows, the worst first."""
    page: ResidualPage = pkgutil.resolve_name(WORST_ROWS)(blobs, digest, limit)
    return page


class Predictor:
    """Pipelines of finished fits, loaded once after their sha256 was checked.

    Only files that the platform wrote are ever unpickled: the digest comes from the fit's row.
    scikit-learn is imported with the first prediction, not with the API.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._pipelines: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def predict(
        self, digest: str, outcome: dict[str, Any], rows: list[dict[str, Any]]
    ) -> PredictOut:
        """Predictions for checked rows; blocking, so it runs in a thread."""
        problems = check_rows(outcome["input_columns"], rows)
        if problems:
            errors = [
                FieldProblem(
                    loc=["body", "rows", problem.row, problem.column],
                    msg=problem.message,
                    type=problem.kind,
                )
                for problem in problems
            ]
            names = ", ".join(dict.fromkeys(problem.column for problem in problems))
            raise Unprocessable(f"The rows do not fit the model; see {names}.", errors=errors)
        pipeline = self._load(digest)
        answer = pkgutil.resolve_name(PREDICT)(
            pipeline, outcome["input_columns"], outcome["output"], rows
        )
        return PredictOut(predictions=answer.predictions, probabilities=answer.probabilities)

    def _load(self, digest: str) -> Any:
        with self._lock:
            if digest not in self._pipelines:
                file = self._blobs.read_verified(digest)
                self._pipelines[digest] = pkgutil.resolve_name(LOAD)(file)
                if len(self._pipelines) > LOADED_MODELS:
                    self._pipelines.popitem(last=False)
            self._pipelines.move_to_end(digest)
            return self._pipelines[digest]
