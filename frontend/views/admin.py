"""For administrators: accounts, the audit, retraining, jobs."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from frontend import identity, text
from frontend.address import draw_tabs
from frontend.admin_audit import draw_audit
from frontend.admin_jobs import draw_jobs
from frontend.admin_retraining import draw_retraining
from frontend.admin_service_accounts import draw_service_accounts
from frontend.admin_users import draw_users
from frontend.state import state
from frontend.widgets import page_title

TABS: Final[dict[str, Callable[[], None]]] = {
    "Users": draw_users,
    "Service accounts": draw_service_accounts,
    "Audit": draw_audit,
    "Retraining": draw_retraining,
    "Jobs": draw_jobs,
}


def draw() -> None:
    """The page; `?section=Jobs` names what is shown."""
    if identity.current_user().role.value != "admin":
        page_title("Admin")
        st.info("This page is for administrators.")
        return
    page_title(
        "Admin", "Who is here and what they did, how models learn anew, what the machine does."
    )
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    draw_tabs(TABS, key="section")
