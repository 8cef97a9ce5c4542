"""What a tracker is told and what it answers; light, so that everybody may import it."""

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field


class TrackerError(RuntimeError):
    """The tracker refused the record; trying again does not help by itself."""


class TrackerUnavailable(TrackerError):
    """No answer, or broken for the moment; the same record may be tried again."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputField(BaseModel):
    """One column that the pipeline expects, as the fit describes it.

    A numeric column reaches the pipeline as float64 (also dates and booleans), others as text;
    an image as pixels of uint8.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    type: str
    numeric: bool


class OutputField(BaseModel):
    """What the pipeline predicts; `classes` is None for a number."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    task: Literal["regression", "binary", "multiclass"]
    classes: list[Any] | None = None


class FitRecord(_Message):
    """Everything about one finished fit that the tracker keeps.

    Attributes
    ----------
    username
        Who ran the fit; the run carries this name, not the platform's.
    experiment
        Name of the experiment; carries the project's slug, as names are global.
    readers
        Who may read the experiment.
    dataset_digest
        sha256 of the table's content.
    dataset_columns
        The table's columns as stored: `name` and `type` are used.
    started_at, finished_at
        Seconds since 1970, UTC.
    model_path, model_sha256
        A joblib file of a fitted pipeline of scikit-learn's own parts, or of an image
        classifier, and its digest.
    input_example
        A few rows in the form that the pipeline takes.
    """

    fit_id: int
    fit_name: str
    username: str
    experiment: str
    readers: list[str] = Field(default_factory=list)
    params: dict[str, Any]
    metrics: dict[str, float | None]
    tags: dict[str, str] = Field(default_factory=dict)
    dataset_name: str
    dataset_version: int
    dataset_digest: str
    dataset_rows: int
    dataset_columns: list[dict[str, Any]]
    target: str
    started_at: float
    finished_at: float
    model_path: str
    model_sha256: str
    input_columns: list[InputField]
    output: OutputField
    input_example: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def takes_images(self) -> bool:
        """Whether the model is a network over images."""
        return self.input_columns[0].type == "image"


class RecordedRun(_Message):
    """Where the tracker keeps a fit."""

    run_id: str
    experiment_id: str
    model_uri: str | None = None


class VersionRecord(_Message):
    """One version of a model, with where it came from.

    Attributes
    ----------
    run_id
        The tracker's run of the version's fit.
    username
        Who made it a version.
    known
        The tracker's number of it, as far as the platform knows.
    """

    version: int
    fit_id: int
    run_id: str
    username: str
    estimator: str
    dataset_name: str
    dataset_version: int
    dataset_digest: str
    known: str | None = None


class ModelRecord(_Message):
    """What the tracker's registry shows of one model.

    Attributes
    ----------
    name
        The name in the tracker's registry; it never changes.
    title
        The name on the platform.
    project
        The project's slug, which is the name of its experiment.
    readers
        Who may read the model and the experiment, and nobody else.
    versions
        Those whose fits the tracker has; all the others follow later.
    aliases
        Alias to version; also of versions that are not among `versions` yet.
    """

    model_id: int
    name: str
    title: str
    description: str
    project: str
    readers: list[str]
    versions: list[VersionRecord]
    aliases: dict[str, int]


class MirroredModel(_Message):
    """The tracker's number of each version; one without a run in the tracker has none."""

    versions: dict[int, str] = Field(default_factory=dict)


class Tracker(Protocol):
    """Keeps finished fits where people compare them."""

    def record_fit(self, record: FitRecord) -> RecordedRun:
        """Record a fit; recording it again changes nothing and answers the same run.

        Raises
        ------
        TrackerUnavailable
            No answer; try again later.
        TrackerError
            Refused.
        """
        ...
