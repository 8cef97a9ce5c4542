"""One's API tokens."""

import streamlit as st

from frontend import identity
from frontend.token_list import TokenActions, draw_token_list


def draw_tokens() -> None:
    """The tab."""
    st.caption(
        "With a token a script, the mlflow client or another program works on your behalf, without "
        "your password. It may at most what you may."
    )
    api = identity.accounts_api()
    actions = TokenActions(owner="", create=api.create_token, revoke=api.revoke_token)
    draw_token_list(api.tokens(), actions, key="own_tokens")
