"""What the images of a version have in common."""

import streamlit as st

from backend.datasets.profile_schemas import ImageProfile
from frontend import text
from frontend.profile_charts import draw_bars


def draw_images(images: ImageProfile) -> None:
    """Their size, brightness and classes."""
    colours = "colour" if images.channels > 1 else "shades of grey"
    smallest, largest = text.size(images.smallest_bytes), text.size(images.largest_bytes)
    with st.container(horizontal=True, key="profile_images"):
        st.metric("Size", f"{images.width} x {images.height}", width="content")
        st.metric("Channels", f"{images.channels}", width="content")
        st.metric("Mean of pixels", text.number(images.mean), width="content")
        st.metric("SD of pixels", text.number(images.sd), width="content")
    st.caption(f"In {colours}; files from {smallest} to {largest}. Pixels go from 0 to 1.")
    total = sum(images.classes.values())
    counts = list(images.classes.items())
    if not counts:
        return
    (most, many), (least, few) = counts[0], counts[-1]
    said = (
        f"{text.counted(len(counts), 'class', 'classes')} with {total:,} images: "
        f"{many:,} of {most}, {few:,} of {least}."
    )
    st.markdown(text.plain(said))
    draw_bars(images.classes, title="Class", alt=f"Images of each class. {said}")
