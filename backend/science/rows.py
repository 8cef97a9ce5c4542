"""Checks rows for a prediction; light, so that a bad request never loads scikit-learn."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from backend.science.column_types import LARGEST_NUMBER

Kind = Literal["missing", "unknown", "type"]
# One mistake in every row is one mistake.
MOST_PROBLEMS: Final = 100
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# What a value of each type should have been, where it is not.
WANTED: Final[Mapping[str, str]] = {
    "number": "a finite number",
    "integer": "a finite number",
    "boolean": "true or false",
    "date": "a date in ISO 8601",
    "datetime": "a date in ISO 8601",
    "string": "a text",
}


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one column of one row."""

    row: int
    column: str
    message: str
    kind: Kind


def check_rows(
    columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> list[RowProblem]:
    """Every missing, unknown and ill-typed column, at most the first hundred.

    Parameters
    ----------
    columns
        The model's inputs, as `column_types.InputColumn` in JSON.
    rows
        Maps from column name to value; null stands for missing and is imputed.
    """
    known = {column["name"]: column["type"] for column in columns}
    problems: list[RowProblem] = []
    for number, row in enumerate(rows):
        for name, kind in known.items():
            if name not in row:
                problems.append(RowProblem(number, name, f"{name} is missing", "missing"))
            elif (wanted := _mismatch(row[name], kind)) is not None:
                problems.append(RowProblem(number, name, f"{name} must be {wanted}", "type"))
        for name in row:
            if name not in known:
                message = f"{name} is not an input of this model"
                problems.append(RowProblem(number, name, message, "unknown"))
        if len(problems) >= MOST_PROBLEMS:
            break
    return problems[:MOST_PROBLEMS]


def _mismatch(value: Any, kind: str) -> str | None:
    """What the value should have been; None where it fits."""
    if value is None:
        return None
    fits = _FITS.get(kind, _is_text)
    return None if fits(value) else f"{WANTED[kind]} or null"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return abs(float(value)) <= LARGEST_NUMBER
    except OverflowError:
        return False


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, which no file can hold
        return False
    return True


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_FITS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "number": _is_number,
    "integer": _is_number,
    "boolean": _is_boolean,
    "date": _is_moment,
    "datetime": _is_moment,
}


def row_from_texts(
    columns: Sequence[Mapping[str, Any]], texts: Mapping[str, str]
) -> dict[str, Any]:
    """A row whose values came as text, for instance as query parameters.

    What does not look like its type stays text, so that `check_rows` names it.

    Parameters
    ----------
    columns
        The model's inputs, as `column_types.InputColumn` in JSON.
    texts
        Maps from column name to text; an empty one stands for missing.
    """
    kinds = {column["name"]: column["type"] for column in columns}
    return {name: _from_text(text, kinds.get(name, "string")) for name, text in texts.items()}


def _from_text(text: str, kind: str) -> Any:
    if text == "":
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in ("number", "integer") and _NUMBER.fullmatch(text):
        return float(text)
    return text
