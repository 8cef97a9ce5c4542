"""Recipes in the processes that work on tables: tried, applied, written as a script."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import polars as pl

from backend.core.errors import FieldProblem, Unprocessable
from backend.datasets.contents import Lineage, keep_table
from backend.datasets.files import parquet_path
from backend.datasets.recipe_schemas import Outcome, RecipeWork, StepOut
from backend.datasets.schemas import TypedUpload
from backend.science.recipes.apply import Cleaned, apply_recipe
from backend.science.recipes.fields import TableKey
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.scripts.facts import Stage, TableFacts
from backend.science.recipes.scripts.writing import write_script
from backend.science.tables.doubts import find_doubts
from backend.science.tables.table_file import TableFile
from backend.science.tables.writing import write_frames

PART_ROWS: Final = 100_000


def try_recipe(work: RecipeWork) -> Outcome:
    """What the steps would do, with the first changed rows of each.

    Raises
    ------
    Unprocessable
        Names the step and the column that do not go together.
    """
    return _outcome(_applied(work, show_changes=True))


def clean(work: RecipeWork, folder: Path) -> tuple[TypedUpload, Outcome]:
    """The cleaned table as the file of a version, in the folder; `Unprocessable` as above."""
    cleaned = _applied(work, show_changes=False)
    target = parquet_path(folder)
    frame = cleaned.frame
    written = write_frames(frame.schema, frame.iter_slices(PART_ROWS), target)
    outcome, roles = _outcome(cleaned), cleaned.roles
    table = TableFile(
        path=target,
        rows=written.rows,
        names=frame.columns,
        content_digest=written.content_digest,
        source=None,
        warnings=written.warnings(),
        doubts=find_doubts(target),
    )
    # Describing the table reads its file; by then the frame only takes memory.
    del cleaned, frame
    typed = keep_table(
        table,
        file_name=f"{Path(work.file_name).stem}.parquet",
        origin="recipe",
        given_roles=roles,
        lineage=Lineage(
            recipe=work.recorded,
            parent_version=work.parent_version,
            replay_of=work.replay_of,
            inputs=work.inputs,
        ),
    )
    return typed, outcome


def script(
    start: TableFacts,
    stages: Sequence[Stage],
    others: Mapping[TableKey, TableFacts],
) -> str:
    """The chain of recipes as a Python script."""
    return write_script(start, stages, others)


def _applied(work: RecipeWork, *, show_changes: bool) -> Cleaned:
    try:
        return apply_recipe(
            pl.read_parquet(work.path),
            work.steps,
            others={key: pl.read_parquet(path) for key, path in work.others.items()},
            roles=work.roles,
            show_changes=show_changes,
        )
    except RecipeProblem as problem:
        replayed = work.replay_of is not None
        place = ["body", "replay_of" if replayed else "steps", problem.step]
        errors = [
            FieldProblem(loc=[*place, *blame.field], msg=blame.message, type="recipe")
            for blame in problem.blames
        ]
        raise Unprocessable(str(problem), errors=errors) from None


def _outcome(cleaned: Cleaned) -> Outcome:
    steps = [StepOut.model_validate(asdict(report)) for report in cleaned.reports]
    return Outcome(steps, cleaned.frame.height, cleaned.frame.width)
