"""The filters and the order of the list of fits, kept in the page's address."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from frontend import identity, metrics, queries
from frontend.address import in_address
from frontend.datasets_client import DatasetQuery
from frontend.fits_client import NEWEST, FitQuery
from frontend.project_filter import draw_project_filter

STATES: Final = ("queued", "running", "succeeded", "failed", "cancelled")
MOST_DATASETS: Final = 200
PAGE: Final = 100
# Which lists there are besides that of all that are not archived.
SHELVES: Final = {"starred": "Starred", "archived": "Archived", "trash": "Trash"}
ORDERS: Final = {
    NEWEST: "newest first",
    "created_at": "oldest first",
    "-finished_at": "last finished",
    "-seconds": "longest",
    "seconds": "shortest",
    "name": "name",
    "estimator": "estimator",
}


def draw_filters(names: Mapping[int, str]) -> FitQuery:
    """Two rows: what is looked for, and which shelf."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="fit_filters"):
        search = st.text_input(
            "Search",
            placeholder="name, notes, no. …",
            max_chars=200,
            **in_address("search", usual=""),
        )
        fit_state = st.selectbox(
            "State", STATES, index=None, placeholder="any", **in_address("state", STATES)
        )
        estimator = _draw_estimator()
        dataset_id = _draw_dataset()
        project_id = draw_project_filter(names)
    with st.container(horizontal=True, vertical_alignment="bottom", key="fit_order"):
        tag = st.text_input(
            "Tag",
            placeholder="key or key=value",
            max_chars=601,
            width=180,
            **in_address("tag", usual=""),
        )
        sort = _draw_sort()
        shelf = st.segmented_control(
            "Only",
            list(SHELVES),
            format_func=lambda name: SHELVES[name],
            **in_address("shelf", SHELVES),
        )
        mine = st.toggle("Only mine", **in_address("mine", usual=False))
    return FitQuery(
        state=fit_state,
        estimator=estimator,
        project_id=project_id,
        dataset_id=dataset_id,
        mine=mine,
        starred=shelf == "starred",
        archived=shelf == "archived",
        trashed=shelf == "trash",
        tag=tag.strip(),
        search=search.strip(),
        sort=sort,
        limit=PAGE,
    )


def _draw_estimator() -> str | None:
    titles = {entry.name: entry.title for entry in queries.estimators(identity.fits_api())}
    chosen: str | None = st.selectbox(
        "Estimator",
        list(titles),
        index=None,
        format_func=lambda name: titles.get(name, name),
        placeholder="any",
        **in_address("estimator", titles),
    )
    return chosen


def _draw_dataset() -> int | None:
    known = identity.datasets_api().datasets(DatasetQuery(limit=MOST_DATASETS))
    datasets = {entry.id: entry.name for entry in known}
    chosen: int | None = st.selectbox(
        "Dataset",
        list(datasets),
        index=None,
        format_func=lambda number: f"{number} · {datasets.get(number, '')}",
        placeholder="any",
        **in_address("dataset", datasets),
    )
    return chosen


def _draw_sort() -> str:
    """By a plain field, or by any metric with the best or the worst on top."""
    orders: dict[str, Any] = dict(ORDERS)
    for name in metrics.catalogue():
        least, most = f"metrics.{name}", f"-metrics.{name}"
        best, worst = (least, most) if metrics.less_is_better(name) else (most, least)
        orders[best] = f"{metrics.title(name)}, best first"
        orders[worst] = f"{metrics.title(name)}, worst first"
    chosen: str = st.selectbox(
        "Order",
        list(orders),
        format_func=lambda name: str(orders.get(name, name)),
        width=260,
        **in_address("sort", orders, usual=NEWEST),
    )
    return chosen
