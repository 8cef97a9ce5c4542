"""Colours, axes and numbers that all plots share."""

from dataclasses import dataclass
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

Theme = Literal["light", "dark"]
LONGEST_NAME: Final = 40
# Grouped digits get too wide from here on.
LARGEST_WRITTEN_OUT: Final = 1e7
SMALLEST_WRITTEN_OUT: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme; points and trend differ in lightness too, for colour-blind readers.

    Attributes
    ----------
    few, many
        Ends of the scale for counts; `many` stands out most from the background.
    on_few, on_many
        Text that reads on them.
    """

    background: str
    text: str
    muted: str
    grid: str
    points: str
    trend: str
    few: str
    many: str
    on_few: str
    on_many: str

    def counts(self) -> LinearSegmentedColormap:
        """The scale for counts, from `few` over the colour of points to `many`."""
        return LinearSegmentedColormap.from_list("counts", [self.few, self.points, self.many])


PALETTES: Final[dict[Theme, Palette]] = {
    "light": Palette(
        background="#ffffff",
        text="#1f2933",
        muted="#6b7785",
        grid="#e9ecf0",
        points="#2f6690",
        trend="#c8442f",
        few="#d9e6f2",
        many="#0f2f4d",
        on_few="#1f2933",
        on_many="#ffffff",
    ),
    "dark": Palette(
        background="#0e1117",
        text="#e8ecf1",
        muted="#93a1b1",
        grid="#232a34",
        points="#7fb7e6",
        trend="#ff8a70",
        few="#1c2f42",
        many="#e6f3ff",
        on_few="#e8ecf1",
        on_many="#10151c",
    ),
}


def prepare(figure: Figure, palette: Palette, *, left: float = 1.0) -> Axes:
    """One pair of axes, quiet: no frame above and right, a light grid behind.

    Parameters
    ----------
    left
        Room for the labels of the vertical axis, in inches.
    """
    figure.set_facecolor(palette.background)
    # Fixed margins in inches: a layout engine would take longer than the drawing. A small figure
    # keeps a part for the axes.
    width, height = figure.get_size_inches()
    west, east = min(left / width, 0.45), min(0.25 / width, 0.1)
    south, north = min(0.65 / height, 0.35), min(0.55 / height, 0.25)
    axes = figure.add_axes((west, south, 1 - west - east, 1 - south - north))
    axes.set_facecolor(palette.background)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(palette.muted)
    axes.tick_params(colors=palette.muted, labelsize=9, labelcolor=palette.text)
    axes.grid(visible=True, color=palette.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def label(axes: Axes, palette: Palette, *, title: str, note: str, x: str, y: str) -> None:
    """Title at the left, a note at the right, names of the axes."""
    axes.set_title(title, loc="left", fontsize=13, color=palette.text, pad=12)
    axes.text(1, 1.03, note, transform=axes.transAxes, ha="right", fontsize=9, color=palette.muted)
    axes.set_xlabel(x, fontsize=10, color=palette.text, labelpad=8, parse_math=False)
    axes.set_ylabel(y, fontsize=10, color=palette.text, labelpad=8, parse_math=False)


def group_digits(axes: Axes) -> None:
    """Thousands are grouped on both axes, very large and small numbers written with a power."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _position: written(value)))


def written(value: float) -> str:
    """A number for people, with four significant digits."""
    size = abs(value)
    if size >= LARGEST_WRITTEN_OUT or 0 < size < SMALLEST_WRITTEN_OUT:
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    if size >= 1_000:
        return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def shortened(name: str, length: int = LONGEST_NAME) -> str:
    """A name that fits into the figure."""
    return name if len(name) <= length else f"{name[: length - 1]}…"
