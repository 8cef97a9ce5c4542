"""The addresses of the pages, and links to them; knows no page's content."""

from enum import StrEnum
from typing import Literal, NoReturn
from urllib.parse import quote, urlsplit

import streamlit as st

from frontend.routes import PREFIX
from frontend.state import state


class PageName(StrEnum):
    """The pages by their addresses."""

    HOME = "home"
    NEW_FIT = "new"
    FITS = "fits"
    FIT = "fit"
    DATASETS = "datasets"
    DATASET = "dataset"
    PROJECTS = "projects"
    PROJECT = "project"
    MODELS = "models"
    MODEL = "model"
    ADMIN = "admin"
    ACCOUNT = "account"


Tone = Literal["primary", "secondary", "tertiary"]


def go(page: PageName, **parameters: int | str) -> NoReturn:
    """Leaves for the page."""
    st.switch_page(state.pages[page], query_params=_texts(parameters))


def link(page: PageName, label: str, **parameters: int | str) -> None:
    """A link inside the app; the label is Markdown."""
    st.page_link(state.pages[page], label=label, query_params=_texts(parameters), width="stretch")


def _texts(parameters: dict[str, int | str]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items()}


def number_parameter(name: str) -> int | None:
    """A number in the page's address; None where it is absent or no number."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def mlflow_address(path: str) -> str:
    """Leads to a page of MLflow, signed in."""
    return f"{PREFIX}/mlflow?path={quote(path, safe='/')}"


def mlflow_page(url: str) -> str:
    """The same for an address that the API gave: only its path is followed."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return mlflow_address(f"{parts.path or '/'}{query}{fragment}")
