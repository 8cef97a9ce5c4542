"""The form of a catalogue entry: parameters, tasks, and how the estimator is built."""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from backend.science.extras import Extra, is_installed
from backend.science.refusal import FitRefused
from backend.science.spec import Task

Preset = Literal["fast", "balanced", "accurate"]
PRESETS: Final[tuple[Preset, ...]] = ("fast", "balanced", "accurate")


def _any_target(_params: Any, _task: Task, _target: Any) -> None:
    """Whatever the task takes will do."""


def _as_built(built: Any, _params: Any, _task: Task) -> Any:
    return built


def standardise_target(regressor: Any) -> Any:
    """A regressor that learns the standardised target, and predicts in the target's own units.

    For methods whose penalties, margins or first steps mean nothing in unknown units.
    """
    transformed = pkgutil.resolve_name("sklearn.compose:TransformedTargetRegressor")
    scaler = pkgutil.resolve_name("sklearn.preprocessing:StandardScaler")
    return transformed(regressor=regressor, transformer=scaler())


def search_range(low: float, high: float, *, log: bool = False) -> dict[str, Any]:
    """For `json_schema_extra`: between what a search looks, evenly or in orders of magnitude."""
    return {"search": {"low": low, "high": high, "log": log}}


def search_values(*values: Any) -> dict[str, Any]:
    """For `json_schema_extra`: the values that a search tries."""
    return {"search": {"values": list(values)}}


# For `json_schema_extra`: part of the question, so no search may choose it.
NOT_SEARCHED: Final[dict[str, Any]] = {"searchable": False}


def _no_presets() -> dict[Preset, Mapping[str, Any]]:
    return {name: {} for name in PRESETS}


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
    presets
        Parameters over the defaults; every preset has an entry.
    takes_weights
        Whether its `fit` takes weights of rows.
    has_coefficients
        Whether it is linear, so that its terms can be told.
    most_rows
        How many rows it learns from at most, where its cost grows faster than the rows.
    wrap
        Called with the estimator, the checked parameters and the task; puts parts of scikit-learn
        around it where it does not keep the catalogue's promises by itself.
    check_target
        Called with the checked parameters, the task and the target of the rows to learn from
        (shape (n,)); raises FitRefused for values that the method is not made for.
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
    presets: Mapping[Preset, Mapping[str, Any]] = field(default_factory=_no_presets)
    takes_weights: bool = True
    has_coefficients: bool = False
    most_rows: int | None = None
    wrap: Callable[[Any, Any, Task], Any] = _as_built
    check_target: Callable[[Any, Task, Any], None] = _any_target

    @property
    def search_space(self) -> dict[str, Any]:
        """What a search tries: the entry `search` of each parameter's JSON Schema."""
        properties = self.Params.model_json_schema().get("properties", {})
        return {name: entry["search"] for name, entry in properties.items() if "search" in entry}

    @property
    def tasks(self) -> frozenset[Task]:
        """The tasks that the estimator does."""
        return frozenset(self.classes)

    def asks_for(self, task: Task | None, *, number: bool) -> Task | None:
        """The task of a fit: a target of numbers is regressed where nothing else can be.

        Parameters
        ----------
        task
            What was asked for; None: nothing.
        number
            Whether the target is a number; two of them would be classes otherwise.
        """
        only = task is None and number and self.tasks == {"regression"}
        return "regression" if only else task

    @property
    def available(self) -> bool:
        """Whether what it needs is installed."""
        return self.requires is None or is_installed(self.requires)

    def check_size(self, params: Mapping[str, Any], rows: int) -> None:
        """Refuse a table that the estimator is not made for.

        Parameters
        ----------
        params
            Parameters as a user gives them.
        rows
            Number of rows to learn from.

        Raises
        ------
        FitRefused
            There are too many rows for its cost, or fewer than it needs.
        """
        if self.most_rows is not None and rows > self.most_rows:
            raise FitRefused(self.too_many(rows))
        neighbors = getattr(self.Params.model_validate(dict(params)), "n_neighbors", None)
        if neighbors is not None and neighbors > rows:
            raise FitRefused(
                f"{self.title} asks for {neighbors:,} neighbours, but there are only "
                f"{rows:,} rows to learn from."
            )

    def too_many(self, rows: int) -> str:
        """Why so many rows are refused."""
        return (
            f"{self.title} learns from at most {self.most_rows:,} rows, and here are {rows:,}: its "
            "time and memory grow much faster than the rows. Take a sample of the rows, or choose "
            "another estimator."
        )

    def check_values(self, params: Mapping[str, Any], task: Task, target: Any) -> None:
        """Refuse target values that the method is not made for.

        Parameters
        ----------
        params
            Parameters as a user gives them.
        task
            One of `tasks`.
        target
            Of the rows to learn from, shape (n,).

        Raises
        ------
        FitRefused
            The text says which values are in the way.
        """
        self.check_target(self.Params.model_validate(dict(params)), task, target)

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
        built = pkgutil.resolve_name(self.classes[task])(**self.arguments(checked, task, seed))
        return self.wrap(built, checked, task)
