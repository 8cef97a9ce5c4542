"""What is wrong with a recipe, and where."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blame:
    """One thing that is wrong with a step.

    Attributes
    ----------
    field
        Path within the step, such as `("columns", 0)`; empty where the whole step is to blame.
    """

    message: str
    field: tuple[str | int, ...] = ()


class StepProblem(ValueError):
    """A step does not go with the table."""

    def __init__(self, *blames: Blame) -> None:
        super().__init__(blames[0].message)
        self.blames = blames


def refuse(message: str, *field: str | int) -> StepProblem:
    """The problem that one thing is wrong."""
    return StepProblem(Blame(message, field))


class RecipeProblem(ValueError):
    """A recipe does not go with the table; `step` counts from 0."""

    def __init__(self, step: int, blames: Sequence[Blame]) -> None:
        super().__init__(f"Step {step + 1}: {blames[0].message}.")
        self.step = step
        self.blames = blames
