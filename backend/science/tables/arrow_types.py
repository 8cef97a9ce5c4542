"""Arrow's types as the few that a table keeps."""

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from backend.science.tables.parts import INSTANT
from backend.science.text_check import TableProblem

Warn = Callable[[str], None]
PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
KEPT: Final = (pa.types.is_boolean, pa.types.is_string, pa.types.is_null, pa.types.is_date32)
TEXTS: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
READABLE: Final = (
    *KEPT, *TEXTS, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal,
    pa.types.is_date64, pa.types.is_timestamp, pa.types.is_time, pa.types.is_duration,
)  # fmt: skip


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, as such or as categories."""
    kind = _plain(kind)
    return any(test(kind) for test in TEXTS)


def find_unreadable(schema: pa.Schema) -> list[str]:
    """The columns whose values are no numbers, texts, booleans or dates, with their types."""
    return [
        f"{field.name!r} ({field.type})"
        for field in schema
        if not any(test(_plain(field.type)) for test in READABLE)
    ]


def _plain(kind: pa.DataType) -> pa.DataType:
    """What an extension is stored as, what categories are made of."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def canonical(name: str, values: pa.Array, warn: Warn) -> pa.Array:
    """Values of a readable type as int64, float64, bool, string, date32, timestamp (us) or null.

    Parameters
    ----------
    name
        Of the column.
    values
        Valid values.
    warn
        Told what is not kept as it was.

    Raises
    ------
    TableProblem
        A value does not fit.
    """
    while values.type != _plain(values.type):
        is_extension = isinstance(values.type, pa.BaseExtensionType)
        values = values.storage if is_extension else _decoded(values)
    kind = values.type
    if any(test(kind) for test in KEPT):
        return values
    try:
        return _cast(name, values, warn)
    except pa.ArrowException:
        message = f"{name}: a value does not fit, or is damaged ({kind})."
        raise TableProblem(message, column=name) from None


def _decoded(categories: pa.DictionaryArray) -> pa.Array:
    values = categories.dictionary
    # Arrow takes no values out of text views.
    if pa.types.is_string_view(values.type):
        values = values.cast(pa.large_string())
    return values.take(categories.indices)


def _cast(name: str, values: pa.Array, warn: Warn) -> pa.Array:
    kind = values.type
    if pa.types.is_timestamp(kind):
        return _instants(name, values, warn)
    if pa.types.is_time(kind):
        warn(f"{name}: times of day are kept as text")
        return values.cast(pa.string())
    if pa.types.is_duration(kind):
        warn(f"{name}: durations are kept as seconds")
        seconds = values.cast(pa.int64()).cast(pa.float64(), safe=False)
        return pc.divide(seconds, float(PER_SECOND[kind.unit]))
    if pa.types.is_date64(kind):
        return values.cast(pa.date32(), safe=False)
    if pa.types.is_floating(kind):
        return values.cast(pa.float64())
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= 0):
        return _whole(name, values, warn)
    texts = values.cast(pa.string(), safe=False)
    # Straight to float64 Arrow does not find the nearest one.
    return texts.cast(pa.float64()) if pa.types.is_decimal(kind) else texts


def _whole(name: str, values: pa.Array, warn: Warn) -> pa.Array:
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        warn(f"{name}: whole numbers beyond 64 bits are read as approximate")
        return values.cast(pa.float64(), safe=False)


def _instants(name: str, values: pa.Array, warn: Warn) -> pa.Array:
    """Instants in microseconds; those with a zone in UTC."""
    zone = values.type.tz
    if zone is not None and zone.upper() not in ("UTC", "Z", "+00:00"):
        warn(f"{name}: times of the zone {zone} are kept in UTC")
    if values.type.unit != "ns":
        return values.cast(INSTANT)
    exact = values.cast(pa.timestamp("ns")).cast(pa.int64())
    towards_zero = pc.divide(exact, 1_000)
    behind = pc.subtract(exact, pc.multiply(towards_zero, 1_000))
    if pc.any(pc.not_equal(behind, 0)).as_py():
        warn(f"{name}: times are kept in microseconds")
    # Before 1970 as well the digits of a second are cut off, as in text.
    return pc.subtract(towards_zero, pc.less(behind, 0).cast(pa.int64())).cast(INSTANT)
