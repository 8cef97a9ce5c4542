"""Cleaning in the stand-in for the API: the real steps, over a table of three rows."""

from dataclasses import asdict
from typing import Any

import polars as pl
from fastapi import FastAPI

from backend.accounts.schemas import UserOut
from backend.datasets.recipe_schemas import RecipeOut, RecipeRequest, StepOut
from backend.datasets.schemas import VersionOut
from backend.science.recipes.apply import apply_recipe
from backend.science.recipes.problem import RecipeProblem
from tests.frontend.world import NOW, Refusal, World

TABLE = pl.DataFrame(
    {"species": ["Adelie", "?", None], "year": [2007, 2008, 2009], "body_mass_g": [3750, None, 4]}
)


def add_cleaning(app: FastAPI, world: World, user: Any) -> None:
    @app.post("/api/v1/datasets/{number}/versions/{version}/recipe")
    def clean(
        number: int, version: int, data: RecipeRequest, dry_run: bool, me: UserOut = user
    ) -> RecipeOut:
        assert world.may_read(me, world.datasets[number].project_id)
        try:
            cleaned = apply_recipe(TABLE, data.steps or [])
        except RecipeProblem as problem:
            raise Refusal(422, str(problem), steps=str(problem)) from None
        recipe = [step.model_dump(mode="json") for step in data.steps or []]
        world.recipes.append((dry_run, recipe))
        made = None
        if not dry_run:
            dataset = world.datasets[number]
            latest = dataset.latest_version + 1
            world.datasets[number] = dataset.model_copy(update={"latest_version": latest})
            made = VersionOut(
                version=latest,
                sha256="e" * 64,
                content_digest="d" * 64,
                rows=cleaned.frame.height,
                columns=cleaned.frame.width,
                bytes=1,
                file_name="cleaned.parquet",
                created_by=me.username,
                origin="recipe",
                warnings=[],
                created_at=NOW,
                recipe=recipe,
                parent_version=version,
            )
        return RecipeOut(
            steps=[StepOut(**asdict(report)) for report in cleaned.reports],
            rows=cleaned.frame.height,
            columns=cleaned.frame.width,
            version=made,
        )
