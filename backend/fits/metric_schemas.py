"""What the route of the metrics answers."""

from backend.core.schemas import Schema
from backend.science.spec import Task


class MetricOut(Schema):
    """A metric of the catalogue."""

    name: str
    title: str
    tasks: list[Task]
    greater_is_better: bool
    description: str


class MetricList(Schema):
    """All metrics; of each task the usual one comes first."""

    items: list[MetricOut]
