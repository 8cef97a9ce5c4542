"""How many features the feature steps make, and of what; importable without scikit-learn."""

from collections.abc import Mapping
from itertools import combinations_with_replacement
from math import comb
from typing import Final

from backend.science.refusal import FitRefused
from backend.science.spec import FeatureStep, Interactions, Polynomial, Preprocessing, Spline

# Features that all steps of a fit may make.
MOST_MADE: Final = 5_000


def smoothed(preprocessing: Preprocessing) -> set[str]:
    """Columns that splines stand for; a straight line is one of the splines."""
    return {
        name for step in preprocessing.features if isinstance(step, Spline) for name in step.columns
    }


def count_made(step: FeatureStep, widths: Mapping[str, int]) -> int:
    """How many features a step makes, before those that never vary are left out.

    Parameters
    ----------
    step
        The step.
    widths
        How many features each column gives by itself, by name.
    """
    match step:
        case Polynomial():
            size = len(step.columns)
            return comb(size + step.degree, step.degree) - 1 - size
        case Spline():
            return len(step.columns) * (step.knots + step.degree - 2)
        case Interactions():
            return comb(sum(widths[name] for name in step.columns), 2)


def require_few(preprocessing: Preprocessing, widths: Mapping[str, int]) -> None:
    """Refuse more features than memory and sense allow.

    Parameters
    ----------
    preprocessing
        What the fit asks for.
    widths
        How many features each column gives by itself, by name.

    Raises
    ------
    FitRefused
        The steps make more than `MOST_MADE` features; the text says how many.
    """
    made = sum(count_made(step, widths) for step in preprocessing.features)
    if made > MOST_MADE:
        raise FitRefused(
            f"The feature steps make {made:,} features; at most {MOST_MADE:,}. "
            "Take fewer columns, a lower degree or fewer categories."
        )


def products(step: FeatureStep) -> set[tuple[str, str]]:
    """The products of two columns that a step makes, so that none is made twice."""
    if isinstance(step, Spline):
        return set()
    pairs = combinations_with_replacement(sorted(step.columns), 2)
    powers = isinstance(step, Polynomial)
    return {(one, other) for one, other in pairs if powers or one != other}
