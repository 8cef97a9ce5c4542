"""The audit as CSV: complete, safe to open, and read a batch at a time."""

import csv
import io
import json
from typing import Any, Final, Self

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.audit import export
from backend.audit.schemas import AuditFilter
from backend.core import audit
from backend.core.access import Role, Viewer
from backend.core.audit import Action, Subject
from tests.audit.events import AUDIT, events
from tests.conftest import SignIn, upload_csv

Sessions = async_sessionmaker[AsyncSession]
ADMIN: Final = Viewer(user_id=1, username="root", role=Role.ADMIN)
COLUMNS = [
    "id",
    "at",
    "actor_id",
    "actor_name",
    "token_id",
    "action",
    "outcome",
    "object_type",
    "object_id",
    "object_name",
    "project_id",
    "address",
    "request_id",
    "details",
]


async def _export(admin: httpx.AsyncClient, **query: Any) -> list[dict[str, str]]:
    answer = await admin.get(f"{AUDIT}.csv", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert answer.headers["cache-control"] == "private, no-store"
    reader = csv.DictReader(io.StringIO(answer.text))
    assert reader.fieldnames == COLUMNS
    return list(reader)


async def test_export_says_what_the_list_says(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    for _ in range(5):
        await upload_csv(ada, b"x,y\n1,2\n3,4\n")
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 2)
    rows = await _export(admin, actor="ada")
    listed = await events(admin, actor="ada")
    assert len(rows) == len(listed) > 5
    for row, event in zip(rows, listed, strict=True):
        assert json.loads(row.pop("details")) == event.pop("details")
        assert row == {name: "" if value is None else str(value) for name, value in event.items()}


async def test_export_of_nothing_is_the_header(sign_in: SignIn) -> None:
    admin = await sign_in("root", Role.ADMIN)
    assert await _export(admin, object_type="nothing") == []


CELLS = [
    ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
    ("+1+2", "'+1+2"),
    ("-2", "-2"),
    ("@SUM(A1)", "'@SUM(A1)"),
    ("\tx", "'\tx"),
    ('a"b,c', 'a"b,c'),
    ("grün", "grün"),
]


async def test_names_do_not_run_in_a_spreadsheet(sign_in: SignIn, sessions: Sessions) -> None:
    admin = await sign_in("root", Role.ADMIN)
    async with sessions() as session:
        for number, (name, _) in enumerate(CELLS, start=1):
            subject = Subject("dataset", number, name)
            audit.record(session, None, Action.SIGN_IN_FAILED, subject, actor_name=name)
        await session.commit()
    rows = {int(row["object_id"]): row for row in await _export(admin, object_type="dataset")}
    for number, (_, cell) in enumerate(CELLS, start=1):
        assert (rows[number]["object_name"], rows[number]["actor_name"]) == (cell, cell)


class Counted(AsyncSession):
    """A session that tells how many are open."""

    open_now = 0

    async def __aenter__(self) -> Self:
        Counted.open_now += 1
        return await super().__aenter__()

    async def __aexit__(self, *problem: Any) -> None:
        Counted.open_now -= 1
        await super().__aexit__(*problem)


async def test_export_holds_no_transaction_between_its_parts(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sessions() as session:
        for number in range(25):
            audit.record(session, None, Action.SIGN_IN_FAILED, Subject("dataset", number + 1))
        await session.commit()
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 10)
    counted = async_sessionmaker(class_=Counted, **sessions.kw)
    wanted = AuditFilter(object_type="dataset")
    lines = []
    async for part in await export.open_export(counted, ADMIN, wanted):
        assert Counted.open_now == 0
        lines.append(part.decode().count("\r\n"))
    assert lines == [11, 10, 5]
