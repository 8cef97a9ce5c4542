"""What the accounts routes take and answer."""

import unicodedata
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from backend.core.access import Role, Scope
from backend.core.schemas import Id, Moment, Name, Schema, Secret, StorableText, Timestamp, one_line
from backend.science.storable import storable

MINIMUM_PASSWORD_LENGTH = 12

_PATTERN: Final = "string_pattern_mismatch"
# Word characters without a look of their own: with them two names would look the same.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")


def _seen(name: str) -> str:
    for letter in name:
        is_selector = "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"
        if letter in _UNSEEN or is_selector or unicodedata.category(letter) == "Cf":
            raise ValueError("a user name may not contain invisible characters")
    return name


def _not_blank(password: str) -> str:
    if not password.strip():
        raise ValueError("a password may not be blank")
    return password


def _explained(said: str) -> WrapValidator:
    """Says what a pattern wants, in place of the pattern."""

    def explain(value: object, check: ValidatorFunctionWrapHandler) -> object:
        try:
            return check(value)
        except ValidationError as error:
            kinds = [problem["type"] for problem in error.errors(include_url=False)]
            if kinds != [_PATTERN]:
                raise
            raise PydanticCustomError(_PATTERN, said) from None

    return WrapValidator(explain)


Username = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=2, max_length=64, pattern=r"^[\w][\w.@+-]*$"
    ),
    AfterValidator(_seen),
    BeforeValidator(storable),
    _explained("Letters, digits and . @ + - _ only, and a letter or digit first."),
]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=MINIMUM_PASSWORD_LENGTH, max_length=1_000),
    AfterValidator(_not_blank),
    BeforeValidator(storable),
]
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    BeforeValidator(storable),
    _explained("This is no mail address."),
]


DisplayName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=200),
    AfterValidator(one_line),
    BeforeValidator(storable),
]
UserKind = Literal["person", "service"]
UserState = Literal["active", "invited", "disabled"]
LinkPurpose = Literal["sign_in", "invitation", "password_reset"]


class UserOut(Schema):
    """An account as its owner and administrators see it."""

    id: int
    username: str
    kind: UserKind
    display_name: str
    email: str | None
    email_verified: bool
    role: Role
    has_password: bool
    disabled: bool
    # Until when the open invitation counts; null where there is none.
    invited_until: Timestamp | None
    created_at: Timestamp


class UserCreate(Schema):
    """A new account, made by an administrator; without a password it is an invitation."""

    username: Username
    display_name: DisplayName = ""
    email: Email | None = None
    role: Role = Role.MEMBER
    password: NewPassword | None = None


class LinkOut(Schema):
    """A one-time link for somebody; it is shown this once."""

    url: str
    expires_at: Timestamp


class UserCreated(UserOut):
    """A new account, with the link that invites its owner."""

    invitation: LinkOut | None


class UserAdminUpdate(Schema):
    """What administrators may change; what is left out stays."""

    display_name: DisplayName = ""
    email: Email | None = None
    role: Role = Role.MEMBER
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which accounts a list is about."""

    name_contains: str | None = None
    role: Role | None = None
    kind: UserKind | None = None
    state: UserState | None = None


class HoldingOut(Schema):
    """A project that has no other owner, and what is in it."""

    project_id: int
    name: str
    personal: bool
    members: int
    datasets: int
    fits: int
    models: int


class HoldingsOut(Schema):
    """What would need an heir if the account were deleted."""

    items: list[HoldingOut]


class UserUpdate(Schema):
    """What people may change about themselves; what is left out stays."""

    display_name: DisplayName = ""
    email: Email | None = None


class Registration(Schema):
    """An account that somebody makes for themselves."""

    username: Username
    display_name: DisplayName = ""
    email: Email | None = None
    password: NewPassword


class SignInOptions(Schema):
    """Which ways in there are."""

    password: bool
    registration: Literal["off", "on", "domains"]
    registration_domains: list[str]
    # What the provider is called; null where there is none.
    provider: str | None


class LinkToken(Schema):
    """The token of a one-time link."""

    token: Secret


class LinkInfo(Schema):
    """What a one-time link is for."""

    purpose: LinkPurpose
    username: str
    expires_at: Timestamp


class PasswordByLink(Schema):
    """The password that an invited or forgetful user sets."""

    token: Secret
    new_password: NewPassword


class ServiceAccountCreate(Schema):
    """An account for programs: tokens, and no password."""

    username: Username
    display_name: DisplayName = ""
    role: Role = Role.MEMBER


class ApiTokenCreate(Schema):
    """A personal token; without `expires_at` it counts as long as the settings say."""

    name: Name
    scope: Scope = Scope.READ
    project_id: Id | None = None
    # null: never.
    expires_at: Moment | None = None


class ApiTokenOut(Schema):
    """A personal token without its text."""

    id: int
    name: str
    hint: str
    scope: Scope
    project_id: int | None
    username: str
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    last_address: str | None


class ApiTokenCreated(ApiTokenOut):
    """A new token; its text is shown this once."""

    token: str


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


class ProviderStart(Schema):
    """A browser wants to sign in with the OpenID provider, and which page it wants then."""

    next: Annotated[StorableText, StringConstraints(max_length=2_000)] = "/"


class ProviderStarted(Schema):
    """Where the browser goes; the key stays with it for these seconds, the state goes along."""

    address: str
    key: str
    state: str
    max_age: int


class ProviderReturn(Schema):
    """What a browser brought back from the provider: a code or an error."""

    key: Secret
    state: Secret
    code: Annotated[StorableText, StringConstraints(min_length=1, max_length=4_000)] | None = None
    error: Annotated[StorableText, StringConstraints(max_length=200)] | None = None


class ProviderSession(BrowserSessionOut):
    """The value of the cookie, its age, and the page that was asked for."""

    next: str


class Introspect(Schema):
    """A token that somebody showed to another process."""

    token: Secret


class Identity(Schema):
    """Who holds a token, if anybody."""

    active: bool
    user_id: Id | None = None
    username: str | None = None
    role: Role | None = None
    scope: Scope | None = None
    # The only project that the token reaches.
    project_id: Id | None = None


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
