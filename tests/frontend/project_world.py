"""Projects of the stand-in for the API: members and their roles in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backend.core.access import ProjectRole, Role
from backend.projects.schemas import MemberOut, ProjectOut


@dataclass
class Projects:
    """What the stand-in knows about projects."""

    found: dict[int, ProjectOut] = field(default_factory=dict)
    members: dict[int, dict[str, ProjectRole]] = field(default_factory=dict)
    """From a project's number to its members' roles by user name."""
    moved: list[tuple[str, int, int]] = field(default_factory=list)
    """What was moved: its kind, its number and the project."""
    sent_keys: list[str] = field(default_factory=list)

    def add(self, number: int, owner: str, name: str, *, personal: bool = False) -> ProjectOut:
        self.found[number] = ProjectOut(
            id=number,
            name=name,
            description="",
            slug=f"project-{number}",
            personal=personal,
            archived=False,
            my_role=None,
            members=1,
            datasets=0,
            fits=0,
            models=0,
            created_by=owner,
            created_at=datetime.now(UTC) - timedelta(days=2),
        )
        self.members[number] = {owner: ProjectRole.OWNER}
        return self.found[number]

    def may_read(self, username: str, role: Role, project_id: int) -> bool:
        return project_id in self.found and (
            role is Role.ADMIN or username in self.members[project_id]
        )

    def shown(self, username: str, project_id: int, counts: Mapping[str, int]) -> ProjectOut:
        """As the user sees it."""
        members = self.members[project_id]
        update = {"my_role": members.get(username), "members": len(members), **counts}
        return self.found[project_id].model_copy(update=update)

    def listed(self, project_id: int, *, disabled: frozenset[str]) -> list[MemberOut]:
        return [
            MemberOut(
                username=name,
                display_name="",
                role=role,
                disabled=name in disabled,
                since=datetime.now(UTC),
            )
            for name, role in self.members[project_id].items()
        ]
