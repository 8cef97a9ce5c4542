"""What the projects routes answer."""

from backend.core.access import ProjectRole
from backend.core.schemas import Schema, Timestamp


class ProjectOut(Schema):
    """A project and what the caller may do in it."""

    id: int
    name: str
    slug: str
    personal: bool
    my_role: ProjectRole | None
    created_at: Timestamp
