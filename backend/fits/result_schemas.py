"""What routes answer about results: log, trials, plots, rows, coefficients, second runs."""

from typing import Any, Literal

from backend.core.schemas import Schema, Timestamp

Theme = Literal["light", "dark"]


class EventOut(Schema):
    """Something that a fit told."""

    id: int
    attempt: int
    kind: Literal["state", "log", "metrics", "trial"]
    content: dict[str, Any]
    at: Timestamp


class LogOut(Schema):
    """The log of a fit: its events in order, the oldest first; ask again after the last id."""

    items: list[EventOut]
    last_id: int


class TrialOut(Schema):
    """One combination of parameters that a search tried."""

    number: int
    params: dict[str, Any]
    state: Literal["running", "scored", "pruned", "failed"]
    score: float | None
    spread: float | None
    seconds: float | None
    message: str | None
    # The best score up to this trial.
    best_so_far: float | None


class TrialList(Schema):
    """The trials of a search in their order."""

    items: list[TrialOut]
    metric: str
    greater_is_better: bool
    best_number: int | None


class Difference(Schema):
    """One thing that came out otherwise."""

    what: str
    then: Any
    now: Any


class ReproductionOut(Schema):
    """A second run of a fit, to see whether the same numbers come out."""

    id: int
    fit_id: int
    state: Literal["queued", "running", "identical", "different", "failed", "cancelled"]
    progress: float
    progress_message: str
    differences: list[Difference]
    environment: dict[str, Any]
    error: str | None
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None


class ReproductionList(Schema):
    """All second runs of a fit, the newest first."""

    items: list[ReproductionOut]


class PlotSummary(Schema):
    """One plot that a fit has."""

    kind: str
    title: str
    verdict: str


class PlotList(Schema):
    """The plots of a fit."""

    items: list[PlotSummary]


class PlotOut(Schema):
    """The numbers behind a plot, and what they say."""

    kind: str
    title: str
    verdict: str
    advice: str
    alt: str
    data: dict[str, Any]


class ResidualRow(Schema):
    """One hold-out row; `row` counts the dataset's rows from 0."""

    row: int
    observed: Any
    predicted: Any
    residual: float | None


class ResidualPage(Schema):
    """Hold-out rows, the largest residuals first."""

    items: list[ResidualRow]
    total: int


class CoefficientOut(Schema):
    """One term of a linear fit, in the units of the dataset's columns; null: not determined."""

    term: str
    # The class whose score the term enters; null for regression.
    of_class: str | None
    estimate: float | None
    standard_error: float | None
    statistic: float | None
    p_value: float | None
    ci_low: float | None
    ci_high: float | None
    # Variance inflation factor; null for the intercept and where it is not defined.
    vif: float | None = None


class CoefficientList(Schema):
    """All terms; of each column of categories one is the reference and has no term."""

    items: list[CoefficientOut]
    rows: int
    references: dict[str, str]
    # How the standard errors were computed: classical, hc3, of the maximum likelihood, or its
    # robust ones for weighted rows.
    covariance: Literal["classical", "hc3", "maximum_likelihood", "sandwich"] | None = None
    # Whether statistic and p-value are of Student's t or of the normal distribution.
    distribution: Literal["t", "normal"] | None = None
    degrees_of_freedom: int | None
    residual_standard_error: float | None
    # Of the rows learnt from; null where the estimator has none.
    r2: float | None = None
    adjusted_r2: float | None = None
    f_statistic: float | None = None
    f_p_value: float | None = None
    log_likelihood: float | None = None
    aic: float | None = None
    bic: float | None = None
    deviance: float | None = None
    null_deviance: float | None = None
    dispersion: float | None = None
    condition_number: float | None = None
    rank: int | None = None
    terms: int | None = None
    warnings: list[str]
