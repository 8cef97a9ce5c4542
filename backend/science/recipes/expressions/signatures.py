"""What the functions of expressions take and give."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from backend.science.recipes.expressions import functions
from backend.science.recipes.values import Kind

Kinds = frozenset[Kind]

NUMBERS: Final[Kinds] = frozenset({"number"})
TEXTS: Final[Kinds] = frozenset({"string"})
TRUTHS: Final[Kinds] = frozenset({"boolean"})
MOMENTS: Final[Kinds] = frozenset({"date", "datetime"})
TIMES: Final[Kinds] = frozenset({"datetime"})
EVERYTHING: Final[Kinds] = NUMBERS | TEXTS | TRUTHS | MOMENTS
MOST_ARGUMENTS: Final = 20
NOUNS: Final[Mapping[Kind, str]] = {
    "number": "numbers",
    "boolean": "true and false",
    "string": "text",
    "date": "dates",
    "datetime": "times",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """One function.

    Attributes
    ----------
    takes
        Kinds of each argument; the last may repeat up to `most` arguments.
    gives
        Kind of the result; None where it is that of the arguments, which are then alike.
    whole
        Whether the result is a whole number: never, always, or where the arguments are.
    sign
        How an operator is written in Python; None for functions.
    """

    build: Callable[..., Any]
    takes: tuple[Kinds, ...]
    gives: Kind | None
    most: int = 0
    whole: Literal["never", "kept", "always"] = "never"
    sign: str | None = None


def _numeric(
    build: Callable[..., Any],
    *,
    count: int = 1,
    whole: Literal["never", "kept", "always"] = "never",
) -> Signature:
    return Signature(build, (NUMBERS,) * count, "number", whole=whole)


def _part(build: Callable[..., Any], takes: Kinds = MOMENTS) -> Signature:
    return Signature(build, (takes,), "number", whole="always")


def _compared(build: Callable[..., Any], sign: str) -> Signature:
    return Signature(build, (EVERYTHING, EVERYTHING), "boolean", sign=sign)


COMPARED: Final[Mapping[str, Signature]] = {
    "==": _compared(operator.eq, "=="),
    "!=": _compared(operator.ne, "!="),
    "<": _compared(operator.lt, "<"),
    "<=": _compared(operator.le, "<="),
    ">": _compared(operator.gt, ">"),
    ">=": _compared(operator.ge, ">="),
}
# Written with signs and words of their own; no name of a function is among them.
OPERATORS: Final[Mapping[str, Signature]] = {
    "+": _numeric(functions.add, count=2, whole="kept"),
    "-": _numeric(functions.subtract, count=2, whole="kept"),
    "*": _numeric(functions.multiply, count=2, whole="kept"),
    "/": _numeric(functions.divide, count=2),
    "%": _numeric(functions.remainder, count=2, whole="kept"),
    "**": _numeric(functions.power, count=2),
    "minus": _numeric(functions.negate, whole="kept"),
    "and": Signature(functions.every, (TRUTHS,), "boolean", most=1_000),
    "or": Signature(functions.some, (TRUTHS,), "boolean", most=1_000),
    "not": Signature(functions.opposite, (TRUTHS,), "boolean"),
    "is missing": Signature(functions.is_missing, (EVERYTHING,), "boolean"),
    "is known": Signature(functions.is_known, (EVERYTHING,), "boolean"),
}
FUNCTIONS: Final[Mapping[str, Signature]] = {
    "log": _numeric(functions.log),
    "log10": _numeric(functions.log10),
    "log2": _numeric(functions.log2),
    "log1p": _numeric(functions.log1p),
    "sqrt": _numeric(functions.sqrt),
    "exp": _numeric(functions.exp),
    "abs": _numeric(functions.absolute, whole="kept"),
    "round": _numeric(functions.round_to, whole="always"),
    "floor": _numeric(functions.floor, whole="always"),
    "ceil": _numeric(functions.ceiling, whole="always"),
    "min": Signature(functions.least, (NUMBERS, NUMBERS), "number", MOST_ARGUMENTS, "kept"),
    "max": Signature(functions.greatest, (NUMBERS, NUMBERS), "number", MOST_ARGUMENTS, "kept"),
    "coalesce": Signature(
        functions.first_known, (EVERYTHING, EVERYTHING), None, MOST_ARGUMENTS, "kept"
    ),
    "if": Signature(functions.choose, (TRUTHS, EVERYTHING, EVERYTHING), None, whole="kept"),
    "lower": Signature(functions.lower, (TEXTS,), "string"),
    "upper": Signature(functions.upper, (TEXTS,), "string"),
    "trim": Signature(functions.trim, (TEXTS,), "string"),
    "length": Signature(functions.length, (TEXTS,), "number", whole="always"),
    "contains": Signature(functions.contains, (TEXTS, TEXTS), "boolean"),
    "starts_with": Signature(functions.starts_with, (TEXTS, TEXTS), "boolean"),
    "ends_with": Signature(functions.ends_with, (TEXTS, TEXTS), "boolean"),
    "year": _part(functions.year),
    "quarter": _part(functions.quarter),
    "month": _part(functions.month),
    "day": _part(functions.day),
    "weekday": _part(functions.weekday),
    "day_of_year": _part(functions.day_of_year),
    "hour": _part(functions.hour, TIMES),
    "minute": _part(functions.minute, TIMES),
    "second": _part(functions.second, TIMES),
    "is_weekend": Signature(functions.is_weekend, (MOMENTS,), "boolean"),
}
