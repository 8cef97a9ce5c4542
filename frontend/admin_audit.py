"""What everybody did: the tab of administrators."""

import streamlit as st

from frontend import identity
from frontend.audit_table import draw_events


def draw_audit() -> None:
    """The tab."""
    st.caption("Who did what, when and from where. It only grows: nobody can change or delete it.")
    draw_events(identity.operations_api().audit, own=False)
