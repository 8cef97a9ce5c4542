"""What one did, and what others did to one's account."""

import streamlit as st

from frontend import identity
from frontend.audit_table import draw_events


def draw_history() -> None:
    """The tab."""
    st.caption("What you did, and what was done to your account. Nobody can change this record.")
    draw_events(identity.accounts_api().history, own=True)
