"""What the stand-in for the API knows about links, tokens and the audit."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.accounts.schemas import ApiTokenOut, HoldingOut, LinkInfo, SignInOptions
from backend.audit.schemas import AuditEventOut


@dataclass
class Accounts:
    """Links by their token, tokens by their number, deeds with the newest first."""

    options: SignInOptions = field(
        default_factory=lambda: SignInOptions(
            password=True, registration="off", registration_domains=[], provider=None
        )
    )
    links: dict[str, LinkInfo] = field(default_factory=dict)
    tokens: dict[int, ApiTokenOut] = field(default_factory=dict)
    holdings: dict[str, list[HoldingOut]] = field(default_factory=dict)
    events: list[AuditEventOut] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Bodies and queries of what was asked for."""

    def add_link(self, token: str, purpose: str, username: str) -> datetime:
        ends = datetime.now(UTC) + timedelta(days=3, minutes=1)
        self.links[token] = LinkInfo.model_validate(
            {"purpose": purpose, "username": username, "expires_at": ends}
        )
        return ends

    def add_event(self, number: int, actor: str, action: str, **more: Any) -> None:
        values: dict[str, Any] = {
            "id": number,
            "at": datetime.now(UTC) - timedelta(minutes=number),
            "actor_id": 1,
            "actor_name": actor,
            "token_id": None,
            "action": action,
            "outcome": "done",
            "object_type": "user",
            "object_id": 1,
            "object_name": actor,
            "project_id": None,
            "address": "192.0.2.7",
            "request_id": f"r-{number}",
            "details": {},
        }
        self.events.append(AuditEventOut.model_validate({**values, **more}))
