"""Colours, axes and numbers that all plots share."""

from collections.abc import Sequence
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
INCHES_PER_CHARACTER: Final = 0.085
# The name of the vertical axis and the gaps around it, in inches.
AXIS_NAME: Final = 0.55
# Height of a text at 45 degrees as a share of its length.
SLANT: Final = 0.71
# Luminance at which black and white text read equally well (WCAG 2).
MIDDLE_LUMINANCE: Final = 0.179


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme; points and trend differ in lightness too, for colour-blind readers.

    Attributes
    ----------
    few, many
        Ends of the scale for counts; `many` stands out most from the background.
    """

    background: str
    text: str
    muted: str
    grid: str
    points: str
    trend: str
    few: str
    many: str

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
    ),
}


def prepare(figure: Figure, palette: Palette) -> Axes:
    """One pair of axes, quiet: no frame above and right, a light grid behind."""
    figure.set_facecolor(palette.background)
    # Fixed margins in inches: a layout engine would take longer than the drawing. A small figure
    # keeps a part for the axes.
    width, height = figure.get_size_inches()
    west, east = min(1 / width, 0.45), min(0.25 / width, 0.1)
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


def make_room(
    figure: Figure, axes: Axes, labels: Sequence[str], *, turned: Sequence[str] = ()
) -> None:
    """Shrink the axes so that labels fit: those of the vertical axis, and slanted ones below."""
    bounds = axes.get_position()
    width, height = figure.get_size_inches()
    west = min((AXIS_NAME + _width(labels)) / width, 0.45)
    south = min((AXIS_NAME + SLANT * _width(turned)) / height, 0.4) if turned else bounds.y0
    axes.set_position((west, south, bounds.x1 - west, bounds.y1 - south))


def _width(labels: Sequence[str]) -> float:
    return INCHES_PER_CHARACTER * max(map(len, labels), default=0)


def label(axes: Axes, palette: Palette, *, title: str, note: str, x: str, y: str) -> None:
    """Title at the left, a note at the right, names of the axes."""
    axes.set_title(title, loc="left", fontsize=13, color=palette.text, pad=12)
    axes.text(1, 1.03, note, transform=axes.transAxes, ha="right", fontsize=9, color=palette.muted)
    axes.set_xlabel(x, fontsize=10, color=palette.text, labelpad=8, parse_math=False)
    axes.set_ylabel(y, fontsize=10, color=palette.text, labelpad=8, parse_math=False)


def group_digits(figure: Figure, axes: Axes) -> None:
    """Thousands are grouped on both axes, very large and small numbers written with a power."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _position: written(value)))
    make_room(figure, axes, [written(value) for value in axes.get_yticks()])


def text_on(colour: Sequence[float]) -> str:
    """Black or white, whichever reads better on this colour (red, green, blue from 0 to 1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#10151c" if luminance > MIDDLE_LUMINANCE else "#ffffff"


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
