"""Cleaning a table: steps are chosen one by one, tried at once, and made into the next version."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Final

import streamlit as st

from backend.datasets.profile_schemas import ProfileOut
from backend.datasets.schemas import DatasetOut, DoubtOut, VersionOut
from frontend import identity, text
from frontend import recipe_drafts as drafts
from frontend.client import ApiError, Refused, SignedOut
from frontend.pages import PageName, go
from frontend.permission import Access
from frontend.recipe_files import draw_export, draw_sources
from frontend.recipe_forms import draw_new
from frontend.recipe_sentences import sentence
from frontend.recipe_steps import INCOMPLETE, draw_steps, inputs_at
from frontend.state import Recipe, state
from frontend.widgets import errors_shown, show_error

# A dry run of more takes too long to come with each change.
LIVE_ROWS: Final = 200_000
LOST_ON_RELOAD: Final = (
    "The steps are kept in this tab of the browser until a version is made of them; when the page "
    "is loaded anew they are lost."
)


def draw_recipe(dataset: DatasetOut, version: int, profile: ProfileOut, access: Access) -> None:
    """The tab; what was chosen belongs to one version."""
    if dataset.kind == "image":
        st.caption("Only tables are cleaned with steps.")
        return
    versions = identity.datasets_api().versions(dataset.id)
    _draw_history(dataset, version, versions)
    if not access.may_edit:
        st.caption(access.why_not)
        return
    _draw_builder(dataset, version, profile, versions)


def _draw_history(dataset: DatasetOut, version: int, versions: Sequence[VersionOut]) -> None:
    """How the shown version came about."""
    shown = next((known for known in versions if known.version == version), None)
    if shown is None or shown.recipe is None:
        return
    title = f"How version {version} was made from version {shown.parent_version}"
    with st.expander(title, key="recipe_history"):
        if shown.replay_of is not None:
            st.caption(f"The recipe of version {shown.replay_of} was applied again.")
        for at, step in enumerate(shown.recipe):
            st.markdown(f"**{at + 1}.** {text.plain(sentence(step))}")
        draw_export(dataset, version)


@st.fragment
def _draw_builder(
    dataset: DatasetOut, version: int, profile: ProfileOut, versions: Sequence[VersionOut]
) -> None:
    """A change here draws this part alone again."""
    with errors_shown("recipe"):
        recipe = drafts.recipe_of(dataset.id, version)
        _draw_doubts(recipe, profile.doubts)
        recipe = _tried(recipe, is_live=profile.rows <= LIVE_ROWS)
        if recipe.steps:
            draw_steps(recipe, profile)
            _draw_outcome(recipe, is_live=profile.rows <= LIVE_ROWS)
        else:
            st.caption(
                "No step yet. Steps are applied in their order; this version stays as it is."
            )
        _draw_new_step(recipe, profile)
        draw_sources(recipe, dataset, versions)


def _draw_doubts(recipe: Recipe, doubts: Sequence[DoubtOut]) -> None:
    """What may be wrong with the columns, each with the step that mends it."""
    for at, doubt in enumerate(doubts):
        if doubt.step is None or doubt.step in recipe.steps:
            continue
        with st.container(horizontal=True, vertical_alignment="center", key=f"recipe_doubt_{at}"):
            st.markdown(text.plain(doubt.message), width="content")
            st.button(
                "Fix it",
                key=f"recipe.fix.{at}",
                help=text.plain(sentence(doubt.step)),
                on_click=partial(drafts.add, recipe, doubt.step),
            )


def _tried(recipe: Recipe, *, is_live: bool) -> Recipe:
    if not recipe.steps or not is_live or drafts.is_tried(recipe):
        return recipe
    with st.spinner("Trying the steps …"):
        return drafts.try_out(recipe)


def _draw_outcome(recipe: Recipe, *, is_live: bool) -> None:
    """What all steps together do, and the buttons for them."""
    if recipe.failure:
        st.error(text.plain(recipe.failure))
    if recipe.report is not None and not recipe.problems:
        shape = text.shape("table", recipe.report.rows, recipe.report.columns)
        st.markdown(f"The next version would have {shape}.")
    with st.container(horizontal=True, key="recipe_actions"):
        if recipe.failure:
            st.button("Try again", on_click=partial(drafts.ask_again, recipe))
        elif not is_live and not drafts.is_tried(recipe):
            hint = "Tells what each step would do; makes nothing"
            if st.button("Try", help=hint):
                with st.spinner("Trying the steps …"):
                    drafts.try_out(recipe)
                st.rerun()
        blocked = bool(recipe.problems)
        if st.button("Make the next version", type="primary", disabled=blocked):
            _make(recipe)
        st.button("Remove all", on_click=partial(drafts.change, recipe, ()))
        st.download_button(
            "Save the steps",
            json.dumps({"steps": recipe.steps}, indent=2),
            file_name=f"recipe_{recipe.dataset_id}_v{recipe.version}.json",
            mime="application/json",
            on_click="ignore",
            help="As a JSON file, to be taken again under “Use a recipe that exists”",
        )
    st.caption(LOST_ON_RELOAD)


def _make(recipe: Recipe) -> None:
    """The steps stay where the server refuses or does not answer."""
    try:
        with st.spinner("Making the next version …"):
            answer = identity.datasets_api().apply_recipe(
                recipe.dataset_id,
                recipe.version,
                list(recipe.steps),
                dry_run=False,
                key=recipe.key,
            )
    except SignedOut:
        raise
    except Refused as error:
        drafts.keep(drafts.refused(recipe, error))
        st.rerun()
    except ApiError as error:
        show_error(error)
        return
    if answer.version is not None:
        drafts.forget(recipe)
        state.notice = f"Version {answer.version.version} is made."
        go(PageName.DATASET, id=recipe.dataset_id, v=answer.version.version)


def _draw_new_step(recipe: Recipe, profile: ProfileOut) -> None:
    at = len(recipe.steps)
    with st.container(border=True, key="recipe_form"):
        step = draw_new(inputs_at(recipe, profile.columns, at))
        # Never disabled: what is being typed counts only when its box is left, with this click.
        if st.button("Add step"):
            if step is None:
                st.error(INCOMPLETE)
            else:
                drafts.add(recipe, step)
                st.rerun()
