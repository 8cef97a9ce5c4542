"""What a plot is made from, what is computed for it, and the form of a plot's file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from backend.science.plots.style import Palette
from backend.science.spec import Task

Floats = npt.NDArray[np.float64]
Smooth = Callable[[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class PlotInputs:
    """The n hold-out rows of a fit.

    Attributes
    ----------
    target
        Name of the target.
    rows
        Row numbers in the dataset, counted from 0, shape (n,).
    observed, predicted
        Target values, shape (n,).
    classes
        All classes in their order; None for regression.
    smooth
        The trend of y over x. Handed in, because drawing must not load statistics.
    """

    task: Task
    target: str
    rows: npt.NDArray[np.int64]
    observed: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    classes: list[Any] | None
    smooth: Smooth


@dataclass(frozen=True, slots=True)
class PlotNumbers:
    """A computed plot.

    Attributes
    ----------
    verdict, advice, alt
        One sentence on what it shows, what to do about it, and a text for those who cannot see it.
    data
        What `draw` needs, as JSON: finite numbers only.
    """

    kind: str
    title: str
    verdict: str
    advice: str
    alt: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """One file of plots.

    Attributes
    ----------
    order
        Its place among the plots of a fit, the smallest first.
    compute
        Makes the numbers, once, at the end of a fit.
    draw
        Draws `PlotNumbers.data`; needs numpy and matplotlib only.
    """

    kind: str
    title: str
    tasks: frozenset[Task]
    order: int
    compute: Callable[[PlotInputs], PlotNumbers]
    draw: Callable[[dict[str, Any], Figure, Palette], None]
