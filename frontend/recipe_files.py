"""Recipes from elsewhere: of another version, or of a file; and the way out."""

import json
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.datasets.recipe_schemas import RecipeOut
from backend.datasets.schemas import DatasetOut, VersionOut
from frontend import identity, text
from frontend import recipe_drafts as drafts
from frontend.client import ApiError, Refused, SignedOut
from frontend.pages import PageName, go
from frontend.recipe_forms import as_step
from frontend.recipe_sentences import sentence
from frontend.recipe_steps import draw_report
from frontend.routes import PREFIX
from frontend.state import Recipe, Replay, state
from frontend.widgets import errors_shown, show_error

Step = dict[str, Any]
MOST_BYTES: Final = 1_000_000
NO_RECIPE: Final = 'A recipe is a list of steps, or an object with "steps".'


def draw_export(dataset: DatasetOut, version: int) -> None:
    """The way of the version from its upload, as JSON and as a program."""
    address = f"{PREFIX}/datasets/{dataset.id}/{version}/recipe"
    with st.container(horizontal=True, key="recipe_export"):
        st.link_button(
            "Recipe as JSON", f"{address}?format=json", help="All steps since the upload"
        )
        st.link_button(
            "Recipe as a Python script",
            f"{address}?format=polars",
            help="Does the same with polars, without this server",
        )


def draw_sources(recipe: Recipe, dataset: DatasetOut, versions: Sequence[VersionOut]) -> None:
    """Steps that exist already: of another version, or of a file."""
    with st.expander("Use a recipe that exists", key="recipe_sources"):
        _draw_replay(recipe, dataset, versions)
        _draw_import(recipe)


def _draw_replay(recipe: Recipe, dataset: DatasetOut, versions: Sequence[VersionOut]) -> None:
    made = [v.version for v in versions if v.recipe and v.version != recipe.version]
    if not made:
        st.caption("No other version was made by a recipe.")
        return
    source = st.selectbox(
        "The recipe of version",
        made,
        key=f"recipe.replay.{recipe.dataset_id}.{recipe.version}",
        width=280,
    )
    with errors_shown("replay"):
        steps = identity.datasets_api().recipe_export(dataset.id, source).steps
        for at, step in enumerate(steps):
            st.caption(f"{at + 1}. {text.plain(sentence(step))}")
        with st.container(horizontal=True, key="recipe_replay"):
            if st.button("Try it here", help="Tells what it would do; makes nothing"):
                _replay(recipe, source, steps, dry_run=True)
            if st.button("Replay it here"):
                _replay(recipe, source, steps, dry_run=False)
            st.button(
                "Take its steps",
                help="Puts them into the list, where they can be changed",
                on_click=partial(drafts.add, recipe, *steps),
            )
        _draw_replayed(recipe, source)


def _replay(recipe: Recipe, source: int, steps: Sequence[Step], *, dry_run: bool) -> None:
    """Where a step does not fit, it is named with what is wrong."""
    place = (recipe.dataset_id, recipe.version, source)
    known = state.replay
    key = known.key if known is not None and known.place == place else uuid.uuid4().hex
    try:
        answer: RecipeOut = identity.datasets_api().replay_recipe(
            *place[:2], source, dry_run=dry_run, key=key
        )
    except SignedOut:
        raise
    except Refused as error:
        said = drafts.refused(drafts.with_steps(recipe, steps), error)
        problems = [*_blamed(said.problems, steps), *filter(None, [said.failure])]
        state.replay = Replay(place, key, problems=tuple(problems))
        return
    except ApiError as error:
        state.replay = Replay(place, key)
        show_error(error)
        return
    if answer.version is None:
        state.replay = Replay(place, key, report=answer)
        return
    state.replay = None
    state.notice = f"Version {answer.version.version} is made by the recipe of version {source}."
    go(PageName.DATASET, id=recipe.dataset_id, v=answer.version.version)


def _blamed(problems: drafts.Problems, steps: Sequence[Step]) -> list[str]:
    found = [(int(place.partition(".")[0]), problem) for place, problem in problems.items()]
    return [f"Step {at + 1}, {sentence(steps[at])}: {problem}" for at, problem in found]


def _draw_replayed(recipe: Recipe, source: int) -> None:
    known = state.replay
    if known is None or known.place != (recipe.dataset_id, recipe.version, source):
        return
    for problem in known.problems:
        st.error(text.plain(problem))
    for at, report in enumerate(known.report.steps if known.report else ()):
        st.markdown(f"Step {at + 1}")
        draw_report(report)


def _draw_import(recipe: Recipe) -> None:
    file: UploadedFile | None = st.file_uploader(
        "A recipe as a JSON file",
        type=["json"],
        key=f"recipe.file.{recipe.dataset_id}.{recipe.version}.{state.form_round}",
    )
    if file is None:
        return
    try:
        steps = read_recipe(file.getvalue())
    except ValueError as error:
        st.error(f"**{text.plain(file.name)}**: {text.plain(str(error))}")
        return
    drafts.add(recipe, *steps)
    st.rerun()


def read_recipe(content: bytes) -> list[Step]:
    """The steps of a file.

    Raises `ValueError` with what is wrong; whether they fit a table is the server's to say.
    """
    if len(content) > MOST_BYTES:
        raise ValueError("A recipe has at most 1 MB.")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("This is no JSON.") from None
    steps = found.get("steps") if isinstance(found, dict) else found
    if not isinstance(steps, list) or not steps:
        raise ValueError(NO_RECIPE)
    return [as_step(step) for step in steps]
