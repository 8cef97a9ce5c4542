"""How somebody comes in who has no session yet: the ways there are, sign-up, one-time links."""

from collections.abc import Mapping
from typing import Any

import httpx

from backend.accounts.schemas import LinkInfo, SignInOptions
from frontend import accounts_client, identity
from frontend.client import ApiError, connection_pool, sign_in
from frontend.settings import dashboard_settings
from frontend.state import state


def _pool() -> httpx.Client:
    return connection_pool(dashboard_settings().urls.api_for_processes)


def options() -> SignInOptions:
    """Which ways in there are; asked for once in each tab."""
    if state.sign_in_options is None:
        state.sign_in_options = accounts_client.sign_in_options(_pool())
    return state.sign_in_options


def provider_name() -> str:
    """What the provider is called, where passwords are not accepted."""
    return options().provider or "the provider"


def register(wanted: Mapping[str, Any]) -> None:
    """Makes the account and signs in with it."""
    origin = identity.origin()
    accounts_client.register(_pool(), wanted, origin=origin)
    state.signs_up = False
    try:
        tokens = sign_in(_pool(), wanted["username"], wanted["password"], origin=origin)
        identity.enter(tokens)
    except ApiError:
        state.sign_in_notice = "Your account is made. Sign in with it."
        return
    identity.renew_cookie()


def link_info() -> LinkInfo:
    """Whom the open link is for; asked for once, since every try counts."""
    if state.link_info is None:
        state.link_info = accounts_client.check_link(
            _pool(), state.password_link, origin=identity.origin()
        )
    return state.link_info


def forget_link() -> None:
    """Back to the page that was asked for."""
    state.password_link, state.link_info = "", None


def set_password(password: str) -> None:
    """By the open link; afterwards this tab is signed in."""
    tokens = accounts_client.set_password_by_link(
        _pool(), state.password_link, password, origin=identity.origin()
    )
    forget_link()
    identity.enter(tokens)
    identity.renew_cookie()
