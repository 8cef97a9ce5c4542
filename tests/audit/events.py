"""What the audit says, read as administrators read it."""

from typing import Any

import httpx

AUDIT = "/api/v1/operations/audit"
REQUEST_ID = {"X-Request-ID": "the-deed-itself"}


async def events(admin: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    """The newest first; all of them where there are at most 200."""
    answer = await admin.get(AUDIT, params={"limit": 200, **wanted})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def the_event(admin: httpx.AsyncClient, action: str, **wanted: Any) -> dict[str, Any]:
    """The one row of this action."""
    found = await events(admin, action=action, **wanted)
    assert len(found) == 1, found
    return found[0]
