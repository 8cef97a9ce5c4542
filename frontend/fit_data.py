"""A fit's dataset, which may be out of the sight of who reads the fit or the model."""

from dataclasses import dataclass

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, permission, text
from frontend.client import NotThere
from frontend.pages import PageName, link
from frontend.permission import Access


@dataclass(frozen=True)
class FitData:
    """What the user may do with the data of one fit."""

    is_seen: bool
    why_not: str
    """As Markdown: why they cannot be fitted again; empty where they can."""


def data_of(fit: FitOut, access: Access) -> FitData:
    """A new fit is made where the dataset is, so there the user must be an editor.

    `access` is that to the fit's own project.
    """
    try:
        project_id = identity.datasets_api().dataset(fit.dataset_id).project_id
        there = access if project_id == fit.project_id else permission.access_to(project_id)
    except NotThere:
        why_not = "Its dataset is not shared with you, so you cannot run this fit again."
        return FitData(is_seen=False, why_not=why_not)
    if there.may_edit:
        return FitData(is_seen=True, why_not="")
    name = text.plain(there.project.name)
    why_not = f"Its dataset is in {name}, which you may only read: you cannot run this fit again."
    return FitData(is_seen=True, why_not=why_not)


def draw_why_no_rerun(access: Access, data: FitData) -> None:
    """One sentence for who may edit the fit's project; the others are told of that already."""
    if access.may_edit and data.why_not:
        st.caption(data.why_not)


def draw_dataset_link(dataset_id: int, version: int, label: str, *, is_seen: bool) -> None:
    """Where the data came from: a link (Markdown), or its name alone where it leads nowhere."""
    if is_seen:
        link(PageName.DATASET, label, id=dataset_id, v=version)
    else:
        st.caption(f"{label}, not shared with you")


def draw_dataset_of(dataset_id: int, version: int, label: str) -> None:
    """The same for a model or a retraining."""
    try:
        identity.datasets_api().dataset(dataset_id)
    except NotThere:
        draw_dataset_link(dataset_id, version, label, is_seen=False)
    else:
        draw_dataset_link(dataset_id, version, label, is_seen=True)
