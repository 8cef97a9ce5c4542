"""Residuals against fitted values, computed from hold-out predictions."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from backend.science.plots.numbers import PlotInputs, PlotNumbers, PlotSpec
from backend.science.plots.style import (
    Palette,
    group_digits,
    label,
    prepare,
    shortened,
    written,
)

Floats = npt.NDArray[np.float64]
# In fewer rows noise bends every line.
FEWEST_JUDGED: Final = 30
TITLE: Final = "Residuals vs fitted"
# Up to here every point is drawn; above, bins and the most extreme points.
MOST_POINTS: Final = 20_000
EXTREME_POINTS: Final = 500
LABELLED: Final = 3
BINS: Final = (120, 80)
# The trend counts as bent when its range exceeds this share of the residuals' spread.
BEND: Final = 0.5
SPREAD_RATIO: Final = 2.0
HEAVY_KURTOSIS: Final = 6.0
# A third of fewer rows says little about spread.
FEWEST_IN_THIRD: Final = 10
# Labels of extreme rows: size of the letters and of a label, in points.
LABEL_SIZE: Final = 8
LABEL_WIDTH: Final = 48
LABEL_HEIGHT: Final = 10


def compute(inputs: PlotInputs) -> PlotNumbers:
    """The plot of the hold-out rows.

    Parameters
    ----------
    inputs
        Hold-out rows of a regression; values in units of the target.
    """
    rows = inputs.rows
    observed = inputs.observed.astype(np.float64)
    predicted = inputs.predicted.astype(np.float64)
    residual = observed - predicted
    trend = inputs.smooth(predicted, residual)
    order = np.argsort(-np.abs(residual), kind="stable")
    extremes = order[:LABELLED]
    verdict, advice = _judge(predicted, residual, trend)
    data: dict[str, Any] = {
        "target": inputs.target,
        "n": len(rows),
        "lowess": {"x": _listed(trend[0]), "y": _listed(trend[1])},
        "extremes": [
            {
                "row": int(rows[i]),
                "fitted": float(predicted[i]),
                "residual": float(residual[i]),
            }
            for i in extremes
        ],
    }
    shown = np.arange(len(rows))
    if len(rows) > MOST_POINTS:
        shown = order[:EXTREME_POINTS]
        data["binned"] = _bins(predicted, residual)
    data["row"] = [int(row) for row in rows[shown]]
    data["fitted"] = _listed(predicted[shown])
    data["residual"] = _listed(residual[shown])
    worst = ", ".join(f"{int(rows[i]):,}" for i in extremes)
    alt = (
        f"Scatter of {len(rows):,} hold-out residuals of {inputs.target} against fitted values "
        f"from {written(predicted.min())} to {written(predicted.max())}. Residuals have a "
        f"standard deviation of {written(residual.std())}; the largest belong to the rows "
        f"{worst}. {verdict}"
    )
    return PlotNumbers("residuals", TITLE, verdict, advice, alt, data)


def _listed(values: Floats) -> list[float]:
    """Rounded to a millionth of their range: more than a plot can show, in half the bytes."""
    span = float(np.ptp(values)) if len(values) else 0.0
    if span == 0 or not np.isfinite(span):
        return [float(value) for value in values]
    decimals = 6 - int(np.floor(np.log10(span)))
    return [float(value) for value in np.round(values, decimals)]


def _bins(predicted: Floats, residual: Floats) -> dict[str, Any]:
    counts, x, y = np.histogram2d(predicted, residual, bins=BINS)
    return {"counts": counts.astype(int).tolist(), "x": _listed(x), "y": _listed(y)}


def _judge(predicted: Floats, residual: Floats, trend: tuple[Floats, Floats]) -> tuple[str, str]:
    """A sentence and an advice from the numbers; the strongest finding wins."""
    if len(residual) < FEWEST_JUDGED:
        return (
            f"{len(residual)} hold-out rows are too few to see a pattern.",
            "Keep a larger share of the rows for scoring, or collect more.",
        )
    spread = float(residual.std())
    if spread == 0:
        return "Every residual is the same.", "Check whether a feature is the target in disguise."
    # The trend's ends rest on few points.
    ends = len(trend[1]) // 20
    inner = trend[1][ends : len(trend[1]) - ends]
    if float(np.ptp(inner)) > BEND * spread:
        return "The red line bends: the relation looks non-linear.", "Try a spline or a tree."
    if (finding := _judge_spread(predicted, residual)) is not None:
        return finding
    kurtosis = float(np.mean(((residual - residual.mean()) / spread) ** 4))
    if kurtosis > HEAVY_KURTOSIS:
        return "Tails heavier than normal.", "Trust bootstrap intervals, and look at the rows."
    return (
        "No strong pattern seen; this is not proof of a right model.",
        "Compare with another estimator.",
    )


def _judge_spread(predicted: Floats, residual: Floats) -> tuple[str, str] | None:
    """Whether the residuals of the lowest and of the highest third spread differently."""
    low, high = np.quantile(predicted, [1 / 3, 2 / 3])
    left, right = residual[predicted <= low], residual[predicted >= high]
    if min(len(left), len(right)) < FEWEST_IN_THIRD:
        return None
    if right.std() > SPREAD_RATIO * left.std():
        return "Spread grows with the fitted value: intervals will be wrong.", "Try log target."
    if left.std() > SPREAD_RATIO * right.std():
        return (
            "Spread shrinks with the fitted value: intervals will be wrong.",
            "Look for a ceiling in the target, or transform it.",
        )
    return None


def draw(data: dict[str, Any], figure: Figure, palette: Palette) -> None:
    """Draw the numbers of `compute`."""
    axes = prepare(figure, palette)
    axes.use_sticky_edges = False
    note = f"{data['n']:,} hold-out rows"
    if "binned" in data:
        _draw_bins(axes, data["binned"], palette)
        note += f", binned; {len(data['fitted'])} largest as points"
    _draw_points(axes, data, palette)
    axes.axhline(0, color=palette.muted, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    axes.plot(data["lowess"]["x"], data["lowess"]["y"], color=palette.trend, linewidth=2, zorder=4)
    group_digits(figure, axes)
    _label_extremes(figure, axes, data["extremes"], palette)
    name = shortened(data["target"])
    label(
        axes,
        palette,
        title=TITLE,
        note=note,
        x=f"Fitted {name}",
        y=f"Residual of {name} (observed minus fitted)",
    )


def _draw_bins(axes: Axes, binned: dict[str, Any], palette: Palette) -> None:
    counts = np.array(binned["counts"], dtype=float).T
    axes.pcolormesh(
        binned["x"],
        binned["y"],
        np.ma.masked_equal(counts, 0),
        cmap=palette.counts(),
        norm=LogNorm(1, max(2.0, counts.max())),
    )


def _draw_points(axes: Axes, data: dict[str, Any], palette: Palette) -> None:
    many = len(data["fitted"]) > 1_000 or "binned" in data
    # Markers of a line are stamped; a scatter draws each one anew, five times slower.
    axes.plot(
        np.array(data["fitted"]),
        np.array(data["residual"]),
        linestyle="none",
        marker="o",
        markersize=3 if many else 4.5,
        markeredgewidth=0,
        alpha=0.35 if many and "binned" not in data else 0.7,
        color=palette.points,
        zorder=3,
    )


def _label_extremes(
    figure: Figure, axes: Axes, extremes: list[dict[str, float]], palette: Palette
) -> None:
    """Row numbers beside the points, inside the axes and apart from each other."""
    # Reading the limits makes matplotlib settle them before positions are asked for.
    right = axes.get_xlim()[1]
    edge = axes.transData.transform((right, axes.get_ylim()[1]))[0]
    unit = figure.dpi / 72
    placed: list[tuple[float, float]] = []
    for extreme in sorted(extremes, key=lambda e: -e["residual"]):
        point = (extreme["fitted"], extreme["residual"])
        x, y = axes.transData.transform(point) / unit
        leftward = x + LABEL_WIDTH > edge / unit
        start = x - LABEL_WIDTH if leftward else x
        shift = 3.0
        while any(
            abs(start - px) < LABEL_WIDTH and abs(y + shift - py) < LABEL_HEIGHT
            for px, py in placed
        ):
            shift -= LABEL_HEIGHT
        placed.append((start, y + shift))
        axes.annotate(
            f"row {int(extreme['row']):,}",
            point,
            xytext=(-5 if leftward else 5, shift),
            textcoords="offset points",
            ha="right" if leftward else "left",
            fontsize=LABEL_SIZE,
            color=palette.text,
            zorder=5,
        )


SPEC = PlotSpec(
    kind="residuals",
    title=TITLE,
    tasks=frozenset({"regression"}),
    order=1,
    compute=compute,
    draw=draw,
)
