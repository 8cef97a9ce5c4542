"""What is done with each column, from its role, the wishes of the fit and the estimator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from backend.science.column_types import (
    NUMERIC_TYPES,
    ColumnDescription,
    ColumnType,
    FeatureRole,
    InputColumn,
)
from backend.science.spec import ColumnTreatment, Preprocessing

Impute = Literal["median", "mean", "most_frequent", "constant"]
Encoding = Literal["one_hot", "ordinal", "target"]
Scaling = Literal["standard", "robust", "minmax", "none"]
Transform = Literal["none", "log", "sqrt", "yeo_johnson", "quantile"]
TEMPORAL: Final[frozenset[ColumnType]] = frozenset({"date", "datetime"})
USUAL: Final = ColumnTreatment()


@dataclass(frozen=True, slots=True)
class Treatment:
    """All that is done with a column; columns of equal treatment are prepared together.

    Attributes
    ----------
    number
        Whether the column's values are numbers, categories among them.
    indicator
        Whether missing values get a feature of their own.
    clock
        Whether its moments have a time of day.
    """

    role: FeatureRole
    number: bool
    impute: Impute
    fill_value: float | str | None
    indicator: bool
    transform: Transform = "none"
    encode: Encoding = "one_hot"
    scale: Scaling = "none"
    clock: bool = False

    @property
    def marks_apart(self) -> bool:
        """Whether marks of missing values must not go the way of the values themselves."""
        return self.role == "datetime" or self.transform != "none"


def role_of(column: ColumnDescription, wish: ColumnTreatment = USUAL) -> FeatureRole:
    """The role that a column plays as a feature.

    A role that does not go with the column's type, an identifier's for instance, gives way to the
    type's usual one.

    Parameters
    ----------
    column
        Its description, perhaps with a role that a person gave it.
    wish
        What the fit asks for.
    """
    wanted = wish.role or column.role
    if wanted == "categorical":
        return "categorical"
    if column.type not in NUMERIC_TYPES:
        return "text" if wanted == "text" else "categorical"
    # Of a single date nothing varies, so there is no calendar to expand.
    if wanted == "numeric" or column.type not in TEMPORAL or column.distinct == 1:
        return "numeric"
    return "datetime"


def treatment_of(column: InputColumn, wishes: Preprocessing, *, scale: bool) -> Treatment:
    """What is done with one column.

    Parameters
    ----------
    column
        The input.
    wishes
        Of the fit.
    scale
        Whether the estimator wants numbers of one size.
    """
    wish = wishes.columns.get(column.name, USUAL)
    drops = wish.impute == "drop_rows"
    number = column.treated_as in ("numeric", "datetime")
    usual: Impute = "median" if number else "most_frequent"
    impute = usual if wish.impute is None or wish.impute == "drop_rows" else wish.impute
    encode = wish.encode or "one_hot"
    scalable = number or (column.treated_as == "categorical" and encode != "one_hot")
    return Treatment(
        role=column.treated_as,
        number=column.numeric,
        impute=impute,
        fill_value=wish.fill_value,
        indicator=wishes.missing_indicators and not drops,
        transform=wish.transform or "none",
        encode=encode,
        scale=wish.scale or ("standard" if scale else "none") if scalable else "none",
        clock=column.treated_as == "datetime" and column.type == "datetime",
    )


def treatments(
    inputs: Sequence[InputColumn], wishes: Preprocessing, *, scale: bool
) -> Mapping[str, Treatment]:
    """What is done with each of p columns, by name.

    Parameters
    ----------
    inputs
        The columns.
    wishes
        Of the fit.
    scale
        Whether the estimator wants numbers of one size.
    """
    return {column.name: treatment_of(column, wishes, scale=scale) for column in inputs}
