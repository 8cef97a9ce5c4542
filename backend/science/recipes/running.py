"""How a step is run, the same here and in an exported script."""

from collections.abc import Callable
from typing import Any

import polars as pl

from backend.science.recipes.problem import refuse
from backend.science.recipes.values import tidy


def prepare(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with missing values as null: neither NaN nor empty text."""
    return pl.DataFrame([tidy(series) for series in frame.iter_columns()])


def take(
    operation: Callable[..., pl.DataFrame], frame: pl.DataFrame, **arguments: Any
) -> pl.DataFrame:
    """The table after an operation, which must leave something of it."""
    made = operation(frame, **arguments)
    if made.width == 0:
        raise refuse("no column is left after this step")
    if made.height == 0:
        raise refuse("no row is left after this step")
    return made
