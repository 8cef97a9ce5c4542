"""A new fit of a dataset that is there already."""

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, permission, text
from frontend.client import NotThere
from frontend.datasets_client import DatasetQuery
from frontend.fit_form import fit_form
from frontend.pages import PageName, go, number_parameter
from frontend.uploads import FORMATS, draw_sample, draw_upload
from frontend.widgets import not_there, page_title

MOST_DATASETS = 200


def draw() -> None:
    """The page; `?dataset=7&v=3` names what to fit."""
    page_title("New fit", "Everything has a default; press Run when it reads right.")
    user = identity.current_user()
    if not permission.may_write(user):
        st.info("Your role may look at fits, but not run them.")
        return
    api = identity.datasets_api()
    wanted = number_parameter("dataset")
    if wanted is not None:
        try:
            dataset = api.dataset(wanted)
        except NotThere:
            not_there("dataset", wanted)
            return
        _draw_for(dataset, number_parameter("v") or dataset.latest_version)
        return
    datasets = api.datasets(DatasetQuery(limit=MOST_DATASETS))
    if not datasets:
        _draw_first_upload()
        return
    chosen = st.selectbox(
        "Dataset",
        range(len(datasets)),
        format_func=lambda position: _label(datasets[position]),
        key="new_fit_dataset",
    )
    _draw_for(datasets[chosen], datasets[chosen].latest_version)


def _label(dataset: DatasetOut) -> str:
    return f"{dataset.id} · {dataset.name} · {text.counted(dataset.rows, 'row')}"


def _draw_for(dataset: DatasetOut, version: int) -> None:
    access = permission.access_to(dataset.project_id)
    if not access.may_edit:
        st.info(access.why_not)
        return
    st.caption(f"Dataset {dataset.id} · **{text.plain(dataset.name)}** · version {version}")
    with st.container(border=True, key="main_job"):
        fit_form(dataset, version)


def _draw_first_upload() -> None:
    st.markdown("A fit needs a dataset. Drop a file here:")
    dataset = draw_upload("new_fit")
    with st.container(horizontal=True, vertical_alignment="center", key="upload_formats"):
        st.caption(FORMATS, width="content")
        dataset = draw_sample("new_fit") or dataset
    if dataset is not None:
        go(PageName.NEW_FIT, dataset=dataset.id)
