"""One fit: its state while it runs, then the diagnostics first."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, permission, text
from frontend.client import NotThere
from frontend.dialogs import done
from frontend.fit_data import FitData, data_of, draw_dataset_link, draw_why_no_rerun
from frontend.fit_failure import draw_failure
from frontend.fit_notes import draw_notes, draw_rename
from frontend.fit_progress import draw_unfinished
from frontend.fit_results import draw_results
from frontend.moving import draw_move, fit_item
from frontend.pages import PageName, go, link, mlflow_page, number_parameter
from frontend.permission import Access
from frontend.project_filter import draw_project_line
from frontend.register import draw_registration, is_registering, read_registration
from frontend.share import draw_share
from frontend.state import state
from frontend.widgets import errors_shown, is_unfinished, not_there, page_title, state_badge

TRACKING_SECONDS: Final = 3


def draw() -> None:
    """The page; `?id=42` names the fit."""
    fit_id = number_parameter("id")
    if fit_id is None:
        page_title("Fit")
        st.info("Which one? The fits are in the list.")
        link(PageName.FITS, "Fits")
        return
    try:
        fit = identity.fits_api().fit(fit_id)
        access = permission.access_to(fit.project_id)
        data = data_of(fit, access)
    except NotThere:
        page_title(f"Fit {fit_id}")
        not_there("fit", fit_id)
        return
    may_rerun = access.may_edit and not data.why_not
    _draw_header(fit, access, data)
    match fit.state.value:
        case "queued" | "running":
            draw_unfinished(fit)
        case "succeeded":
            draw_results(fit, may_edit=access.may_edit, may_rerun=may_rerun)
        case "failed":
            draw_failure(fit, may_refit=may_rerun)
        case _:
            st.info(text.plain(fit.progress_message) or "Cancelled.")
    if fit.state.value in ("failed", "cancelled"):
        with st.expander("Notes & tags", key="notes_and_tags"):
            draw_notes(fit, may_edit=access.may_edit)
    _draw_details(fit, data)


def _draw_header(fit: FitOut, access: Access, data: FitData) -> None:
    page_title(text.plain(fit.name))
    with st.container(horizontal=True, vertical_alignment="center"):
        state_badge(fit)
        st.caption(f"Fit {fit.id} · by {text.plain(fit.created_by)} · {_when(fit)}")
    draw_project_line(access)
    _draw_relatives(fit)
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    with st.container(horizontal=True, vertical_alignment="center", key="fit_actions"):
        if fit.mlflow_url is not None:
            st.link_button("Open in MLflow ↗", mlflow_page(fit.mlflow_url))
        if access.may_edit and not data.why_not and not is_unfinished(fit):
            _draw_rerun(fit)
        registration = read_registration(fit)
        item = fit_item(fit.id, fit.name, model=registration.model_name)
        draw_share(access, item)
        draw_move(access, item)
        draw_registration(fit, registration, may_edit=access.may_edit)
        _draw_star(fit)
        if access.may_edit:
            _draw_menu(fit)
    if not is_unfinished(fit):
        draw_why_no_rerun(access, data)
    # Timers stop when the browser leaves a page, not when the server does: one that fires while
    # the dialog leads to the model's page names this page, and Streamlit then clears that one.
    if fit.state.value == "succeeded" and fit.tracking == "pending" and not is_registering(fit):
        _watch_tracking(fit.id)


def _when(fit: FitOut) -> str:
    if fit.seconds is not None:
        return f"took {text.duration(fit.seconds)}, {text.ago(fit.created_at)}"
    return f"asked for {text.ago(fit.created_at)}"


def _draw_relatives(fit: FitOut) -> None:
    """The fit that it repeats, the leaderboard that it is of, and where it was put away."""
    if fit.rerun_of is not None:
        link(PageName.FIT, f"A rerun of fit {fit.rerun_of}", id=fit.rerun_of)
    if fit.leaderboard_id is not None:
        label = f"Of leaderboard {fit.leaderboard_id}"
        link(PageName.LEADERBOARD, label, id=fit.leaderboard_id)
    if fit.archived_at is not None:
        st.caption(f"Archived {text.ago(fit.archived_at)}.")


def _draw_rerun(fit: FitOut) -> None:
    if st.button("Rerun", key="rerun"):
        again = identity.fits_api().rerun_fit(fit.id, key=uuid.uuid4().hex)
        go(PageName.FIT, id=again.id)
    if st.button("Rerun with changes", key="rerun_changed"):
        go(PageName.NEW_FIT, dataset=fit.dataset_id, v=fit.version, again=fit.id)


def _draw_star(fit: FitOut) -> None:
    label, deed = ("★", "Take the star away") if fit.starred else ("☆", "Star it")
    if st.button(label, key="star_fit", help=f"{deed}; only you see your stars"):
        identity.fits_api().star_fit(fit.id, starred=not fit.starred)
        st.rerun()


def _draw_menu(fit: FitOut) -> None:
    with st.popover("More", key="fit_menu"):
        draw_rename(fit)
        archived = fit.archived_at is not None
        label = "Take out of the archive" if archived else "Archive"
        hint = None if archived else "Lists leave it out; it works as before"
        if st.button(label, key="archive_fit", help=hint, width="stretch"):
            _finish(partial(_archive, fit.id, archived=not archived))
        warning = "Whoever has the address sees it no more; the list's trash gives it back"
        if st.button("Move to the trash", key="trash_fit", help=warning, width="stretch"):
            _trash(fit)


def _finish(act: Callable[[], str]) -> None:
    if done(act):
        st.rerun()


def _archive(fit_id: int, *, archived: bool) -> str:
    identity.fits_api().change_fit(fit_id, {"archived": archived})
    return "It is in the archive." if archived else "It is out of the archive."


def _trash(fit: FitOut) -> None:
    if done(partial(_do_trash, fit)):
        state.listed_fits = None
        go(PageName.FITS)


def _do_trash(fit: FitOut) -> str:
    identity.fits_api().trash_fit(fit.id)
    return f"Fit {fit.id} is in the trash."


@st.fragment(run_every=TRACKING_SECONDS)
def _watch_tracking(fit_id: int) -> None:
    with errors_shown("tracking", live=True):
        if identity.fits_api().fit(fit_id).tracking == "recorded":
            st.rerun()
        st.caption("Being recorded in MLflow …")


def _draw_details(fit: FitOut, data: FitData) -> None:
    with st.expander("What was fitted"):
        name = f"{text.plain(fit.dataset_name)}, version {fit.version}"
        label = f"Dataset {fit.dataset_id} · {name}"
        draw_dataset_link(fit.dataset_id, fit.version, label, is_seen=data.is_seen)
        for title, fact in _facts(fit).items():
            st.markdown(f"**{title}** · {text.plain(fact)}")
        for excluded in fit.excluded:
            st.caption(f"Left out: {text.plain(excluded.column)}, {text.plain(excluded.reason)}.")


def _facts(fit: FitOut) -> dict[str, str]:
    parameters = ", ".join(f"{name} = {value}" for name, value in fit.params.items())
    facts = {
        "Target": fit.target,
        "Estimator": fit.estimator.replace("_", " "),
        "Parameters": parameters or "none",
        "Validation": ", ".join(f"{name} {value}" for name, value in fit.validation.items()),
        "Seed": str(fit.seed),
        "Rows": "-" if fit.rows_used is None else text.counted(fit.rows_used, "row"),
        "Columns": ", ".join(fit.features or []) or "all usable ones",
        "Recorded in MLflow": "yes" if fit.tracking == "recorded" else "not yet",
    }
    if fit.target_transform != "none":
        facts["Transform of the target"] = fit.target_transform.replace("_", "-")
    if fit.class_weight != "none":
        facts["Weights of classes"] = str(fit.class_weight)
    if fit.weights is not None:
        facts["Weights of rows"] = fit.weights
    if fit.search is not None:
        asked = fit.search
        facts["Search"] = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
    if fit.peak_memory_bytes is not None:
        facts["Most memory"] = text.size(fit.peak_memory_bytes)
    return facts
