"""What a dataset's version holds: warnings first, then its columns or images."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import streamlit as st

from backend.datasets.profile_schemas import ProfileOut
from backend.datasets.schemas import DatasetOut, DoubtOut
from frontend import identity, permission, text
from frontend import recipe_drafts as drafts
from frontend.client import ApiError, SignedOut
from frontend.profile_columns import draw_columns
from frontend.profile_details import draw_details
from frontend.profile_images import draw_images
from frontend.profile_target import draw_target
from frontend.recipe_sentences import sentence
from frontend.widgets import errors_shown, show_error

SHOWN_WARNINGS: Final = 8
UNFINISHED: Final = frozenset({"queued", "running"})
# What takes a pass over the table is not there yet.
STILL_COMING: Final = "The statistics are on their way. What is known already is shown."


def draw_profile(dataset: DatasetOut, version: int, profile: ProfileOut) -> None:
    """The tab."""
    may_edit = permission.access_to(dataset.project_id).may_edit
    if profile.state in UNFINISHED:
        st.caption(STILL_COMING)
    if profile.state == "failed":
        _draw_failure(dataset, version, profile, may_edit=may_edit)
    _draw_warnings(dataset, version, profile, may_edit=may_edit)
    if profile.images is not None:
        draw_images(profile.images)
    if dataset.kind == "table":
        _draw_overview(profile)
        _draw_table(dataset, version, profile)


def _draw_failure(
    dataset: DatasetOut, version: int, profile: ProfileOut, *, may_edit: bool
) -> None:
    reason = profile.message or "The statistics could not be computed."
    st.error(text.plain(reason))
    if may_edit and st.button("Profile again"):
        try:
            identity.datasets_api().profile_again(dataset.id, version)
        except SignedOut:
            raise
        except ApiError as error:
            show_error(error)
            return
        st.rerun()


def _draw_warnings(
    dataset: DatasetOut, version: int, profile: ProfileOut, *, may_edit: bool
) -> None:
    """Doubts can be mended with a click; the first of the others, and the rest on demand."""
    fixable = may_edit and dataset.kind == "table"
    for at, doubt in enumerate(profile.doubts):
        _draw_doubt(dataset, version, doubt, at, fixable=fixable)
    said = {doubt.message for doubt in profile.doubts}
    others = [warning for warning in profile.warnings if warning not in said]
    if others:
        st.warning(_listed(others[:SHOWN_WARNINGS]))
    if rest := others[SHOWN_WARNINGS:]:
        with st.expander(text.counted(len(rest), "more remark"), key="profile_warnings"):
            st.markdown(_listed(rest))
    if profile.state == "ready" and not profile.doubts and not others:
        count, noun = len(profile.columns), "column"
        if dataset.kind == "image":
            count, noun = profile.rows, "image"
        st.success(f"Nothing suspicious in {text.counted(count, noun)}.")


def _listed(warnings: Sequence[str]) -> str:
    return "\n".join(f"- {text.plain(warning)}" for warning in warnings)


def _draw_doubt(
    dataset: DatasetOut, version: int, doubt: DoubtOut, at: int, *, fixable: bool
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"profile_doubt_{at}"):
        st.warning(text.plain(doubt.message))
        if doubt.step is None or not fixable:
            return
        recipe = drafts.recipe_of(dataset.id, version)
        if doubt.step in recipe.steps:
            st.caption("In the recipe.")
            return
        st.button(
            "Fix it",
            key=f"profile.fix.{at}",
            help=text.plain(f"{sentence(doubt.step)}: a step in the recipe"),
            on_click=partial(drafts.fix, recipe, doubt.step),
        )


def _draw_overview(profile: ProfileOut) -> None:
    cells = profile.rows * len(profile.columns)
    missing = sum(column.nulls for column in profile.columns)
    parts = [text.shape("table", profile.rows, len(profile.columns))]
    parts.append(f"{text.percent(missing / cells) if cells else '0 %'} of the values are missing")
    if profile.duplicate_rows is not None:
        parts.append(f"{text.counted(profile.duplicate_rows, 'row')} repeated")
    st.caption(" · ".join(parts))


@st.fragment
def _draw_table(dataset: DatasetOut, version: int, profile: ProfileOut) -> None:
    """A choice here draws this part alone again."""
    key = f"profile.{dataset.id}.{version}"
    with errors_shown("profile"):
        draw_columns(profile, key=key)
        draw_details(profile, key=key)
        draw_target(dataset, version, profile, key=key)
