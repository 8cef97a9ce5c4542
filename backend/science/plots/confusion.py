"""Confusion matrix of hold-out predictions: counts and shares of each observed class."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from backend.science.plots.numbers import PlotInputs, PlotNumbers, PlotSpec
from backend.science.plots.style import (
    Palette,
    label,
    make_room,
    prepare,
    shortened,
    text_on,
)

TITLE: Final = "Confusion matrix"
# With more classes the cells are too small for numbers.
MOST_WRITTEN: Final = 15
SHOWN_CHARACTERS: Final = 18
# With more classes only every second, third, … is named.
MOST_NAMED: Final = 30
# Names on the horizontal axis are turned from so many characters on.
WIDEST_NAMES: Final = 60
# A full cell is not the darkest colour: large dark blocks shout.
TOP_OF_SCALE: Final = 1.3


def compute(inputs: PlotInputs) -> PlotNumbers:
    """The matrix of the hold-out rows; row i, column j: class i observed, class j predicted.

    Parameters
    ----------
    inputs
        Hold-out rows of a classification.

    Raises
    ------
    ValueError
        The inputs are those of a regression.
    """
    if inputs.classes is None:
        raise ValueError("a confusion matrix needs classes")
    position = {value: index for index, value in enumerate(inputs.classes)}
    counts = np.zeros((len(position), len(position)), dtype=int)
    for seen, guessed in zip(inputs.observed.tolist(), inputs.predicted.tolist(), strict=True):
        counts[position[seen], position[guessed]] += 1
    names = [str(value) for value in inputs.classes]
    verdict, advice = _judge(counts, names)
    right = int(np.trace(counts))
    alt = (
        f"Confusion matrix of {inputs.target} over {counts.sum():,} hold-out rows, "
        f"{right:,} of them right. {verdict}"
    )
    data = {"target": inputs.target, "classes": names, "counts": counts.tolist()}
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
    worst = int(wrong[seen, guessed])
    share = worst / counts[seen].sum()
    rows = "1 row" if worst == 1 else f"{worst:,} rows"
    return (
        f"Most mistakes: {names[seen]} taken for {names[guessed]} "
        f"({rows}, {share:.0%} of {names[seen]}).",
        "Look at those rows, and at features that tell the two apart.",
    )


def draw(data: dict[str, Any], figure: Figure, palette: Palette) -> None:
    """Draw the numbers of `compute`."""
    names = [shortened(name, SHOWN_CHARACTERS) for name in data["classes"]]
    axes = prepare(figure, palette)
    turned = max(map(len, names)) * len(names) > WIDEST_NAMES
    make_room(figure, axes, names, turned=names if turned else ())
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    counts = np.array(data["counts"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colours = palette.counts()(shares / TOP_OF_SCALE)
    axes.imshow(colours, aspect="auto")
    gap = 2 if len(names) <= MOST_WRITTEN else 0
    edges = np.arange(len(names) - 1) + 0.5
    axes.hlines(edges, -0.5, len(names) - 0.5, color=palette.background, linewidth=gap)
    axes.vlines(edges, -0.5, len(names) - 0.5, color=palette.background, linewidth=gap)
    ticks = range(0, len(names), 1 + len(names) // MOST_NAMED)
    axes.set_xticks(
        ticks,
        [names[tick] for tick in ticks],
        parse_math=False,
        rotation=45 if turned else 0,
        ha="right" if turned else "center",
    )
    axes.set_yticks(ticks, [names[tick] for tick in ticks], parse_math=False)
    if len(names) <= MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            axes.text(
                column,
                row,
                f"{count:,}\n{shares[row, column]:.0%}" if count else "0",
                ha="center",
                va="center",
                fontsize=10,
                color=text_on(colours[row, column]),
            )
    name = shortened(data["target"])
    note = f"{counts.sum():,} hold-out rows; % of each observed class"
    label(axes, palette, title=TITLE, note=note, x=f"Predicted {name}", y=f"Observed {name}")


SPEC = PlotSpec(
    kind="confusion",
    title=TITLE,
    tasks=frozenset({"binary", "multiclass"}),
    order=1,
    compute=compute,
    draw=draw,
)
