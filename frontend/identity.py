"""Signing in: streamlit-authenticator's widgets with the API as the only source of truth.

Three seams of version 0.4.2 are replaced, nothing else; a test watches them:
the model's `login` and `logout` ask the API, the cookie controller deals in an HttpOnly cookie,
and `Authenticate.__init__` plugs both in. No user, hash or key lives here.
"""

import re
from typing import Any, Final, TypeVar

import streamlit as st
import streamlit_authenticator as stauth
from streamlit_authenticator.controllers import AuthenticationController
from streamlit_authenticator.models import AuthenticationModel
from streamlit_authenticator.utilities import LoginError

from backend.accounts.schemas import UserOut
from frontend.accounts_client import AccountsApi
from frontend.claims import claims
from frontend.client import (
    Api,
    ApiError,
    RefreshGuard,
    Refused,
    SignedOut,
    Tokens,
    Unreachable,
    connection_pool,
    resume,
    sign_in,
    sign_in_by_link,
)
from frontend.datasets_client import DatasetsApi
from frontend.models_client import ModelsApi
from frontend.operations_client import OperationsApi
from frontend.projects_client import ProjectsApi
from frontend.retraining_client import RetrainingApi
from frontend.routes import PREFIX, told_of
from frontend.settings import dashboard_settings
from frontend.state import SIGNED_OUT_KEY, state

Caller = TypeVar("Caller", bound=Api)
STATUS_KEY: Final = "authentication_status"
# The style sheet takes it out of the page's flow.
SCRIPT_CONTAINER: Final = "cookie_job"
LINK_PARAMETER: Final = "signin"
UNPROCESSABLE: Final = 422
# One-time links that let somebody set a password.
PASSWORD_LINK_PARAMETERS: Final = ("invitation", "reset")
TICKET: Final = re.compile(r"[A-Za-z0-9_-]+")
LINK_SPENT: Final = (
    "This sign-in link was used already, or it has expired. Sign in below, or ask for a new link."
)
SESSION_ENDED: Final = "Your session has ended. Sign in, and you come back to this page."
SIGNED_OUT_EVERYWHERE: Final = "You are signed out everywhere. Your API tokens go on working."
NOT_REVOKED: Final = (
    "You are signed out here. The server did not answer, so there the session ends by its own age."
)
# Kept alive, so that it is not lost where somebody types the next address at once.
# Plots that were asked for before the cookie was there are asked for again.
CLAIM_SCRIPT: Final = """<script>
fetch('{path}', {{method: 'POST', credentials: 'same-origin', keepalive: true,
  body: '{body}'}}).then(() => {{
  for (const plot of document.querySelectorAll('img[src^="{prefix}/plots/"]')) {{
    plot.src = plot.getAttribute('src').split('&again=')[0] + '&again=1';
  }}
}});
</script>"""


def _calling(kind: type[Caller]) -> Caller:
    pool = connection_pool(dashboard_settings().urls.api_for_processes)
    return kind(pool, state, told=origin())


def api() -> Api:
    """The API on behalf of this session's user."""
    return _calling(Api)


def datasets_api() -> DatasetsApi:
    """The same, with the calls about datasets."""
    return _calling(DatasetsApi)


def models_api() -> ModelsApi:
    """The same, with the calls about models."""
    return _calling(ModelsApi)


def retraining_api() -> RetrainingApi:
    """The same, with the calls about retraining."""
    return _calling(RetrainingApi)


def projects_api() -> ProjectsApi:
    """The same, with the calls about projects."""
    return _calling(ProjectsApi)


def accounts_api() -> AccountsApi:
    """The same, with the calls about one's own account."""
    return _calling(AccountsApi)


def operations_api() -> OperationsApi:
    """The same, with the calls of administrators."""
    return _calling(OperationsApi)


def current_user() -> UserOut:
    """Who is signed in; raises `SignedOut` where nobody is."""
    if state.user is None or not is_signed_in():
        raise SignedOut
    return state.user


def is_signed_in() -> bool:
    """Whether this tab holds a session."""
    return bool(st.session_state.get(STATUS_KEY)) and state.tokens is not None


def was_refused() -> bool:
    """Whether the last try by password was not accepted."""
    return st.session_state.get(STATUS_KEY) is False


def refresh_user() -> None:
    """Reads the own account again, after a change of it."""
    state.user = api().me()


def expire() -> None:
    """The session has ended elsewhere: back to the login form; what was typed is kept."""
    state.tokens = None
    st.session_state[STATUS_KEY] = None
    state.sign_in_notice = SESSION_ENDED


def renew_cookie() -> None:
    """Asks the browser to fetch a new cookie, after the old one's session was ended."""
    state.cookie_job = "set"
    state.cookie_ticket = ""


def sign_out_everywhere() -> None:
    """Ends every session of the account; this tab shows the login form again."""
    accounts_api().sign_out_everywhere()
    state.clear()
    st.session_state[STATUS_KEY] = None
    st.session_state[SIGNED_OUT_KEY] = True
    state.sign_in_notice = SIGNED_OUT_EVERYWHERE
    state.cookie_job = "delete"


def enter(tokens: Tokens) -> UserOut:
    """Makes the session that of the tokens' user; raises where they no longer count."""
    pool = connection_pool(dashboard_settings().urls.api_for_processes)
    holder = _Holder(tokens)
    user = Api(pool, holder, told=origin()).me()
    if state.user is not None and state.user.id != user.id:
        state.clear()
    state.tokens, state.user, state.sign_in_notice = holder.tokens, user, ""
    st.session_state.update(
        {
            STATUS_KEY: True,
            "username": user.username,
            "name": user.username,
            "email": user.email,
            "roles": [user.role.value],
            SIGNED_OUT_KEY: None,
        }
    )
    return user


def origin() -> dict[str, str]:
    """The browser's address and program, for the list of sessions and the limit of tries."""
    return told_of(
        dashboard_settings(), st.context.ip_address, st.context.headers.get("User-Agent")
    )


class _Holder:
    """Tokens that are not the session's yet: only a complete sign-in changes the session."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens: Tokens | None = tokens
        self.refresh_guard = RefreshGuard()


class BackendModel(AuthenticationModel):  # type: ignore[misc]  # the library ships no types
    """The first seam: the API decides."""

    def __init__(self) -> None:
        # Only for its defaults in the session's state; it knows no user.
        super().__init__(credentials={"usernames": {}}, auto_hash=False)
        self._pool = connection_pool(dashboard_settings().urls.api_for_processes)

    def login(
        self,
        username: str | None = None,
        password: str | None = None,
        max_concurrent_users: int | None = None,  # noqa: ARG002  # the library's signature
        max_login_attempts: int | None = None,  # noqa: ARG002  # the same
        token: dict[str, str] | None = None,
        single_session: bool = False,  # noqa: ARG002  # the same
        callback: Any = None,  # noqa: ARG002  # the same
    ) -> bool | None:
        """By the browser's cookie where it is given, else by password."""
        if token is not None:
            return self._by_cookie(token["cookie"])
        if not (username and password):
            return None
        try:
            enter(sign_in(self._pool, username, password, origin=origin()))
        except SignedOut:
            st.session_state[STATUS_KEY] = False
            return False
        except Refused as refusal:
            if refusal.status != UNPROCESSABLE:
                raise LoginError(refusal.detail) from refusal
            # No account has a name or password of this form.
            st.session_state[STATUS_KEY] = False
            return False
        return True

    def _by_cookie(self, cookie: str) -> bool | None:
        try:
            enter(resume(self._pool, cookie))
        except (SignedOut, Refused):
            # The page still shows the cookie of its first request: do not try it again.
            state.refused_cookie = cookie
            return None
        return True

    def logout(self, callback: Any = None) -> None:
        """Ends the session at the API and forgets everything of the user."""
        notice = ""
        try:
            api().sign_out()
        except Unreachable:
            notice = NOT_REVOKED
        except ApiError:
            pass  # it had ended already
        state.clear()
        state.sign_in_notice = notice
        super().logout(callback)


class _Controller(AuthenticationController):  # type: ignore[misc]  # the library ships no types
    """The library's controller over our model."""

    def __init__(self) -> None:
        super().__init__(credentials={"usernames": {}}, auto_hash=False)
        self.authentication_model = BackendModel()

    def login(self, username: Any = None, password: Any = None, *args: Any, **options: Any) -> Any:
        """Without the library's changes: it strips blanks that belong to the password."""
        for name in ("captcha", "entered_captcha"):
            options.pop(name, None)
        return self.authentication_model.login(username, password, *args, **options)


class BrowserCookie:
    """The second seam: the HttpOnly cookie, set and deleted by our routes."""

    def get_cookie(self) -> dict[str, str] | None:
        """The cookie as the page's first request showed it, unless it is known to be dead."""
        if st.session_state.get(SIGNED_OUT_KEY):
            return None
        value = st.context.cookies.get(dashboard_settings().auth.cookie_name)
        if not value or value == state.refused_cookie:
            return None
        return {"cookie": value}

    def set_cookie(self) -> None:
        """Only notes the wish: the browser writes cookies in a run that comes to its end."""
        renew_cookie()

    def delete_cookie(self) -> None:
        state.cookie_job = "delete"

    def flush(self) -> None:
        """Draws the script of the wish; it stays until the swap is known to have happened."""
        if state.cookie_job == "delete":
            _same_origin_post(f"{PREFIX}/signout", "")
        elif state.cookie_job == "set" and is_signed_in():
            if state.cookie_ticket in claims:
                state.cookie_job = None
                return
            if not state.cookie_ticket:
                state.cookie_ticket = api().ticket()
            _same_origin_post(f"{PREFIX}/session", state.cookie_ticket)


def _same_origin_post(path: str, body: str) -> None:
    """Lets the browser post; only constants and a ticket enter the script."""
    if body and not TICKET.fullmatch(body):
        raise ValueError("a ticket has only letters, digits, - and _")
    script = CLAIM_SCRIPT.format(path=path, body=body, prefix=PREFIX)
    with st.container(key=SCRIPT_CONTAINER):
        st.html(script, unsafe_allow_javascript=True)


class GoodfitAuthenticate(stauth.Authenticate):  # type: ignore[misc]  # the library ships no types
    """The third seam: plugs in the other two; the widgets are the library's own."""

    def __init__(self) -> None:
        self.api_key = self.path = None  # no mail service, no file of users
        self.secret_key = ""
        self.attrs = {"login_sleep_time": 0}  # else each anonymous run sleeps for 0.7 s
        self.cookie_controller = BrowserCookie()
        self.authentication_controller = _Controller()

    def resume(self) -> None:
        """Signs in by a one-time link in the address, or by the cookie; draws nothing."""
        for name in PASSWORD_LINK_PARAMETERS:
            if name in st.query_params:
                state.password_link, state.link_info = st.query_params[name], None
                del st.query_params[name]
        link = st.query_params.get(LINK_PARAMETER)
        if link is not None:
            self._follow_link(link)
            # Out of the address bar; it stays there only while the server does not answer.
            del st.query_params[LINK_PARAMETER]
        if not is_signed_in():
            super().login("unrendered")

    def _follow_link(self, link: str) -> None:
        pool = connection_pool(dashboard_settings().urls.api_for_processes)
        try:
            enter(sign_in_by_link(pool, link, origin=origin()))
        except (SignedOut, Refused):
            if not is_signed_in():
                state.sign_in_notice = LINK_SPENT
            return
        state.came_by_link = True
        self.cookie_controller.set_cookie()

    def login(self, *args: Any, **options: Any) -> Any:
        """The login form; after a sign-in one clean run without it."""
        super().login(*args, **options)
        if is_signed_in():
            st.rerun()

    def logout(self, *args: Any, **options: Any) -> None:
        """The sign-out button; after a sign-out one clean run with the login form."""
        super().logout(*args, **options)
        if not is_signed_in():
            st.rerun()
