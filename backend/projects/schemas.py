"""What the projects routes take and answer."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from backend.accounts.schemas import Username
from backend.core.access import ProjectRole
from backend.core.schemas import Description, Name, Schema, Timestamp


class ProjectOut(Schema):
    """A project and what the caller may do in it."""

    passing: ClassVar[frozenset[str]] = frozenset({"members", "datasets", "fits", "models"})

    id: int
    name: str
    description: str
    slug: str
    personal: bool
    archived: bool
    # null: an administrator who is no member.
    my_role: ProjectRole | None
    members: int
    datasets: int
    fits: int
    models: int
    created_by: str
    created_at: Timestamp


class ProjectCreate(Schema):
    """A new shared project; who makes it owns it."""

    name: Name
    description: Description = ""


class ProjectUpdate(Schema):
    """What its owner may change; what is left out stays."""

    name: Name | None = None
    description: Description | None = None
    archived: bool | None = None


class MemberOut(Schema):
    """One person's role in a project."""

    username: str
    display_name: str
    role: ProjectRole
    disabled: bool
    since: Timestamp


class MemberList(Schema):
    """All members of a project."""

    items: list[MemberOut] = Field(default_factory=list)


class MemberSet(Schema):
    """The role that somebody gets."""

    role: ProjectRole


class Transfer(Schema):
    """Who is to own the project."""

    username: Username


@dataclass(frozen=True, slots=True)
class ProjectFilter:
    """Which projects a list is about."""

    name_contains: str | None = None
    archived: bool | None = None
    mine: bool = False
