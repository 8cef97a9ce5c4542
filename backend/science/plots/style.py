"""Colours and axes that all plots share."""

from dataclasses import dataclass
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme; points and trend differ in lightness too, for colour-blind readers."""

    background: str
    text: str
    muted: str
    grid: str
    points: str
    trend: str
    bins: str


PALETTES: Final[dict[Theme, Palette]] = {
    "light": Palette("#ffffff", "#1f2933", "#7b8794", "#e4e7eb", "#2f6690", "#c8442f", "Blues"),
    "dark": Palette("#0e1117", "#e8ecf1", "#93a1b1", "#2a323d", "#7fb7e6", "#ff8a70", "viridis"),
}


def prepare(figure: Figure, palette: Palette) -> Axes:
    """One pair of axes, quiet: no frame above and right, a light grid behind."""
    figure.set_facecolor(palette.background)
    # Fixed margins in inches: a layout engine would take longer than the drawing.
    width, height = figure.get_size_inches()
    left, right, bottom, top = 1.0 / width, 0.25 / width, 0.65 / height, 0.55 / height
    axes = figure.add_axes((left, bottom, 1 - left - right, 1 - bottom - top))
    axes.set_facecolor(palette.background)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(palette.muted)
    axes.tick_params(colors=palette.muted, labelsize=9, labelcolor=palette.text)
    axes.grid(visible=True, color=palette.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def label(axes: Axes, palette: Palette, *, title: str, x: str, y: str) -> None:
    """Title at the left, names of the axes."""
    axes.set_title(title, loc="left", fontsize=13, color=palette.text, pad=12)
    axes.set_xlabel(x, fontsize=10, color=palette.text, labelpad=8, parse_math=False)
    axes.set_ylabel(y, fontsize=10, color=palette.text, labelpad=8, parse_math=False)
