"""Confusion matrix of hold-out predictions: counts and shares of each observed class."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from backend.science.plots.numbers import PlotNumbers
from backend.science.plots.style import Palette, label, prepare

TITLE: Final = "Confusion matrix"
# With more classes the cells are too small for numbers.
MOST_WRITTEN: Final = 15
SHOWN_CHARACTERS: Final = 18


def summarise(
    observed: npt.NDArray[Any], predicted: npt.NDArray[Any], classes: list[Any], target: str
) -> PlotNumbers:
    """The matrix of n hold-out rows.

    Parameters
    ----------
    observed, predicted
        Classes, shape (n,).
    classes
        All classes in their order.
    target
        Name of the target.
    """
    position = {value: index for index, value in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for seen, guessed in zip(observed.tolist(), predicted.tolist(), strict=True):
        counts[position[seen], position[guessed]] += 1
    names = [str(value) for value in classes]
    verdict, advice = _judge(counts, names)
    alt = f"Confusion matrix of {target} over {counts.sum():,} hold-out rows. {verdict}"
    data = {"target": target, "classes": names, "counts": counts.tolist()}
    return PlotNumbers("confusion", TITLE, verdict, advice, alt, data)


def _judge(counts: npt.NDArray[np.int_], names: list[str]) -> tuple[str, str]:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if wrong.sum() == 0:
        return (
            "Every hold-out row was classified right.",
            "Check whether a feature gives the answer away.",
        )
    seen, guessed = np.unravel_index(int(wrong.argmax()), wrong.shape)
    share = wrong[seen, guessed] / counts[seen].sum()
    return (
        f"Most mistakes: {names[seen]} taken for {names[guessed]} "
        f"({wrong[seen, guessed]:,} rows, {share:.0%} of {names[seen]}).",
        "Look at those rows, and at features that tell the two apart.",
    )


def draw(data: dict[str, Any], figure: Figure, palette: Palette) -> None:
    """Draw the numbers of `summarise`."""
    axes = prepare(figure, palette)
    axes.grid(visible=False)
    counts = np.array(data["counts"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=palette.bins, vmin=0, vmax=1, aspect="auto")
    names = [name if len(name) <= SHOWN_CHARACTERS else name[:17] + "…" for name in data["classes"]]
    ticks = range(len(names))
    turn = 45 if max(map(len, names)) * len(names) > 60 else 0
    align = "right" if turn else "center"
    axes.set_xticks(ticks, names, parse_math=False, rotation=turn, ha=align)
    axes.set_yticks(ticks, names, parse_math=False)
    if len(names) <= MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            dark_cell = (share > 0.5) == (palette.bins == "Blues")
            axes.text(
                column,
                row,
                f"{count:,}\n{share:.0%}",
                ha="center",
                va="center",
                fontsize=10,
                color="#ffffff" if dark_cell else "#10151c",
            )
    label(
        axes, palette, title=TITLE, x=f"Predicted {data['target']}", y=f"Observed {data['target']}"
    )
