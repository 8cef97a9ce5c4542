"""What may stand in a field of a cleaning step."""

import math
import re
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from backend.science.column_names import LONGEST_NAME
from backend.science.storable import storable

MOST_COLUMNS: Final = 2_000
MOST_VALUES: Final = 1_000
MOST_STEPS: Final = 100
LONGEST_TEXT: Final = 10_000
LONGEST_EXPRESSION: Final = 2_000
LEAST_WHOLE: Final = -(2**63)
GREATEST_WHOLE: Final = 2**63 - 1

Text = Annotated[str, BeforeValidator(storable), StringConstraints(max_length=LONGEST_TEXT)]
Column = Annotated[
    str, BeforeValidator(storable), StringConstraints(min_length=1, max_length=LONGEST_NAME)
]
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


# Directives of `strptime` that say a day without a zone, and what must not stand twice.
_DIRECTIVES: Final = {
    **dict.fromkeys(("%Y", "%y"), "year"),
    **dict.fromkeys(("%m", "%b", "%B"), "month"),
    **dict.fromkeys(("%d", "%e"), "day"),
    **dict.fromkeys(("%H", "%I"), "hour"),
    "%M": "minute",
    "%S": "second",
    "%.f": "fraction",
    "%p": "half",
}


def _date_format(text: str) -> str:
    storable(text)
    parts = re.findall(r"%(?:\.f|.?)", text, re.DOTALL)
    if unknown := [part for part in parts if part not in _DIRECTIVES]:
        allowed = " ".join(_DIRECTIVES)
        raise ValueError(f"{unknown[0]!r} is not one of {allowed}")
    found = [_DIRECTIVES[part] for part in parts]
    if len(set(found)) < len(found) or not {"year", "month", "day"} <= set(found):
        raise ValueError("a format names year, month and day once: %d.%m.%Y")
    if ("hour" in found) != ("minute" in found) or ("half" in found) != ("%I" in parts):
        raise ValueError("hours go with minutes, and %I with %p: %H:%M, %I:%M %p")
    if ("second" in found and "hour" not in found) or (
        "fraction" in found and "second" not in found
    ):
        raise ValueError("seconds go with hours and minutes: %H:%M:%S")
    return text


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
# A version of a dataset: its id and the number.
TableKey = tuple[int, int]
DatePart = Literal[
    "year",
    "quarter",
    "month",
    "day",
    "weekday",
    "day_of_year",
    "hour",
    "minute",
    "second",
    "is_weekend",
]
GivenRole = Literal["numeric", "categorical", "boolean", "datetime", "text", "id"]
RowNumber = Annotated[int, Field(strict=True, ge=1, le=2**53)]
Suffix = Annotated[str, BeforeValidator(storable), StringConstraints(min_length=1, max_length=50)]
Expression = Annotated[
    str, BeforeValidator(storable), StringConstraints(min_length=1, max_length=LONGEST_EXPRESSION)
]
DateFormat = Annotated[str, StringConstraints(max_length=60), AfterValidator(_date_format)]
