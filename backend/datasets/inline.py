"""A table in a JSON body: read within its bound, parsed strictly, and kept as it was sent."""

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from backend.core.errors import FieldProblem, TooLarge, Unprocessable, field_error
from backend.datasets.files import original_path
from backend.datasets.intake import MalformedUpload, Upload, announced_bytes
from backend.datasets.schemas import InlineTable
from backend.science.column_names import clean_name, find_bad_name

JSON_TYPE: Final = "application/json"
# A bad table may have as many problems as rows.
MOST_PROBLEMS: Final = 100
Place = list[str | int]


class NotFinite(ValueError):
    """NaN and Infinity are no JSON."""


class NameTwice(ValueError):
    """An object holds a name twice, so one of its values would be lost."""


async def receive_json(
    body: AsyncIterator[bytes], *, content_length: str | None, folder: Path, max_bytes: int
) -> Upload:
    """Take a JSON body into the folder, its bytes as they came.

    Raises
    ------
    TooLarge
        By its announced or its real size.
    """
    too_large = TooLarge(f"The body is larger than {max_bytes:,} bytes.")
    announced = announced_bytes(content_length)
    if announced is not None and announced > max_bytes:
        raise too_large
    content = bytearray()
    async for chunk in body:
        content += chunk
        if len(content) > max_bytes:
            raise too_large
    upload = Upload(original_path(folder), folder, bytes=len(content))
    upload.sha256 = hashlib.sha256(content).hexdigest()
    upload.path.write_bytes(content)
    return upload


def parse_inline(upload: Upload) -> InlineTable:
    """The table that a received body describes.

    Raises
    ------
    MalformedUpload, Unprocessable
        No JSON; a name twice in an object; fields that are not as described.
    """
    try:
        content = json.loads(
            upload.path.read_bytes(), parse_constant=_no_constant, object_pairs_hook=_once
        )
    except NameTwice as twice:
        raise field_error(str(twice), msg=f"{str(twice)!r} stands twice in the body") from None
    except NotFinite as constant:
        raise MalformedUpload(f"{constant} is no JSON; send null for missing.") from None
    except (ValueError, RecursionError):
        raise MalformedUpload("The body is not valid JSON.") from None
    try:
        return InlineTable.model_validate(content)
    except ValidationError as error:
        raise _not_as_described(error) from None


def _not_as_described(error: ValidationError) -> Unprocessable:
    entries = error.errors(include_context=False)
    errors = [
        FieldProblem(loc=["body", *entry["loc"]], msg=entry["msg"], type=entry["type"])
        for entry in entries[:MOST_PROBLEMS]
    ]
    where = ".".join(map(str, errors[0]["loc"]))
    more = f" ({len(entries):,} problems in all)" if len(entries) > 1 else ""
    return Unprocessable(f"{where}: {errors[0]['msg']}{more}", errors=errors)


def _no_constant(name: str) -> Any:
    raise NotFinite(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise NameTwice(next(name for name, count in counts.items() if count > 1))
    return made


def columns_of(table: InlineTable, max_columns: int) -> dict[str, list[Any]]:
    """The table's columns by name, all of one length.

    Raises
    ------
    Unprocessable
        Names every row or column whose length differs, and the bad column name.
    """
    if table.columns is not None:
        _require_few("columns", len(table.columns), max_columns)
        return _given_columns(table)
    columns = _of_arrays(table)
    _require_few("X", len(columns), max_columns)
    return columns


def _require_few(place: str, count: int, most: int) -> None:
    if count > most:
        raise field_error(place, msg=f"{count:,} columns, at most {most:,}")


def target_of(table: InlineTable) -> str | None:
    """The column that came as `y`."""
    return clean_name(table.target_name) if table.columns is None else None


def cell_place(table: InlineTable, columns: Sequence[str], column: str, row: int) -> Place:
    """Where a cell stands in the body.

    `columns` are the cleaned names in their order.
    """
    if table.columns is not None:
        return ["body", "columns", list(table.columns)[columns.index(column)], row]
    if column == target_of(table):
        return ["body", "y", row]
    at = columns.index(column)
    return (
        ["body", "X", row, at] if isinstance((table.X or [[]])[row], list) else ["body", "X", row]
    )


def _given_columns(table: InlineTable) -> dict[str, list[Any]]:
    given = table.columns or {}
    names = [clean_name(name) for name in given]
    if (bad := find_bad_name(names)) is not None:
        raise field_error("columns", list(given)[bad[0]], msg=bad[1])
    lengths = [len(values) for values in given.values()]
    if max(lengths) == 0:
        raise field_error("columns", msg="the columns hold no rows")
    counts = Counter(lengths)
    wanted = max(counts, key=lambda length: (counts[length], length))
    _refuse(
        [
            (["columns", name], f"{name} has {len(values):,} values, expected {wanted:,}")
            for name, values in given.items()
            if len(values) != wanted
        ]
    )
    return dict(zip(names, given.values(), strict=True))


def _of_arrays(table: InlineTable) -> dict[str, list[Any]]:
    rows = [row if isinstance(row, list) else [row] for row in table.X or ()]
    target = table.y or []
    width = len(rows[0])
    problems: list[tuple[Place, str]] = [
        (["X", at], f"row {at} has {len(row):,} values, expected {width:,}")
        for at, row in enumerate(rows)
        if len(row) != width
    ]
    if width == 0:
        problems.append((["X"], "X has no columns"))
    if len(target) != len(rows):
        problems.append((["y"], f"y has {len(target):,} values, X has {len(rows):,} rows"))
    features = table.feature_names or [f"x{number + 1}" for number in range(width)]
    if len(features) != width:
        msg = f"{len(features):,} names for the {width:,} columns of X"
        problems.append((["feature_names"], msg))
    names = [clean_name(name) for name in (*features, table.target_name)]
    if (bad := find_bad_name(names)) is not None:
        at, message = bad
        place: Place = ["feature_names", at] if at < width else ["target_name"]
        problems.append((place, message))
    _refuse(problems)
    values = [[row[at] for row in rows] for at in range(width)]
    return dict(zip(names, [*values, target], strict=True))


def _refuse(problems: list[tuple[Place, str]]) -> None:
    if not problems:
        return
    errors = [
        FieldProblem(loc=["body", *place], msg=message, type="shape")
        for place, message in problems[:MOST_PROBLEMS]
    ]
    more = f" ({len(problems):,} problems in all)" if len(problems) > 1 else ""
    raise Unprocessable(f"{errors[0]['msg']}{more}", errors=errors)
