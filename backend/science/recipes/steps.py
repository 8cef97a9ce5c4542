"""The steps of a cleaning recipe as data: typed, bounded, and nothing that is evaluated.

Needs no polars, so that a request can be checked without loading it. Recorded recipes hold what
was sent, so a default never changes.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.science.recipes.fields import (
    MOST_COLUMNS,
    MOST_STEPS,
    MOST_VALUES,
    CastType,
    Column,
    Columns,
    DateFormat,
    DatePart,
    Expression,
    GivenRole,
    Number,
    Operand,
    Operator,
    RowNumber,
    Suffix,
    Text,
    Value,
)


class Step(BaseModel):
    """Base of all steps."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DropColumns(Step):
    """Leave columns out."""

    kind: Literal["drop_columns"]
    columns: Columns


class KeepColumns(Step):
    """Leave all other columns out; those that stay take the order of the list."""

    kind: Literal["keep_columns"]
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
    # What stands before the fraction of a number in text.
    decimal: Literal[".", ","] = "."


class ParseDates(Step):
    """Read text as dates, or as times where a format has hours; the first format that fits."""

    kind: Literal["parse_dates"]
    columns: Columns
    # As in `strptime`: `%d.%m.%Y`.
    formats: list[DateFormat] = Field(min_length=1, max_length=10)
    errors: Literal["refuse", "null"] = "refuse"


class SetRole(Step):
    """Say what columns are for, `{"zip": "categorical"}`; null takes back what was said."""

    kind: Literal["set_role"]
    columns: dict[Column, GivenRole | None] = Field(min_length=1, max_length=MOST_COLUMNS)


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
    """Keep the rows that meet the conditions or the expression; a missing value meets none."""

    kind: Literal["filter_rows"]
    conditions: list[Condition] | None = Field(None, min_length=1, max_length=100)
    match: Literal["all", "any"] = "all"
    expression: Expression | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.conditions is None) == (self.expression is None):
            raise ValueError("give either `conditions` or `expression`")
        return self

    @model_validator(mode="after")
    def _compares_in_reason(self) -> Self:
        """Each value is one pass over the column."""
        listed = [len(c.value) for c in self.conditions or () if isinstance(c.value, list)]
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


class Winsorise(Step):
    """Move numbers beyond two quantiles of their column onto them."""

    kind: Literal["winsorise"]
    columns: Columns
    lower: float = Field(0.01, ge=0, lt=0.5)
    upper: float = Field(0.99, gt=0.5, le=1)


class Derive(Step):
    """Compute a column from others: `log(price / rooms)`; one of that name is replaced."""

    kind: Literal["derive"]
    name: Column
    expression: Expression


class DateParts(Step):
    """Add parts of dates as numbers: `sold_year`, `sold_month`."""

    kind: Literal["date_parts"]
    columns: Columns
    parts: list[DatePart] = Field(min_length=1, max_length=10)


class Interactions(Step):
    """Add the product of each two of the columns: `width_x_height`."""

    kind: Literal["interactions"]
    columns: list[Column] = Field(min_length=2, max_length=50)


class Polynomial(Step):
    """Add the powers of columns from 2 to the degree: `age_pow2`, `age_pow3`."""

    kind: Literal["polynomial"]
    columns: Columns
    degree: int = Field(2, strict=True, ge=2, le=5)


class Join(Step):
    """Add the columns of a version of another dataset where the keys are equal."""

    kind: Literal["join"]
    dataset_id: RowNumber
    version: RowNumber
    # Names here and there: `{"district": "id"}`.
    on: dict[Column, Column] = Field(min_length=1, max_length=10)
    how: Literal["left", "inner"] = "left"
    # Of the other dataset; without it, all but its keys.
    columns: Columns | None = None
    # Added to names that stand in both.
    suffix: Suffix = "_right"
    # Whether several rows of the other dataset may have the same key.
    many: bool = Field(False, strict=True)


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
    | KeepColumns
    | Rename
    | Cast
    | ParseDates
    | SetRole
    | ReplaceValues
    | DropNulls
    | FillNulls
    | FilterRows
    | Clip
    | Winsorise
    | Derive
    | DateParts
    | Interactions
    | Polynomial
    | Join
    | Deduplicate
    | Sort
    | Sample,
    Field(discriminator="kind"),
]
Steps = Annotated[list[AnyStep], Field(min_length=1, max_length=MOST_STEPS)]
