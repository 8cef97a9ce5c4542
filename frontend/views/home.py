"""Home: drop a file, press Run; what runs now, and what I did last."""

import streamlit as st

from backend.accounts.schemas import UserOut
from backend.datasets.schemas import DatasetOut
from backend.fits.schemas import FitOut
from frontend import identity, permission, queries, text, ways_in
from frontend import recipe_drafts as drafts
from frontend.client import FitQuery, NotThere
from frontend.datasets_client import DatasetQuery
from frontend.fit_form import fit_form
from frontend.pages import PageName, go, link, mlflow_address
from frontend.recipe_sentences import sentence
from frontend.state import Chosen, state
from frontend.uploads import (
    FORMATS,
    choose_project,
    describe_upload,
    draw_sample,
    draw_upload,
)
from frontend.widgets import errors_shown, is_unfinished, page_title, plot_image, state_badge

LAST_FITS = 6
SHOWN_WARNINGS = 5
RUNNING_SECONDS = 3
THUMBNAIL = (560, 420)
CARDS_IN_A_ROW = 3


def draw() -> None:
    """The page."""
    user = identity.current_user()
    page_title("Home")
    _draw_mlflow_way()
    _draw_password_notice(user)
    if permission.may_write(user):
        _draw_main_job()
    else:
        st.caption("You may look at everything that is shared with you; your role runs no fits.")
    _draw_history()


def _draw_mlflow_way() -> None:
    """Who was sent here by MLflow goes back to the page that was wanted."""
    if st.query_params.get("next") != "mlflow":
        return
    with st.container(border=True, key="to_mlflow"):
        st.markdown("You are signed in, for MLflow as well.")
        address = mlflow_address(st.query_params.get("path", "/"))
        st.link_button("Go on to MLflow", address, type="primary")


def _draw_password_notice(user: UserOut) -> None:
    """For whoever came by a link and has no other way in."""
    if user.has_password:
        return
    options = ways_in.options()
    # A page that was loaded anew knows only that without a provider it must have been a link.
    by_link = state.came_by_link or options.provider is None
    if not (options.password and by_link):
        return
    with st.container(border=True, key="no_password"):
        st.markdown("**Set a password so that you can sign in again.** The link works only once.")
        if st.button("Set a password", type="primary"):
            go(PageName.ACCOUNT, part="Password")


def _draw_main_job() -> None:
    chosen = state.chosen
    if chosen is not None:
        _draw_form(chosen)
        return
    st.markdown("**Drop a file here.** Two steps to the first plot.")
    project_id = choose_project("home")
    dataset = draw_upload("home", project_id=project_id)
    with st.container(horizontal=True, vertical_alignment="center", key="upload_formats"):
        st.caption(FORMATS, width="content")
        # Who has data of their own needs no penguins; the list of datasets offers them still.
        if not identity.datasets_api().datasets(DatasetQuery(mine=True, limit=1)):
            dataset = draw_sample("home", project_id=project_id) or dataset
    if dataset is not None:
        state.chosen = Chosen(dataset.id, dataset.latest_version, describe_upload(dataset))
        st.rerun()


def _draw_form(chosen: Chosen) -> None:
    with st.container(border=True, key="main_job"):
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"✓ {chosen.markdown}")
        if right.button("Other file", key="other_file", type="tertiary", width="stretch"):
            state.chosen = None
            st.rerun()
        try:
            dataset = identity.datasets_api().dataset(chosen.dataset_id)
            access = permission.access_to(dataset.project_id)
        except NotThere:
            state.chosen = None
            st.rerun()
        _draw_warnings(dataset, chosen.version, may_edit=access.may_edit)
        permission.draw_why_not(access)
        if access.may_edit:
            fit_form(dataset, chosen.version)


def _draw_warnings(dataset: DatasetOut, version: int, *, may_edit: bool) -> None:
    """What may be wrong, each with the step that mends it, where there is one."""
    if not dataset.warnings:
        return
    doubts = queries.profile(identity.datasets_api(), dataset.id, version).doubts
    steps = {doubt.message: doubt.step for doubt in doubts}
    for at, warning in enumerate(dataset.warnings[:SHOWN_WARNINGS]):
        with st.container(horizontal=True, vertical_alignment="center", key=f"home_warning_{at}"):
            st.warning(text.plain(warning))
            step = steps.get(warning)
            if step is None or not may_edit:
                continue
            hint = text.plain(f"{sentence(step)}: a step in the recipe")
            if st.button("Fix it", key=f"home.fix.{at}", help=hint):
                recipe = drafts.recipe_of(dataset.id, version)
                if step not in recipe.steps:
                    drafts.add(recipe, step)
                go(PageName.DATASET, id=dataset.id, v=version, tab=drafts.RECIPE_TAB)


def _draw_history() -> None:
    with errors_shown("history"):
        fits = identity.api().fits(FitQuery(mine=True, limit=LAST_FITS))
        if any(is_unfinished(fit) for fit in fits):
            _draw_last_fits_live()
        else:
            _draw_last_fits(fits)
    _draw_session()


@st.fragment(run_every=RUNNING_SECONDS)
def _draw_last_fits_live() -> None:
    with errors_shown("history_live"):
        fits = identity.api().fits(FitQuery(mine=True, limit=LAST_FITS))
        if not any(is_unfinished(fit) for fit in fits):
            st.rerun()
        _draw_last_fits(fits)


def _draw_last_fits(fits: list[FitOut]) -> None:
    st.subheader("Your last fits", anchor=False)
    if not fits:
        writes = permission.may_write(identity.current_user())
        how = " The first one is two steps away: drop a file, press Run." if writes else ""
        st.caption(f"None yet.{how}")
        return
    # Row by row: on a phone the columns stand one below the other, and the order must stay.
    for first in range(0, len(fits), CARDS_IN_A_ROW):
        columns = st.columns(CARDS_IN_A_ROW)
        for column, fit in zip(columns, fits[first : first + CARDS_IN_A_ROW], strict=False):
            with column, st.container(border=True, key=f"card_{fit.id}"):
                _draw_card(fit)


def _draw_card(fit: FitOut) -> None:
    if fit.state.value == "succeeded" and fit.rows_holdout:
        kind = "residuals" if fit.task == "regression" else "confusion"
        width, height = THUMBNAIL
        plot_image(fit.id, kind, alt=f"Plot of fit {fit.id}", width=width, height=height)
    link(PageName.FIT, f"**{fit.id}** · {text.plain(fit.name)}", id=fit.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(fit)
        st.caption(f"{text.leading_metric(fit.metrics)} · {text.ago(fit.created_at)}".lstrip(" ·"))


def _draw_session() -> None:
    if not state.deeds:
        return
    st.subheader("This session", anchor=False)
    for deed in state.deeds:
        page = PageName.DATASET if deed.what == "uploaded" else PageName.FIT
        verb = "Uploaded" if deed.what == "uploaded" else "Ran"
        label = f"{verb} {deed.object_id} · {text.plain(deed.name)} · {text.ago(deed.at)}"
        link(page, label, id=deed.object_id)
