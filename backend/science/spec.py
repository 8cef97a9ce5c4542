"""What a fit is asked to do: plain data, importable without scikit-learn."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal["regression", "binary", "multiclass"]
# Below, nothing is learnt.
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


class NoValidation(_Strict):
    """Fit on all rows: for inference only, nothing is scored."""

    kind: Literal["none"] = "none"


Validation = Annotated[Holdout | NoValidation, Field(discriminator="kind")]


class FitSpec(_Strict):
    """One fit; with the same table and library versions it gives the same numbers to the bit."""

    target: str
    features: tuple[str, ...] | None = None
    task: Task | None = None
    estimator: str
    params: dict[str, Any] = Field(default_factory=dict)
    validation: Validation = Holdout()
    seed: int = Field(0, ge=0, le=2**32 - 1)
