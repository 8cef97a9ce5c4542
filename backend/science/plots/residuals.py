"""Residuals against fitted values, computed from hold-out predictions."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from backend.science.plots.numbers import PlotNumbers
from backend.science.plots.style import Palette, label, prepare

Floats = npt.NDArray[np.float64]
TITLE: Final = "Residuals vs fitted"
# Up to here every point is drawn; above, bins and the most extreme points.
MOST_POINTS: Final = 20_000
EXTREME_POINTS: Final = 500
LABELLED: Final = 3
BINS: Final = (120, 80)
LOWESS_POINTS: Final = 200
# The trend counts as bent when it leaves zero by more than this share of the residuals' spread.
BEND: Final = 0.25
SPREAD_RATIO: Final = 2.0


def summarise(
    rows: npt.NDArray[np.int64],
    observed: Floats,
    predicted: Floats,
    trend: tuple[Floats, Floats],
    target: str,
) -> PlotNumbers:
    """The plot of n hold-out rows.

    Parameters
    ----------
    rows
        Row numbers in the dataset, shape (n,).
    observed, predicted
        In units of the target, shape (n,).
    trend
        x and y of the smoothed residuals, as `trends.smooth` makes them.
    target
        Name of the target.
    """
    residual = observed - predicted
    order = np.argsort(-np.abs(residual), kind="stable")
    extremes = order[:LABELLED]
    verdict, advice = _judge(predicted, residual, trend)
    data: dict[str, Any] = {
        "target": target,
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
        f"Scatter of {len(rows):,} hold-out residuals of {target} against fitted values from "
        f"{predicted.min():.4g} to {predicted.max():.4g}. Residuals have a standard deviation of "
        f"{residual.std():.4g}; the largest belong to the rows {worst}. {verdict}"
    )
    return PlotNumbers("residuals", TITLE, verdict, advice, alt, data)


def _listed(values: Floats) -> list[float]:
    """Six digits are more than a plot can show, and half the bytes."""
    return [float(f"{value:.6g}") for value in values]


def _bins(predicted: Floats, residual: Floats) -> dict[str, Any]:
    counts, x, y = np.histogram2d(predicted, residual, bins=BINS)
    return {"counts": counts.astype(int).tolist(), "x": _listed(x), "y": _listed(y)}


def _judge(predicted: Floats, residual: Floats, trend: tuple[Floats, Floats]) -> tuple[str, str]:
    """A sentence and an advice from the numbers; the strongest finding wins."""
    spread = float(residual.std())
    if spread == 0:
        return "Every residual is zero.", "Check whether a feature is the target in disguise."
    inner = trend[1][len(trend[1]) // 20 : len(trend[1]) - len(trend[1]) // 20]
    if len(inner) and float(np.ptp(inner)) > BEND * 2 * spread:
        return (
            "The red line bends: the relation looks non-linear.",
            "Try a spline or a tree.",
        )
    low, high = np.quantile(predicted, [1 / 3, 2 / 3])
    left, right = residual[predicted <= low], residual[predicted >= high]
    if len(left) > LABELLED and len(right) > LABELLED:
        narrow, wide = float(left.std()), float(right.std())
        if wide > SPREAD_RATIO * narrow:
            return (
                "Spread grows with the fitted value: intervals will be wrong.",
                "Try log target.",
            )
        if narrow > SPREAD_RATIO * wide:
            return (
                "Spread shrinks with the fitted value: intervals will be wrong.",
                "Look for a ceiling in the target, or transform it.",
            )
    kurtosis = float(np.mean((residual - residual.mean()) ** 4) / spread**4)
    if kurtosis > 6:
        return "Tails heavier than normal.", "Trust bootstrap intervals, and look at the rows."
    return (
        "No strong pattern seen; this is not proof of a right model.",
        "Compare with another estimator.",
    )


def draw(data: dict[str, Any], figure: Figure, palette: Palette) -> None:
    """Draw the numbers of `summarise`."""
    axes = prepare(figure, palette)
    binned = data.get("binned")
    if binned is not None:
        counts = np.array(binned["counts"], dtype=float).T
        mesh = np.ma.masked_equal(counts, 0)
        axes.pcolormesh(
            binned["x"], binned["y"], mesh, cmap=palette.bins, norm=LogNorm(1, counts.max())
        )
    many = len(data["fitted"]) > 1_000 and binned is None
    # Markers of a line are stamped; a scatter draws each one anew, five times slower.
    axes.plot(
        np.array(data["fitted"]),
        np.array(data["residual"]),
        linestyle="none",
        marker="o",
        markersize=3 if many else 4.5,
        markeredgewidth=0,
        alpha=0.35 if many else 0.7,
        color=palette.points,
        zorder=3,
    )
    axes.axhline(0, color=palette.muted, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    axes.plot(data["lowess"]["x"], data["lowess"]["y"], color=palette.trend, linewidth=2, zorder=4)
    _label_extremes(axes, data["extremes"], palette)
    label(
        axes,
        palette,
        title=TITLE,
        x=f"Fitted {data['target']}",
        y=f"Residual of {data['target']} (observed minus fitted)",
    )
    note = f"{data['n']:,} hold-out rows"
    if binned is not None:
        note += f", binned; {len(data['fitted'])} largest as points"
    axes.text(1, 1.03, note, transform=axes.transAxes, ha="right", fontsize=9, color=palette.muted)


def _label_extremes(axes: Axes, extremes: list[dict[str, float]], palette: Palette) -> None:
    """Row numbers beside the points; pushed apart where two would cover each other."""
    placed: list[tuple[float, float]] = []
    for extreme in sorted(extremes, key=lambda e: -e["residual"]):
        point = (extreme["fitted"], extreme["residual"])
        x, y = axes.transData.transform(point)
        shift = 5.0
        while any(abs(x - px) < 60 and abs(y + shift - py) < 13 for px, py in placed):
            shift -= 13.0
        placed.append((x, y + shift))
        axes.annotate(
            f"row {extreme['row']:,}",
            point,
            xytext=(6, shift),
            textcoords="offset pixels",
            fontsize=8,
            color=palette.text,
            zorder=5,
        )
