"""The button that signs in with the OpenID provider, and why that did not work the last time."""

from html import escape
from typing import Final
from urllib.parse import urlencode

import streamlit as st

from frontend.oidc_routes import REFUSAL_PARAMETER, sign_in_address
from frontend.text import plain

REFUSALS: Final = {
    "oidc_cancelled": "You stopped the sign-in at {provider}. Nothing was changed; try again.",
    "oidc_expired": (
        "This sign-in took too long, or it was begun in another browser. Start it again here."
    ),
    "oidc_unavailable": "{provider} does not answer at the moment. Try again in a minute.",
    "oidc_refused": "{provider} did not confirm who you are. Try again, or ask an administrator.",
    "oidc_no_account": (
        "You have no account here yet. Ask an administrator to make one with your mail address."
    ),
    "oidc_account_taken": (
        "Somebody else at {provider} signs in to the account with your mail address. Ask an "
        "administrator to take the address off it."
    ),
    "oidc_too_many": (
        "Too many sign-ins from your network did not work. Try again in a quarter of an hour."
    ),
    "oidc_account_closed": "Your account here is disabled. Ask an administrator to enable it.",
    "oidc_role_refused": (
        "None of your groups at {provider} may use this lab. Ask an administrator which one does."
    ),
    "oidc_mail_not_verified": (
        "There is an account with your mail address here, but {provider} has not verified that "
        "the address is yours. Verify it there, then try again."
    ),
}


def draw_refusal(provider: str) -> None:
    """Why the last try did not work, as the address says."""
    reason = st.query_params.get(REFUSAL_PARAMETER, "")
    if reason in REFUSALS:
        # The administrator's own name for the provider, and still no Markdown.
        st.error(REFUSALS[reason].format(provider=plain(provider)))


def draw_button(provider: str, page_address: str) -> None:
    """A link that stays in this tab, which Streamlit's own link button does not."""
    st.html(
        f'<a class="provider-button" href="{escape(sign_in_address(_page(page_address)))}">'
        f"Sign in with {escape(provider)}</a>"
    )


def _page(page_address: str) -> str:
    """The page that is open, to come back to it."""
    asked = {name: value for name, value in st.query_params.items() if name != REFUSAL_PARAMETER}
    return f"/{page_address}" + (f"?{urlencode(asked)}" if asked else "")
