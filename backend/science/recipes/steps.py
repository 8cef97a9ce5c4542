"""The steps of a cleaning recipe as data: typed, bounded, and nothing that is evaluated.

Needs no polars, so that a request can be checked without loading it.
"""

import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from backend.science.storable import storable

MOST_COLUMNS: Final = 2_000
MOST_VALUES: Final = 1_000
MOST_STEPS: Final = 100
LONGEST_TEXT: Final = 10_000
LEAST_WHOLE: Final = -(2**63)
GREATEST_WHOLE: Final = 2**63 - 1


Text = Annotated[str, BeforeValidator(storable), StringConstraints(max_length=LONGEST_TEXT)]
Column = Annotated[str, BeforeValidator(storable), StringConstraints(min_length=1, max_length=500)]
Columns = Annotated[list[Column], Field(min_length=1, max_length=MOST_COLUMNS)]


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is wanted")
    if isinstance(value, int) and not LEAST_WHOLE <= value <= GREATEST_WHOLE:
        raise ValueError("whole numbers have at most 64 bits")
    if not math.isfinite(value):
        raise ValueError("numbers are finite")
    return value


def _scalar(value: object) -> bool | int | float | str:
    if isinstance(value, str):
        storable(value)
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"text has at most {LONGEST_TEXT:,} characters")
        return value
    if isinstance(value, bool):
        return value
    try:
        return _number(value)
    except ValueError as error:
        given = isinstance(value, int | float)
        raise ValueError(str(error) if given else "a number, text or boolean is wanted") from None


def _operand(value: object) -> object:
    if not isinstance(value, list):
        return None if value is None else _scalar(value)
    if not 1 <= len(value) <= MOST_VALUES:
        raise ValueError(f"a list holds 1 to {MOST_VALUES:,} values")
    return [_scalar(item) for item in value]


# Checked by hand: a union of types would tell one bad value once for each type.
_SCALAR_SCHEMA: Final = {"type": ["boolean", "number", "string"]}
Number = Annotated[int | float, PlainValidator(_number), WithJsonSchema({"type": "number"})]
Value = Annotated[bool | int | float | str, PlainValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
Operand = Annotated[
    bool | int | float | str | list[bool | int | float | str] | None,
    PlainValidator(_operand),
    WithJsonSchema({"anyOf": [_SCALAR_SCHEMA, {"type": "array", "items": _SCALAR_SCHEMA}]}),
]
CastType = Literal["number", "integer", "boolean", "string", "date", "datetime"]
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not_in", "is_missing", "is_known"]


class Step(BaseModel):
    """Base of all steps."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DropColumns(Step):
    """Leave columns out."""

    kind: Literal["drop_columns"]
    columns: Columns


class Rename(Step):
    """Give columns other names: `{old: new}`."""

    kind: Literal["rename"]
    columns: dict[Column, Column] = Field(min_length=1, max_length=MOST_COLUMNS)


class Cast(Step):
    """Read columns as another type; what does not fit is refused, or becomes missing."""

    kind: Literal["cast"]
    columns: Columns
    to: CastType
    errors: Literal["refuse", "null"] = "refuse"


class ReplaceValues(Step):
    """Replace values of one column: `{"?": null, "m": "male"}`; null means missing."""

    kind: Literal["replace_values"]
    column: Column
    values: dict[Text, Value | None] = Field(min_length=1, max_length=MOST_VALUES)


class DropNulls(Step):
    """Drop the rows in which one of the columns is missing; without `columns`, any."""

    kind: Literal["drop_nulls"]
    columns: Columns | None = None


class Fill(Step):
    """What takes the place of a missing value."""

    method: Literal["constant", "median", "mean", "most_frequent"]
    value: Value | None = None

    @model_validator(mode="after")
    def _value_goes_with_constant(self) -> Self:
        if (self.method == "constant") != (self.value is not None):
            raise ValueError("`value` goes with the method `constant`, and only with it")
        return self


class FillNulls(Step):
    """Fill the missing values of each column by its own method."""

    kind: Literal["fill_nulls"]
    columns: dict[Column, Fill] = Field(min_length=1, max_length=MOST_COLUMNS)


class Condition(Step):
    """One comparison of a column with a value, or with several for `in` and `not_in`."""

    column: Column
    operator: Operator
    value: Operand = None

    @model_validator(mode="after")
    def _value_goes_with_operator(self) -> Self:
        wanted: Any = {"in": "a list", "not_in": "a list", "is_missing": "no", "is_known": "no"}
        kind = "no" if self.value is None else "a list" if isinstance(self.value, list) else "one"
        if kind != wanted.get(self.operator, "one"):
            raise ValueError(f"`{self.operator}` takes {wanted.get(self.operator, 'one')} value")
        return self


class FilterRows(Step):
    """Keep the rows that meet all (or any) of the conditions; a missing value meets none."""

    kind: Literal["filter_rows"]
    conditions: list[Condition] = Field(min_length=1, max_length=100)
    match: Literal["all", "any"] = "all"

    @model_validator(mode="after")
    def _compares_in_reason(self) -> Self:
        """Each value is one pass over the column."""
        listed = [len(c.value) for c in self.conditions if isinstance(c.value, list)]
        if sum(listed) > MOST_VALUES:
            raise ValueError(f"the lists of all conditions hold at most {MOST_VALUES:,} values")
        return self


class Bounds(Step):
    """The least and the greatest value that stay as they are."""

    lower: Number | None = None
    upper: Number | None = None

    @model_validator(mode="after")
    def _has_an_order(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError("give `lower`, `upper` or both")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError("`lower` is above `upper`")
        return self


class Clip(Step):
    """Move numbers beyond the bounds onto them."""

    kind: Literal["clip"]
    columns: dict[Column, Bounds] = Field(min_length=1, max_length=MOST_COLUMNS)


class Deduplicate(Step):
    """Keep one of the rows that agree in the columns; without `columns`, in all."""

    kind: Literal["deduplicate"]
    columns: Columns | None = None
    keep: Literal["first", "last"] = "first"


class SortKey(Step):
    """One column of an order."""

    column: Column
    descending: bool = Field(False, strict=True)


class Sort(Step):
    """Order the rows; equal ones keep their order, missing values come last."""

    kind: Literal["sort"]
    by: list[SortKey] = Field(min_length=1, max_length=100)


class Sample(Step):
    """Draw rows at random without replacement; they keep their order."""

    kind: Literal["sample"]
    rows: int | None = Field(None, strict=True, ge=1)
    share: float | None = Field(None, gt=0, le=1)
    seed: int = Field(0, strict=True, ge=0, le=2**32 - 1)

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.rows is None) == (self.share is None):
            raise ValueError("give either `rows` or `share`")
        return self


AnyStep = Annotated[
    DropColumns
    | Rename
    | Cast
    | ReplaceValues
    | DropNulls
    | FillNulls
    | FilterRows
    | Clip
    | Deduplicate
    | Sort
    | Sample,
    Field(discriminator="kind"),
]
Steps = Annotated[list[AnyStep], Field(min_length=1, max_length=MOST_STEPS)]
