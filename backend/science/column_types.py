"""The vocabulary of columns, shared by the API, which has polars, and the fit, which has not."""

from dataclasses import dataclass
from typing import Final, Literal

ColumnType = Literal["number", "integer", "boolean", "string", "date", "datetime", "image"]
# Trees compute in single precision, and squares must stay finite.
LARGEST_NUMBER: Final = 1e38
# The columns of a dataset of images.
IMAGE: Final = "image"
LABEL: Final = "label"
ColumnRole = Literal[
    "numeric", "categorical", "boolean", "datetime", "text", "id", "constant", "image"
]


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """One column of a table.

    Attributes
    ----------
    nulls, distinct
        Counts of missing and of different present values; `distinct` is None where there are
        too many to be counted at once.
    left_out_because
        Why a fit leaves the column out unless it is chosen; None when it is used.
    role_given
        Whether a person chose the role.
    """

    name: str
    type: ColumnType
    role: ColumnRole
    nulls: int
    distinct: int | None
    left_out_because: str | None
    role_given: bool = False


@dataclass(frozen=True, slots=True)
class TargetGuess:
    """The column that somebody most likely wants to predict, and the rule that picked it."""

    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column that a fitted pipeline expects.

    Attributes
    ----------
    minimum, maximum
        Range seen in training, for numbers.
    categories
        Values seen in training, the most frequent first and at most 100, for categories.
    """

    name: str
    type: ColumnType
    numeric: bool
    minimum: float | None = None
    maximum: float | None = None
    categories: list[str] | None = None


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The image that a fitted network expects.

    Attributes
    ----------
    width, height
        In pixels.
    channels
        1 for shades of grey, 3 for red, green and blue.
    """

    name: str
    width: int
    height: int
    channels: int
    type: Literal["image"] = "image"
    numeric: bool = False
