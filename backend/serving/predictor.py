"""Trained models held ready for predictions."""

import pkgutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.core.errors import FieldProblem, Unavailable, Unprocessable
from backend.core.instruments import PredictionKind, observe_prediction
from backend.datasets.intake import unprocessable
from backend.science.extras import ExtraMissing
from backend.science.images.problem import ImageProblem
from backend.science.rows import check_rows, row_from_texts
from backend.science.text_check import TableProblem
from backend.serving.schemas import PredictOut
from backend.settings import UploadSettings
from backend.storage.blobs import BlobStore

LOADED_MODELS: Final = 16
# Of their files; in memory they take more.
LOADED_BYTES: Final = 256 << 20
# Imported with the first prediction: an idle API holds neither scikit-learn nor polars.
LOAD: Final = "joblib:load"
PREDICT: Final = "backend.science.predict:predict"
MAKE_READY: Final = "backend.science.predict:make_ready"
PREDICT_IMAGE: Final = "backend.science.images.predict:predict_image"
TABLE: Final = "backend.science.prediction_table"


@dataclass(frozen=True, slots=True)
class Served:
    """What answers a prediction: a trained model's file, its inputs and its output.

    Attributes
    ----------
    digest
        sha256 of the file, from the fit's row: only what the platform wrote is ever unpickled.
    passed_through
        Columns of the training data that are no inputs.
    version
        Number of the model's version; None where a fit was asked itself.
    """

    digest: str
    inputs: Sequence[Mapping[str, Any]]
    output: Mapping[str, Any]
    passed_through: frozenset[str]
    version: int | None = None

    @property
    def takes_images(self) -> bool:
        return bool(self.inputs[0]["type"] == "image")


@contextmanager
def _observed(kind: PredictionKind) -> Iterator[None]:
    started = time.perf_counter()
    yield
    observe_prediction(time.perf_counter() - started, kind)


class Predictor:
    """Loads each model once per process, after its sha256 was checked. All methods block."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._models: OrderedDict[str, Any] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def predict_rows(self, served: Served, rows: Sequence[Mapping[str, Any]]) -> PredictOut:
        """Predictions for rows from JSON; every bad column of theirs is named at once."""
        _require_table(served)
        problems = check_rows(served.inputs, rows)
        if problems:
            raise _unfit(problems, [["body", "rows", p.row, p.column] for p in problems])
        return self._answer(served, rows)

    def predict_texts(self, served: Served, texts: Mapping[str, str]) -> PredictOut:
        """A prediction for one row whose values are query parameters."""
        _require_table(served)
        row = row_from_texts(served.inputs, texts)
        problems = check_rows(served.inputs, [row])
        if problems:
            raise _unfit(problems, [["query", problem.column] for problem in problems])
        return self._answer(served, [row])

    def _answer(self, served: Served, rows: Sequence[Mapping[str, Any]]) -> PredictOut:
        model = self._load(served)
        with _observed("rows"):
            answer = pkgutil.resolve_name(PREDICT)(model, served.output, rows)
        return PredictOut(
            predictions=answer.predictions,
            probabilities=answer.probabilities,
            version=served.version,
        )

    def predict_file(
        self, served: Served, source: Path, target: Path, limits: UploadSettings
    ) -> None:
        """Write the source's rows with their predictions to the target."""
        shape = pkgutil.resolve_name("backend.science.csv_table:TableLimits")(
            max_columns=limits.max_columns, max_cell_bytes=limits.max_cell_bytes
        )
        try:
            table = pkgutil.resolve_name(f"{TABLE}:read_inputs")(
                source, served.inputs, served.passed_through, shape
            )
        except TableProblem as problem:
            raise unprocessable(problem) from None
        if isinstance(table, list):
            raise _unfit(table, [_place(problem) for problem in table])
        write = pkgutil.resolve_name(f"{TABLE}:write_predictions")
        model = self._load(served)
        with _observed("file"):
            write(model.pipeline, served.output, table, target)

    def predict_image(self, served: Served, content: bytes) -> PredictOut:
        """A prediction for one image."""
        try:
            model = self._load(served)
            with _observed("image"):
                answer = pkgutil.resolve_name(PREDICT_IMAGE)(
                    model.pipeline, served.inputs, served.output, content
                )
        except ImageProblem as problem:
            raise unprocessable(problem) from None
        except ExtraMissing as missing:
            raise Unavailable(str(missing)) from None
        return PredictOut(
            predictions=answer.predictions,
            probabilities=answer.probabilities,
            version=served.version,
        )

    def _load(self, served: Served) -> Any:
        """The model; whoever needs another one does not wait for this one's file."""
        digest = served.digest
        with self._lock:
            if digest in self._models:
                self._models.move_to_end(digest)
                return self._models[digest]
            turn = self._loading.setdefault(digest, threading.Lock())
        with turn:
            with self._lock:
                if digest in self._models:
                    return self._models[digest]
            file = self._blobs.read_verified(digest)
            pipeline = pkgutil.resolve_name(LOAD)(file)
            model = pkgutil.resolve_name(MAKE_READY)(pipeline, served.inputs)
            with self._lock:
                self._keep(digest, model, file.getbuffer().nbytes)
                self._loading.pop(digest, None)
        return model

    def _keep(self, digest: str, model: Any, size: int) -> None:
        """The newest stays, however large it is; those asked for longest ago make room."""
        self._models[digest] = model
        self._sizes[digest] = size
        while len(self._models) > 1 and (
            len(self._models) > LOADED_MODELS or sum(self._sizes.values()) > LOADED_BYTES
        ):
            oldest, _ = self._models.popitem(last=False)
            del self._sizes[oldest]


def _require_table(served: Served) -> None:
    if served.takes_images:
        problem = FieldProblem(loc=["body", "rows"], msg="send an image", type="kind")
        raise Unprocessable(
            "This model takes images. Send one as `file` to the route …/predict/file.",
            errors=[problem],
        )


def _unfit(problems: Sequence[Any], places: Sequence[Sequence[str | int]]) -> Unprocessable:
    """All problems at once, each at its place in the request."""
    errors = [
        FieldProblem(loc=place, msg=problem.message, type=problem.kind)
        for problem, place in zip(problems, places, strict=True)
    ]
    names = ", ".join(dict.fromkeys(problem.column for problem in problems))
    return Unprocessable(f"The rows do not fit the model; see {names}.", errors=errors)


def _place(problem: Any) -> list[str | int]:
    if problem.line is None:
        return ["body", "file", "column", problem.column]
    return ["body", "file", "line", problem.line, "column", problem.column]
