"""What is in a project: its datasets, fits and models, each with its page."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import streamlit as st

from backend.datasets.schemas import DatasetOut
from backend.fits.schemas import FitOut
from backend.registry.schemas import CHAMPION, ModelOut
from frontend import identity, text
from frontend.client import FitQuery
from frontend.datasets_client import DatasetQuery
from frontend.models_client import ModelQuery
from frontend.pages import PageName, go, link
from frontend.permission import Access
from frontend.tables import clickable_table
from frontend.uploads import FORMATS, draw_upload

SHOWN: Final = 50
Item = TypeVar("Item", DatasetOut, FitOut, ModelOut)
NUMBER: Final = st.column_config.NumberColumn(width=60, format="%d")
NAME: Final = st.column_config.TextColumn(width=260)


def draw_content(access: Access) -> None:
    """The tab."""
    project = access.project
    is_empty = not (project.datasets or project.fits or project.models)
    if is_empty:
        st.caption("Nothing is in this project yet.")
    number = project.id
    _draw_part(
        "Models",
        project.models,
        (PageName.MODELS, PageName.MODEL),
        lambda: identity.models_api().models(ModelQuery(project_id=number, limit=SHOWN)),
        _model_row,
        project_id=number,
    )
    _draw_part(
        "Fits",
        project.fits,
        (PageName.FITS, PageName.FIT),
        lambda: identity.api().fits(FitQuery(project_id=number, limit=SHOWN)),
        _fit_row,
        project_id=number,
    )
    _draw_part(
        "Datasets",
        project.datasets,
        (PageName.DATASETS, PageName.DATASET),
        lambda: identity.datasets_api().datasets(DatasetQuery(project_id=number, limit=SHOWN)),
        _dataset_row,
        project_id=number,
    )
    if access.may_edit:
        with st.expander("Add a dataset", expanded=is_empty, key=f"add_to_{number}"):
            _draw_upload(number)


def _draw_upload(project_id: int) -> None:
    st.caption(FORMATS)
    dataset = draw_upload(f"project_{project_id}", project_id=project_id)
    if dataset is not None:
        go(PageName.DATASET, id=dataset.id)


def _draw_part(
    title: str,
    count: int,
    pages: tuple[PageName, PageName],
    read: Callable[[], Iterable[Item]],
    row: Callable[[Item], dict[str, Any]],
    *,
    project_id: int,
) -> None:
    """A table of the newest, the box that opens one, and the way to all."""
    if not count:
        return
    st.subheader(f"{title} · {count:,}", anchor=False)
    items = {item.id: item for item in read()}
    if not items:
        return
    key = f"{title.lower()}_of_{project_id}"
    chosen = clickable_table(
        [row(item) for item in items.values()],
        ids=list(items),
        selected=None,
        key=key,
        columns={"No.": NUMBER, "Name": NAME},
        alt=f"{title} of this project, the newest first; the button below opens one",
    )
    listing, page = pages
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ids = list(items)
        default = chosen or ids[0]
        number = st.selectbox(
            "No.", ids, index=ids.index(default), key=f"{key}.number.{default}", width=120
        )
        if st.button("Open", key=f"{key}.open"):
            go(page, id=number)
    if count > SHOWN:
        link(listing, f"All {title.lower()} of this project", project=project_id)


def _dataset_row(dataset: DatasetOut) -> dict[str, Any]:
    return {
        "No.": dataset.id,
        "Name": dataset.name,
        "Holds": text.shape(dataset.kind, dataset.rows, dataset.columns),
        "By": dataset.created_by,
        "Added": text.ago(dataset.created_at),
    }


def _fit_row(fit: FitOut) -> dict[str, Any]:
    return {
        "No.": fit.id,
        "Name": fit.name,
        "State": fit.state.value,
        "Result": text.leading_metric(fit.metrics),
        "By": fit.created_by,
        "Started": text.ago(fit.created_at),
    }


def _model_row(model: ModelOut) -> dict[str, Any]:
    champion = model.aliases.get(CHAMPION)
    return {
        "No.": model.id,
        "Name": model.name,
        "Champion": "none" if champion is None else f"v{champion}",
        "Predicts": f"{model.target}, {model.task}",
        "By": model.created_by,
        "Added": text.ago(model.created_at),
    }
