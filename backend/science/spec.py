"""What a fit is asked to do: plain data, importable without scikit-learn."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal["regression", "binary", "multiclass"]
# Below, nothing is scored.
FEWEST_ROWS: Final = 10


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Holdout(_Strict):
    """Fit on a part of the rows and score on the rest."""

    kind: Literal["holdout"] = "holdout"
    test_size: float = Field(
        0.2, ge=0.05, le=0.5, title="Hold-out share", description="Share of rows kept for scoring"
    )
    shuffle: bool = Field(
        True, title="Shuffle", description="Draw the hold-out at random; else take the last rows"
    )


class KFold(_Strict):
    """Each row is held out once; classes are kept in proportion."""

    kind: Literal["kfold"] = "kfold"
    folds: int = Field(5, ge=2, le=20, title="Folds", description="Parts that take turns")
    shuffle: bool = Field(True, title="Shuffle", description="Draw the folds at random")


class Repeated(_Strict):
    """K-fold over and over with other draws: shows how much the score depends on the draw."""

    kind: Literal["repeated"] = "repeated"
    folds: int = Field(5, ge=2, le=20, title="Folds", description="Parts that take turns")
    repeats: int = Field(3, ge=2, le=20, title="Repeats", description="Draws of the folds")


class Group(_Strict):
    """K-fold where rows of one group stay together: patients, sites, batches."""

    kind: Literal["group"] = "group"
    column: str = Field(min_length=1, max_length=500, title="Group", description="Names the group")
    folds: int = Field(5, ge=2, le=20, title="Folds", description="Parts that take turns")


class TimeSeries(_Strict):
    """Learn from what came before, score on what came after."""

    kind: Literal["time"] = "time"
    column: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        title="Time",
        description="Orders the rows; empty for the order of the file",
    )
    folds: int = Field(5, ge=2, le=20, title="Folds", description="Periods that are scored")
    gap: int = Field(0, ge=0, le=100_000, title="Gap", description="Rows left out in between")


class LeaveOneOut(_Strict):
    """Each row is held out by itself: for small tables."""

    kind: Literal["leave_one_out"] = "leave_one_out"


class SameRows(_Strict):
    """The split of another fit of the same dataset version, row by row."""

    kind: Literal["same_rows"] = "same_rows"
    fit_id: int = Field(ge=1, le=2**63 - 1, title="Fit", description="Whose split is used again")


class NoValidation(_Strict):
    """Fit on all rows: for inference only, nothing is scored."""

    kind: Literal["none"] = "none"


Validation = Annotated[
    Holdout | KFold | Repeated | Group | TimeSeries | LeaveOneOut | SameRows | NoValidation,
    Field(discriminator="kind"),
]


# Fewer than `FEWEST_ROWS` suffice where nothing is scored, or each row by itself.
_FEWEST_BY_KIND: Final = {"none": 2, "leave_one_out": 4}


def fewest_rows(validation: Validation) -> int:
    """How many rows with a known target a fit needs."""
    return _FEWEST_BY_KIND.get(validation.kind, FEWEST_ROWS)


class ColumnTreatment(_Strict):
    """How one column is prepared; what is left out follows from its role and the estimator."""

    role: Literal["numeric", "categorical", "datetime", "text"] | None = None
    impute: Literal["median", "mean", "most_frequent", "constant", "drop_rows"] | None = None
    fill_value: float | str | None = None
    scale: Literal["standard", "robust", "minmax", "none"] | None = None
    transform: Literal["none", "log", "sqrt", "yeo_johnson", "quantile"] | None = None
    encode: Literal["one_hot", "ordinal", "target"] | None = None


class Polynomial(_Strict):
    """Powers and products of numeric columns up to a degree."""

    kind: Literal["polynomial"] = "polynomial"
    columns: tuple[str, ...] = Field(min_length=1, max_length=20)
    degree: int = Field(2, ge=2, le=10)


class Spline(_Strict):
    """B-splines of numeric columns: smooth curves without a fixed shape."""

    kind: Literal["spline"] = "spline"
    columns: tuple[str, ...] = Field(min_length=1, max_length=20)
    knots: int = Field(5, ge=2, le=50)
    degree: int = Field(3, ge=1, le=5)


class Interactions(_Strict):
    """Products of each pair of columns; of categories, of their indicators."""

    kind: Literal["interactions"] = "interactions"
    columns: tuple[str, ...] = Field(min_length=2, max_length=20)


FeatureStep = Annotated[Polynomial | Spline | Interactions, Field(discriminator="kind")]


class Preprocessing(_Strict):
    """How features are prepared; all of it is learnt from the training rows alone."""

    columns: dict[str, ColumnTreatment] = Field(default_factory=dict, max_length=2_000)
    features: tuple[FeatureStep, ...] = Field((), max_length=10)
    max_categories: int = Field(
        50, ge=2, le=1_000, description="Categories of a column with a feature of their own"
    )
    missing_indicators: bool = Field(True, description="Mark what was missing")


class Search(_Strict):
    """Look for good parameters by scores inside the training rows; the hold-out stays untouched."""

    kind: Literal["grid", "random", "halving", "tpe"] = "tpe"
    # Per parameter what is tried: a list of values or a range; None takes the usual ranges.
    space: dict[str, Any] | None = Field(None, max_length=20)
    trials: int = Field(30, ge=1, le=1_000, title="Trials", description="Most combinations tried")
    seconds: float | None = Field(
        None, ge=1, le=86_400, title="Seconds", description="No new trial after this time"
    )
    folds: int = Field(3, ge=2, le=10, title="Folds", description="Inner folds that score a trial")


TargetTransform = Literal["none", "log", "yeo_johnson"]
ClassWeight = Literal["none", "balanced"] | dict[str, float]


class FitSpec(_Strict):
    """One fit; with the same table and library versions it gives the same numbers to the bit."""

    target: str
    features: tuple[str, ...] | None = None
    task: Task | None = None
    estimator: str
    params: dict[str, Any] = Field(default_factory=dict)
    preprocessing: Preprocessing = Preprocessing()
    target_transform: TargetTransform = "none"
    class_weight: ClassWeight = "none"
    # A column of non-negative weights of the rows, in learning and in scoring.
    weights: str | None = None
    validation: Validation = Holdout()
    search: Search | None = None
    # The metric that fits are ranked by and searches look for; None takes the task's first.
    main_metric: str | None = None
    seed: int = Field(0, ge=0, le=2**32 - 1)
