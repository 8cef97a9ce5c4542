"""What the recipe routes take and answer, and what goes to the process that cleans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from backend.core.schemas import Schema, VersionNumber
from backend.datasets.schemas import VersionOut
from backend.science.column_types import ColumnRole
from backend.science.recipes.fields import TableKey
from backend.science.recipes.steps import AnyStep, Steps

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


@dataclass(frozen=True, slots=True)
class RecipeWork:
    """Steps and the typed files that they are about.

    Attributes
    ----------
    recorded
        The steps as they were sent.
    others
        Files of the versions that steps join.
    roles
        Of the columns, where somebody gave them.
    """

    path: Path
    steps: Sequence[AnyStep]
    recorded: list[dict[str, Any]]
    others: Mapping[TableKey, Path]
    roles: Mapping[str, ColumnRole]
    file_name: str
    parent_version: int
    replay_of: int | None

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """The versions that steps join, as a version records them."""
        return [{"dataset_id": key[0], "version": key[1]} for key in self.others]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each step did, and the shape of the table after the last one."""

    steps: list[StepOut]
    rows: int
    columns: int
