"""Who is calling: the one argument that every repository needs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person may do on the whole platform."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"


class ProjectRole(StrEnum):
    """What a person may do in one project."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of a request or the platform itself."""

    user_id: int
    username: str
    role: Role
    session_id: int | None = None

    @property
    def sees_everything(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def may_write(self) -> bool:
        return self.role is not Role.VIEWER


# The worker acts for nobody: it names SYSTEM, so that a missing viewer never means "all".
SYSTEM: Final = Viewer(user_id=0, username="system", role=Role.ADMIN)
