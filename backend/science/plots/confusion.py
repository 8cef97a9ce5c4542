"""Confusion matrix of hold-out predictions: counts and shares of each observed class."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from backend.science.plots.numbers import PlotInputs, PlotNumbers, PlotSpec
from backend.science.plots.style import Palette, label, prepare, shortened

TITLE: Final = "Confusion matrix"
# With more classes the cells are too small for numbers.
MOST_WRITTEN: Final = 15
SHOWN_CHARACTERS: Final = 18
INCHES_PER_CHARACTER: Final = 0.085


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
    longest = max(map(len, names))
    axes = prepare(figure, palette, left=0.55 + INCHES_PER_CHARACTER * longest)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    counts = np.array(data["counts"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=palette.counts(), vmin=0, vmax=1, aspect="auto")
    edges = np.arange(len(names) - 1) + 0.5
    axes.hlines(edges, -0.5, len(names) - 0.5, color=palette.background, linewidth=2)
    axes.vlines(edges, -0.5, len(names) - 0.5, color=palette.background, linewidth=2)
    turned = longest * len(names) > 60
    axes.set_xticks(
        range(len(names)),
        names,
        parse_math=False,
        rotation=45 if turned else 0,
        ha="right" if turned else "center",
    )
    axes.set_yticks(range(len(names)), names, parse_math=False)
    if len(names) <= MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            axes.text(
                column,
                row,
                f"{count:,}\n{share:.0%}" if count else "0",
                ha="center",
                va="center",
                fontsize=10,
                color=palette.on_many if share > 0.4 else palette.on_few,
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
