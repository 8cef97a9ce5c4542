"""The steps that are being chosen for a version: changed, tried, and kept in the session."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ColumnOut
from backend.datasets.recipe_schemas import RecipeOut
from frontend import identity
from frontend.client import ApiError, Refused, SignedOut
from frontend.state import Recipe, state
from frontend.widgets import NO_ANSWER

Step = dict[str, Any]
Problems = Mapping[str, str]
PLACE: Final = re.compile(r"steps\.(?P<step>\d+)(?:\.(?P<field>.*))?")
# The tabs of a dataset's page, and the one with the recipe.
TABS: Final = "tab"
RECIPE_TAB: Final = "Recipe"
# Of columns that a step made; only the server knows their types.
UNKNOWN: Final = ""


def recipe_of(dataset_id: int, version: int) -> Recipe:
    """What was chosen for the version so far."""
    return state.recipes.get((dataset_id, version)) or Recipe(dataset_id, version)


def keep(recipe: Recipe) -> None:
    state.recipes = {**state.recipes, (recipe.dataset_id, recipe.version): recipe}


def forget(recipe: Recipe) -> None:
    kept = dict(state.recipes)
    kept.pop((recipe.dataset_id, recipe.version), None)
    state.recipes = kept


def change(recipe: Recipe, steps: Sequence[Step]) -> None:
    """Other steps are another request, and what was said of the old ones counts no more."""
    keep(with_steps(recipe, steps))
    state.form_round += 1


def with_steps(recipe: Recipe, steps: Sequence[Step]) -> Recipe:
    """The same place with other steps, not kept."""
    return Recipe(recipe.dataset_id, recipe.version, tuple(steps), key=uuid.uuid4().hex)


def add(recipe: Recipe, *steps: Step) -> None:
    change(recipe, (*recipe.steps, *steps))


def fix(recipe: Recipe, step: Step) -> None:
    """Adds the step from outside the recipe's tab, and goes there."""
    add(recipe, step)
    st.query_params[TABS] = RECIPE_TAB


def put(recipe: Recipe, at: int, step: Step) -> None:
    """Another step in the place of one."""
    change(recipe, (*recipe.steps[:at], step, *recipe.steps[at + 1 :]))


def remove(recipe: Recipe, at: int) -> None:
    change(recipe, recipe.steps[:at] + recipe.steps[at + 1 :])


def move(recipe: Recipe, at: int, by: int) -> None:
    """Swaps a step with its neighbour."""
    steps = list(recipe.steps)
    steps[at], steps[at + by] = steps[at + by], steps[at]
    change(recipe, steps)


def edit(recipe: Recipe, at: int | None) -> None:
    """Opens the form of a step, or closes the one that is open."""
    keep(replace(recipe, edited=at))
    state.form_round += 1


def is_tried(recipe: Recipe) -> bool:
    """Whether the server was asked about these very steps."""
    return bool(recipe.report or recipe.problems or recipe.failure)


def try_out(recipe: Recipe) -> Recipe:
    """A dry run; where a step does not fit, those before it are told of."""
    try:
        tried = replace(recipe, report=_dry_run(recipe, recipe.steps), failure="")
    except SignedOut:
        raise
    except Refused as error:
        tried = refused(recipe, error)
        first = first_problem(tried)
        if first:
            tried = replace(tried, report=_report_before(recipe, first))
    except ApiError:
        tried = replace(recipe, failure=NO_ANSWER)
    keep(tried)
    return tried


def _dry_run(recipe: Recipe, steps: Sequence[Step]) -> RecipeOut:
    return identity.datasets_api().apply_recipe(
        recipe.dataset_id, recipe.version, list(steps), dry_run=True, key=uuid.uuid4().hex
    )


def _report_before(recipe: Recipe, first: int) -> RecipeOut | None:
    try:
        return _dry_run(recipe, recipe.steps[:first])
    except SignedOut:
        raise
    except ApiError:
        return None


def refused(recipe: Recipe, error: Refused) -> Recipe:
    """With what the server said, at the step that it is about."""
    problems: dict[str, str] = {}
    others: list[str] = []
    for name, problem in error.fields.items():
        said = problem.removeprefix("Value error, ")
        found = PLACE.fullmatch(name)
        if found is None or int(found["step"]) >= len(recipe.steps):
            others.append(said)
        else:
            problems[f"{found['step']}.{found['field'] or ''}"] = said
    failure = "; ".join(others) or ("" if problems else error.detail)
    return replace(recipe, report=None, problems=problems, failure=failure)


def ask_again(recipe: Recipe) -> None:
    """Forgets that there was no answer, so that the steps are tried with the next run."""
    keep(replace(recipe, failure=""))


def first_problem(recipe: Recipe) -> int | None:
    """The first step that does not fit."""
    return min((int(place.partition(".")[0]) for place in recipe.problems), default=None)


def problems_of(recipe: Recipe, at: int) -> dict[str, str]:
    """What is wrong with one step, by its fields."""
    found = {}
    for place, problem in recipe.problems.items():
        step, _, field = place.partition(".")
        if step == str(at):
            found[field] = problem
    return found


def columns_at(recipe: Recipe, columns: Sequence[ColumnOut], at: int) -> dict[str, str]:
    """The columns before a step, with their types as far as they are known."""
    found: dict[str, str] = {column.name: column.type for column in columns}
    reports = recipe.report.steps if recipe.report else []
    for step, report in zip(recipe.steps[:at], reports, strict=False):
        made = dict.fromkeys(report.columns_added, UNKNOWN)
        found = {name: kind for name, kind in found.items() if name not in report.columns_dropped}
        found |= made | _types_given(step, found)
    return found


def _types_given(step: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, str]:
    if step.get("kind") not in ("cast", "parse_dates"):
        return {}
    to = str(step.get("to", "datetime"))
    return {name: to for name in step.get("columns", ()) if name in columns}
