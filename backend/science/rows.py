"""Checks rows for a prediction; light, so that a bad request never loads scikit-learn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from backend.science.column_types import LARGEST_NUMBER

Kind = Literal["missing", "unknown", "type"]
# One mistake in every row is one mistake.
MOST_PROBLEMS: Final = 100


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
    if kind in ("number", "integer"):
        return None if _is_number(value) else "a finite number or null"
    if kind == "boolean":
        return None if isinstance(value, bool) else "true, false or null"
    if kind in ("date", "datetime"):
        return None if _is_moment(value) else "a date in ISO 8601 or null"
    return None if isinstance(value, str) else "a text or null"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return abs(float(value)) <= LARGEST_NUMBER
    except OverflowError:
        return False


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
