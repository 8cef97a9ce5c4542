"""A recipe applied to a stored version. Loaded with the first one: it needs polars."""

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from backend.core.errors import FieldProblem, Unprocessable
from backend.datasets.recipe_schemas import StepOut
from backend.science.recipes.apply import apply_recipe
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.steps import AnyStep
from backend.storage.blobs import BlobStore


def clean(
    blobs: BlobStore, parquet_sha256: str, steps: Sequence[AnyStep]
) -> tuple[pl.DataFrame, list[StepOut]]:
    """The cleaned table and what each step did; blocking, so it runs in a thread.

    Raises
    ------
    Unprocessable
        Names the step and the column that do not go together.
    """
    with blobs.open(parquet_sha256) as file:
        frame = pl.read_parquet(file)
    try:
        cleaned = apply_recipe(frame, steps)
    except RecipeProblem as problem:
        errors = [
            FieldProblem(
                loc=["body", "steps", problem.step, *blame.field], msg=blame.message, type="recipe"
            )
            for blame in problem.blames
        ]
        raise Unprocessable(str(problem), errors=errors) from None
    return cleaned.frame, [
        StepOut(**asdict(report), columns_added=[], columns_dropped=[])
        for report in cleaned.reports
    ]
