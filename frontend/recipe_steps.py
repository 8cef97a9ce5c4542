"""The chosen steps in their order: what each does, what is wrong with it, and its form."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ColumnOut, ProfileOut
from backend.datasets.recipe_schemas import ChangedRow, StepOut
from frontend import recipe_drafts as drafts
from frontend import text
from frontend.recipe_forms import draw_edited
from frontend.recipe_inputs import Inputs
from frontend.recipe_sentences import sentence, shown
from frontend.state import Recipe, state

Step = dict[str, Any]
SHOWN_NAMES: Final = 8
INCOMPLETE: Final = "Something is missing: fill in all boxes of the step."


def draw_steps(recipe: Recipe, profile: ProfileOut) -> None:
    """One card for each step."""
    reports: Sequence[StepOut] = recipe.report.steps if recipe.report else []
    for at, step in enumerate(recipe.steps):
        with st.container(border=True, key=f"recipe_step_{at}"):
            st.markdown(f"**{at + 1}.** {text.plain(sentence(step))}")
            for field, problem in drafts.problems_of(recipe, at).items():
                st.error(text.plain(f"{field}: {problem}" if field else problem))
            if at < len(reports):
                draw_report(reports[at])
                _draw_changes(reports[at].first_changes, at)
            _draw_buttons(recipe, at)
            if recipe.edited == at:
                _draw_form(recipe, profile, at)


def _draw_buttons(recipe: Recipe, at: int) -> None:
    number = at + 1
    with st.container(horizontal=True, key=f"recipe_step_buttons_{at}"):
        last = len(recipe.steps) - 1
        _button("Up", f"Move step {number} up", partial(drafts.move, recipe, at, -1), off=at == 0)
        _button(
            "Down", f"Move step {number} down", partial(drafts.move, recipe, at, 1), off=at == last
        )
        _button("Edit", f"Change step {number}", partial(drafts.edit, recipe, at))
        _button("Remove", f"Take step {number} out", partial(drafts.remove, recipe, at))


def _button(label: str, hint: str, act: partial[None], *, off: bool = False) -> None:
    """What it does is done before the page is drawn again."""
    at = act.args[1]
    st.button(
        label,
        key=f"recipe.{label.lower()}.{at}",
        help=hint,
        on_click=act,
        disabled=off,
        type="tertiary",
    )


def draw_report(report: StepOut) -> None:
    """The table before and after the step."""
    st.caption(
        f"{report.rows_before:,} → {report.rows_after:,} rows · "
        f"{report.columns_before:,} → {report.columns_after:,} columns · "
        f"{report.missing_before:,} → {report.missing_after:,} missing values"
    )
    for label, names in (("New", report.columns_added), ("Gone", report.columns_dropped)):
        if names:
            st.caption(f"{label}: {text.plain(_listed(names))}")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _draw_changes(changes: Sequence[ChangedRow], at: int) -> None:
    if not changes:
        return
    with st.expander("The first rows that it changes", key=f"recipe_changes_{at}"):
        rows = [_changed(change) for change in changes]
        st.dataframe(rows, hide_index=True, alt=f"The first rows that step {at + 1} changes")


def _changed(change: ChangedRow) -> dict[str, str]:
    cells: dict[str, str] = {"Row": f"{change.row:,}", "It is": change.kind}
    for name in dict.fromkeys([*change.before, *change.after]):
        # A column may be called as one of the two above.
        label = f"{name} " if name in ("Row", "It is") else name
        cells[label] = _difference(name, change.before, change.after)
    return cells


def _difference(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    if name not in after:
        return shown(before[name])
    if name not in before:
        return shown(after[name])
    return f"{shown(before[name])} → {shown(after[name])}"


def _draw_form(recipe: Recipe, profile: ProfileOut, at: int) -> None:
    inputs = inputs_at(recipe, profile.columns, at, before=recipe.steps[at])
    with st.container(border=True, key="recipe_edit_form"):
        step = draw_edited(inputs)
        with st.container(horizontal=True):
            is_kept = st.button("Keep the change", type="primary")
            st.button("Leave it", on_click=partial(drafts.edit, recipe, None))
        if is_kept and step is None:
            st.error(INCOMPLETE)
        elif is_kept and step is not None:
            drafts.put(recipe, at, step)
            st.rerun()


def inputs_at(
    recipe: Recipe, columns: Sequence[ColumnOut], at: int, *, before: Step | None = None
) -> Inputs:
    """Inputs of a form for the step at that place."""
    return Inputs(
        columns=drafts.columns_at(recipe, columns, at),
        profile={column.name: column for column in columns},
        before=before or {},
        key=f"recipe.{recipe.dataset_id}.{recipe.version}.{state.form_round}.{at}",
    )
