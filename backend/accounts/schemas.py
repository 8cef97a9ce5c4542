"""What the accounts routes take and answer."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from backend.core.access import Role
from backend.core.schemas import Id, Schema, Secret, StorableText, Timestamp

MINIMUM_PASSWORD_LENGTH = 12

Username = Annotated[
    StorableText,
    StringConstraints(
        strip_whitespace=True, min_length=2, max_length=64, pattern=r"^[\w][\w.@+-]*$"
    ),
]
NewPassword = Annotated[
    StorableText, StringConstraints(min_length=MINIMUM_PASSWORD_LENGTH, max_length=1_000)
]
Email = Annotated[
    StorableText, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
]


class UserOut(Schema):
    """An account as others may see it."""

    id: int
    username: str
    email: str | None
    role: Role
    has_password: bool
    disabled: bool
    created_at: Timestamp


class UserCreate(Schema):
    """A new account, made by an administrator."""

    username: Username
    email: Email | None = None
    role: Role = Role.MEMBER
    password: NewPassword


class UserUpdate(Schema):
    """What people may change about themselves."""

    email: Email | None


class PasswordChange(Schema):
    """A new password; the old one where there is one."""

    old_password: Secret | None = None
    new_password: NewPassword


class TokenOut(Schema):
    """The answer of the token route, in OAuth2's names."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # the scheme's name, not a secret
    expires_in: int
    # A browser's session does not rotate, so its answer carries none.
    refresh_token: str | None


class Logout(Schema):
    """Ends the session of the access token; or that of a token given here."""

    refresh_token: Secret | None = None


class TicketOut(Schema):
    """A one-time ticket for a browser's cookie."""

    ticket: str
    expires_in: int


class TicketRedeem(Schema):
    """A ticket, given by the dashboard or MLflow's gate."""

    ticket: Secret


class BrowserSessionOut(Schema):
    """The value of the cookie and its age in seconds."""

    session: str
    max_age: int


class LinkSignIn(Schema):
    """The token of a one-time sign-in link."""

    token: Secret


class Introspect(Schema):
    """A token that somebody showed to another process."""

    token: Secret


class Identity(Schema):
    """Who holds a token, if anybody."""

    active: bool
    user_id: Id | None = None
    username: str | None = None
    role: Role | None = None


class SessionOut(Schema):
    """One place where the account is signed in."""

    id: int
    kind: Literal["api", "browser"]
    user_agent: str | None
    address: str | None
    current: bool
    created_at: Timestamp
    last_used_at: Timestamp
    expires_at: Timestamp


class SessionList(Schema):
    """The live sessions of one account."""

    items: list[SessionOut] = Field(default_factory=list)
