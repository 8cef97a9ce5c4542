"""The picture frame of every page: style, sign-in, navigation, and errors in words."""

from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from frontend import identity, permission
from frontend.client import ApiError, SignedOut
from frontend.identity import GoodfitAuthenticate
from frontend.pages import PageName, mlflow_address
from frontend.set_password import draw_set_password
from frontend.state import state
from frontend.text import plain
from frontend.views import (
    account,
    admin,
    dataset,
    datasets,
    fit,
    fits,
    home,
    login,
    model,
    models,
    new_fit,
    project,
    projects,
)
from frontend.widgets import errors_shown, show_error

# Without it MLflow opens its pages for language models.
MLFLOW_START: Final = "/#/experiments?workflowType=machine_learning"
STATIC: Final = Path(__file__).with_name("static")


def _pages() -> dict[str, Page]:
    """Made in every run: a page belongs to the run that shows it."""
    # By their addresses others find them too, and are told that they are not for them.
    for_admins = state.user is not None and state.user.role.value == "admin"
    for_writers = state.user is not None and permission.may_write(state.user)
    return {
        PageName.HOME: st.Page(home.draw, title="Home", url_path="home", default=True),
        PageName.NEW_FIT: st.Page(
            new_fit.draw,
            title="New fit",
            url_path="new",
            visibility="visible" if for_writers else "hidden",
        ),
        PageName.FITS: st.Page(fits.draw, title="Fits", url_path="fits"),
        PageName.MODELS: st.Page(models.draw, title="Models", url_path="models"),
        PageName.DATASETS: st.Page(datasets.draw, title="Datasets", url_path="datasets"),
        PageName.PROJECTS: st.Page(projects.draw, title="Projects", url_path="projects"),
        PageName.PROJECT: st.Page(
            project.draw, title="Project", url_path="project", visibility="hidden"
        ),
        PageName.FIT: st.Page(fit.draw, title="Fit", url_path="fit", visibility="hidden"),
        PageName.DATASET: st.Page(
            dataset.draw, title="Dataset", url_path="dataset", visibility="hidden"
        ),
        PageName.MODEL: st.Page(model.draw, title="Model", url_path="model", visibility="hidden"),
        PageName.ADMIN: st.Page(
            admin.draw,
            title="Admin",
            url_path="admin",
            visibility="visible" if for_admins else "hidden",
        ),
        PageName.ACCOUNT: st.Page(account.draw, title="Account", url_path="account"),
    }


def _resume(auth: GoodfitAuthenticate) -> bool:
    """Whether the API answered; a silent API is not a reason to ask for a password."""
    try:
        if not identity.is_signed_in():
            auth.resume()
        auth.cookie_controller.flush()
    except SignedOut:
        identity.expire()
    except ApiError as error:
        if identity.is_signed_in():
            return True
        show_error(error)
        st.button("Try again", key="again_sign_in", type="primary")
        return False
    return True


def _draw_sidebar(auth: GoodfitAuthenticate) -> None:
    user = identity.current_user()
    with st.sidebar:
        st.link_button("MLflow ↗", mlflow_address(MLFLOW_START), type="tertiary", key="open_mlflow")
        with st.container(key="signed_in_as"):
            st.caption(f"Signed in as **{plain(user.username)}** · {user.role.value}")
            auth.logout("Sign out", "main", key="sign_out")


def main() -> None:
    """One run of the script."""
    st.set_page_config(
        page_title="Goodfit",
        page_icon=str(STATIC / "icon.png"),  # an icon by name would be fetched from a font host
        layout="wide",
        initial_sidebar_state="auto",
    )
    st.logo(str(STATIC / "icon.png"), size="large")
    st.html(STATIC / "style.css")
    auth = GoodfitAuthenticate()
    answered = _resume(auth)
    signed_in = identity.is_signed_in()
    state.pages = _pages()
    at_home = signed_in and not state.password_link
    page = st.navigation(list(state.pages.values()), position="sidebar" if at_home else "hidden")
    if not answered:
        return
    if state.password_link:
        with errors_shown("link"):
            draw_set_password()
        return
    if not signed_in:
        with errors_shown("sign_in"):
            login.draw(auth, page.url_path)
        return
    with errors_shown("page"):
        _draw_sidebar(auth)
        page.run()


main()
