"""What the recipe routes take and answer."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from backend.core.schemas import Schema, VersionNumber
from backend.datasets.schemas import VersionOut
from backend.science.recipes.steps import Steps

RecipeForm = Literal["json", "polars"]


class RecipeRequest(Schema):
    """Cleaning steps in their order, or the number of the version whose recipe to repeat."""

    steps: Steps | None = None
    replay_of: VersionNumber | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.steps is None) == (self.replay_of is None):
            raise ValueError("send either `steps` or `replay_of`")
        return self


class ChangedRow(Schema):
    """A row that a step changed, dropped or added; only the columns that differ.

    `row` counts from 0 in the table before the step, or after it for an added row.
    """

    row: int
    kind: Literal["changed", "dropped", "added"]
    before: dict[str, int | float | bool | str | None]
    after: dict[str, int | float | bool | str | None]


class StepOut(Schema):
    """The table before and after one step."""

    kind: str
    rows_before: int
    rows_after: int
    columns_before: int
    columns_after: int
    missing_before: int
    missing_after: int
    columns_added: list[str] = Field(default_factory=list)
    columns_dropped: list[str] = Field(default_factory=list)
    # Only by a dry run.
    first_changes: list[ChangedRow] = Field(default_factory=list)


class RecipeOut(Schema):
    """What each step did, and the version that was made; none by a dry run."""

    steps: list[StepOut]
    rows: int
    columns: int
    version: VersionOut | None


class RecipeExport(Schema):
    """The whole way of a version from the upload that it began with."""

    dataset_id: int
    # The upload at the beginning, and the version at the end.
    from_version: int
    version: int
    steps: list[dict[str, Any]]
