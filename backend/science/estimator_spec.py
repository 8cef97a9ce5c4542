"""The form of a catalogue entry: parameters, tasks, and how the estimator is built."""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from backend.science.extras import Extra, is_installed
from backend.science.spec import Task


class Params(BaseModel):
    """Base of every estimator's parameters: unknown names and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class EstimatorSpec:
    """One entry of the catalogue.

    Attributes
    ----------
    classes
        Dotted path of the scikit-learn class for each task, `"package.module:Class"`.
    arguments
        Turns validated parameters, the task and a seed into the class's keyword arguments.
    scale
        Whether numeric columns are standardised before.
    grows
        Name of the parameter that counts members of an ensemble that can be fitted in steps.
    data
        What kind of dataset it learns from.
    requires
        The optional part of the installation that it needs.
    """

    name: str
    title: str
    summary: str
    reference: str
    Params: type[Params]
    classes: Mapping[Task, str]
    arguments: Callable[[Any, Task, int], dict[str, Any]]
    scale: bool = False
    grows: str | None = None
    data: Literal["table", "image"] = "table"
    requires: Extra | None = None

    @property
    def tasks(self) -> frozenset[Task]:
        """The tasks that the estimator does."""
        return frozenset(self.classes)

    @property
    def available(self) -> bool:
        """Whether what it needs is installed."""
        return self.requires is None or is_installed(self.requires)

    def build(self, params: Mapping[str, Any], task: Task, seed: int) -> Any:
        """An unfitted scikit-learn estimator.

        Parameters
        ----------
        params
            Parameters as a user gives them; defaults are filled in.
        task
            One of `tasks`.
        seed
            Fixes whatever is random in the estimator.
        """
        checked = self.Params.model_validate(dict(params))
        return pkgutil.resolve_name(self.classes[task])(**self.arguments(checked, task, seed))
