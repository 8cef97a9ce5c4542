"""Shared pydantic types: text that Postgres can hold, integers that fit, one base for schemas."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from backend.science.storable import storable

MAXIMUM_ID = 2**63 - 1
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(name: str) -> str:
    """Names stand in tables, logs and file names: no line breaks, nothing that turns text round."""
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in _TURNING for c in name):
        raise ValueError("a name may not contain control characters or line breaks")
    return name


StorableText = Annotated[str, BeforeValidator(storable)]
# The constraints come before the validator: only then length is checked after stripping, and what
# is wrong with it is told in characters.
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(one_line),
    BeforeValidator(storable),
]
Description = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=5_000), BeforeValidator(storable)
]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000),
    BeforeValidator(storable),
]
ColumnName = Annotated[
    str, StringConstraints(min_length=1, max_length=500), BeforeValidator(storable)
]
Secret = Annotated[
    str, StringConstraints(min_length=1, max_length=1_000), BeforeValidator(storable)
]


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


Id = Annotated[int, Field(ge=1, le=MAXIMUM_ID), BeforeValidator(_no_truth)]
VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1), BeforeValidator(_no_truth)]


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment is out of range") from None


def rfc3339(value: datetime) -> str:
    """A moment in UTC as answers write it."""
    return value.isoformat().replace("+00:00", "Z")


Timestamp = Annotated[
    datetime, AfterValidator(_utc), PlainSerializer(rfc3339, when_used="json-unless-none")
]


def _with_zone(value: object) -> object:
    if isinstance(value, str) and not _MOMENT.fullmatch(value):
        raise ValueError("write it as RFC 3339 with its zone, as in 2026-01-31T12:00:00Z")
    return value


# What a query asks for; a plus in an address is a blank unless it is written as %2B.
Moment = Annotated[Timestamp, BeforeValidator(_with_zone)]


class Schema(BaseModel):
    """What goes over HTTP: unknown fields are refused, ORM rows are read."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, allow_inf_nan=False)
    # Fields that come and go without anybody's change; an ETag leaves them out.
    passing: ClassVar[frozenset[str]] = frozenset()


Item = TypeVar("Item", bound=Schema)


class Page(Schema, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Item]
    next_cursor: str | None


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, object]] | None = None
