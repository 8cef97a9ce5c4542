"""The smoothed line through a cloud of points."""

import pkgutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final, cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Locally weighted lines are fitted this far apart, in shares of the range, and interpolated
# between: 1.7 s become 0.02 s at 10,000 points.
DELTA_SHARE: Final = 0.01
MOST_POINTS: Final = 20_000
SAMPLE: Final = 5_000
SHOWN: Final = 200


def _load_lowess() -> Callable[..., Floats]:
    """Load statsmodels, which would load polars beside it only to know its types.

    polars starts threads, and those do not survive the fork into a fit's process.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    loaded = modules.get("polars")
    modules["polars"] = None  # an import of it fails, as if it were not installed
    try:
        lowess: Callable[..., Floats] = pkgutil.resolve_name(
            "statsmodels.nonparametric.smoothers_lowess:lowess"
        )
    finally:
        del modules["polars"]
        if loaded is not None:
            modules["polars"] = loaded
    return lowess


LOWESS: Final = _load_lowess()


def smooth(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Lowess of y over x.

    Parameters
    ----------
    x, y
        Shape (n,). Above 20,000 points an even sample of 5,000 in the order of x is used.

    Returns
    -------
    tuple of ndarray
        x in rising order and the smoothed y, at most 200 points each.

    References
    ----------
    Cleveland (1979), Journal of the American Statistical Association 74(368).
    """
    order = np.argsort(x, kind="stable")
    if len(order) > MOST_POINTS:
        order = order[np.linspace(0, len(order) - 1, SAMPLE).astype(int)]
    xs, ys = x[order], y[order]
    span = float(np.ptp(xs))
    if span == 0 or len(xs) < 3:
        return xs[:1], np.array([ys.mean()])
    smoothed = LOWESS(ys, xs, frac=2 / 3, delta=DELTA_SHARE * span, is_sorted=True)
    smoothed = smoothed[np.isfinite(smoothed[:, 1])]
    if len(smoothed) == 0:
        return xs[:1], np.array([ys.mean()])
    shown = np.unique(np.linspace(0, len(smoothed) - 1, SHOWN).astype(int))
    return smoothed[shown, 0], smoothed[shown, 1]
