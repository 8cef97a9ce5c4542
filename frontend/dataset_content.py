"""What is in a version: its first rows, or its first images."""

from typing import Final

import streamlit as st

from backend.datasets.schemas import DatasetOut
from frontend import identity, text
from frontend.widgets import thumbnails

PREVIEW_ROWS: Final = 1_000
SHOWN_IMAGES: Final = 60


def draw_content(dataset: DatasetOut, version: int) -> None:
    """The tab."""
    if dataset.kind == "image":
        _draw_images(dataset.id, version)
    else:
        _draw_rows(dataset.id, version)


def _draw_rows(dataset_id: int, version: int) -> None:
    preview = identity.datasets_api().preview(dataset_id, version, PREVIEW_ROWS)
    values = {
        name: [row[position] for row in preview.rows]
        for position, name in enumerate(preview.columns)
    }
    st.dataframe(values, hide_index=True, alt=f"The first rows of dataset {dataset_id}")
    if preview.total_rows > len(preview.rows):
        shown = text.counted(len(preview.rows), "row")
        st.caption(f"The first {shown} of {preview.total_rows:,}.")
    if preview.is_cut:
        st.caption("Long texts are cut here; the download has all of them.")


def _draw_images(dataset_id: int, version: int) -> None:
    images = identity.datasets_api().images(dataset_id, version, SHOWN_IMAGES)
    thumbnails(dataset_id, version, [(image.row, image.label) for image in images.items])
    if images.total > len(images.items):
        st.caption(f"The first {len(images.items)} of {images.total:,}.")
