"""Recipes in the stand-in for the API: the real steps, over a table of three rows."""

import json
from dataclasses import asdict
from typing import Any

import polars as pl
from fastapi import FastAPI, Response

from backend.accounts.schemas import UserOut
from backend.datasets.recipe_schemas import RecipeExport, RecipeOut, RecipeRequest, StepOut
from backend.science.recipes.apply import apply_recipe
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.steps import Join
from tests.frontend.api_datasets import FormatQuery, add_version, versions_of, visible_dataset
from tests.frontend.world import Refusal, World

TABLE = pl.DataFrame(
    {
        "species": ["Adelie", "?", None],
        "sex": ["male", "female", None],
        "year": [2007, 2008, 2009],
        "body_mass_g": [3750, None, 4],
    }
)
BASE = "/api/v1/datasets/{number}/versions/{version}/recipe"


def _refuse(problem: RecipeProblem) -> Refusal:
    fields = {
        ".".join(map(str, ("steps", problem.step, *blame.field))): blame.message
        for blame in problem.blames
    }
    return Refusal(422, str(problem), **fields)


def _recorded(world: World, number: int, version: int) -> list[dict[str, Any]]:
    [found] = [v for v in versions_of(world, world.datasets[number]) if v.version == version]
    return found.recipe or []


def add_cleaning(app: FastAPI, world: World, user: Any) -> None:
    @app.post(BASE)
    def clean(
        number: int, version: int, data: RecipeRequest, dry_run: bool, me: UserOut = user
    ) -> RecipeOut:
        visible_dataset(world, me, number)
        if world.refuse_recipe is not None:
            raise world.refuse_recipe
        if data.replay_of is not None:
            recorded = _recorded(world, number, data.replay_of)
            data = RecipeRequest(steps=recorded, replay_of=None)
        steps = data.steps or []
        others = {(s.dataset_id, s.version): TABLE for s in steps if isinstance(s, Join)}
        try:
            cleaned = apply_recipe(TABLE, steps, others=others, show_changes=dry_run)
        except RecipeProblem as problem:
            raise _refuse(problem) from None
        recipe = [step.model_dump(mode="json", exclude_unset=True) for step in steps]
        world.recipes.append((dry_run, recipe))
        made = None
        if not dry_run:
            made = add_version(
                world, number, origin="recipe", recipe=recipe, parent_version=version
            )
        return RecipeOut(
            steps=[StepOut(**asdict(report)) for report in cleaned.reports],
            rows=cleaned.frame.height,
            columns=cleaned.frame.width,
            version=made,
        )

    @app.get(BASE)
    def export(
        number: int, version: int, form: FormatQuery = "json", me: UserOut = user
    ) -> Response:
        visible_dataset(world, me, number)
        steps = _recorded(world, number, version)
        if form == "polars":
            return Response(f"# {len(steps)} steps", media_type="text/x-python")
        whole = RecipeExport(dataset_id=number, from_version=1, version=version, steps=steps)
        return Response(json.dumps(whole.model_dump()), media_type="application/json")
