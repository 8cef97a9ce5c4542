"""How far the profile of a version is, watched only while it is being made."""

from typing import Final

import streamlit as st

from backend.datasets.profile_schemas import ProfileOut
from frontend import identity, text
from frontend.widgets import errors_shown

LIVE_SECONDS: Final = 2
UNFINISHED: Final = frozenset({"queued", "running"})


def draw_progress(dataset_id: int, version: int, profile: ProfileOut) -> None:
    """Nothing where the profile is there, or failed."""
    if profile.state in UNFINISHED:
        _watch(dataset_id, version)


@st.fragment(run_every=LIVE_SECONDS)
def _watch(dataset_id: int, version: int) -> None:
    with errors_shown("profiling", live=True):
        profile = identity.datasets_api().profile(dataset_id, version)
        if profile.state not in UNFINISHED:
            st.rerun()
        doing = f": {text.plain(profile.message)}" if profile.message else ""
        st.progress(profile.progress, f"Profiling, {profile.progress:.0%}{doing}")
