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


class Scope(StrEnum):
    """What a token may be used for; each includes the ones before it."""

    PREDICT = "predict"
    READ = "read"
    WRITE = "write"

    def includes(self, other: "Scope") -> bool:
        """Whether who has this one may do what needs the other one."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of a request or the platform itself.

    Attributes
    ----------
    session_id
        The sign-in of a person; None for a token and for the platform.
    scope, token_id
        What the token may be used for, and which one it is; a person may all that the role allows.
    project_id
        The only project that the token reaches; None where it reaches all of its user's.
    address
        Where the request came from.
    """

    user_id: int
    username: str
    role: Role
    session_id: int | None = None
    scope: Scope = Scope.WRITE
    token_id: int | None = None
    project_id: int | None = None
    address: str | None = None

    @property
    def sees_everything(self) -> bool:
        return self.role is Role.ADMIN and self.project_id is None

    @property
    def may_write(self) -> bool:
        return self.role is not Role.VIEWER

    @property
    def is_person(self) -> bool:
        """Signed in, and not a program with a token."""
        return self.session_id is not None


# The worker acts for nobody: it names SYSTEM, so that a missing viewer never means "all".
SYSTEM: Final = Viewer(user_id=0, username="system", role=Role.ADMIN)
