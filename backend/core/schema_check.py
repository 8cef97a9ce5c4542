"""Whether the database's schema is the one that this code was written for."""

import ast
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

ROOT: Final = Path(__file__).resolve().parents[2]
MIGRATIONS: Final = ROOT / "migrations"


@cache
def head_revision() -> str:
    """The newest revision among the migrations.

    Read off the files: loading Alembic would take a third of a second of every start.
    """
    named: dict[str, object] = {}
    for path in (MIGRATIONS / "versions").glob("*.py"):
        found = _constants(path)
        named[str(found["revision"])] = found["down_revision"]
    heads = set(named) - set(named.values())
    if len(heads) != 1:
        raise RuntimeError(f"the migrations have {len(heads)} heads")
    return heads.pop()


def _constants(path: Path) -> dict[str, object]:
    return {
        node.target.id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
    }


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision that the database is at, None for an empty one."""
    try:
        found = await connection.execute(text("select version_num from alembic_version"))
    except ProgrammingError:
        return None
    revision: str | None = found.scalar_one_or_none()
    return revision
