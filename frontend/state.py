"""Everything that a browser tab's session remembers, typed, in one place.

No other module but the sign-in seam touches `st.session_state`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

import streamlit as st
from streamlit.navigation.page import Page

from backend.accounts.schemas import LinkInfo, SignInOptions, UserOut
from backend.datasets.recipe_schemas import RecipeOut
from backend.datasets.schemas import DownloadFormat
from backend.datasets.usage_schemas import LinkOut
from backend.serving.schemas import PredictOut
from frontend.client import ApiError, RefreshGuard, Tokens

Value = TypeVar("Value")
PREFIX: Final = "goodfit."
# The library's own, which tells that this tab signed out although its cookie is still in view.
SIGNED_OUT_KEY: Final = "logout"
HISTORY_LENGTH: Final = 10
GUARD_KEY: Final = "goodfit.refresh_guard"
_making_guard: Final = threading.Lock()


@dataclass(frozen=True)
class Deed:
    """Something that the user did in this session."""

    what: Literal["uploaded", "ran"]
    object_id: int
    name: str
    at: datetime


@dataclass(frozen=True)
class Trial:
    """The last prediction that was tried: of which version, and what came."""

    model_id: int
    version: int
    row: dict[str, Any]
    answer: PredictOut


@dataclass(frozen=True)
class Batch:
    """A file of predictions that waits for its download."""

    model_id: int
    version: int
    token: str
    name: str
    size: int
    preview: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Chosen:
    """The dataset version that Home's form is about, and what its upload gave, as Markdown."""

    dataset_id: int
    version: int
    markdown: str


@dataclass(frozen=True)
class UploadProblem:
    """Why a file that still lies in its drop zone was not stored."""

    file_id: str
    markdown: str
    lines: str = ""
    """Of the file, with their numbers, where one is to blame."""
    encoding: str = ""
    """What the text of the file seems to be in, where that is the problem."""


@dataclass(frozen=True)
class FileLink:
    """A signed link to one file of a version."""

    dataset_id: int
    version: int
    form: DownloadFormat
    link: LinkOut


@dataclass(frozen=True)
class Recipe:
    """The steps that are being chosen for a version, and what the server said of them."""

    dataset_id: int
    version: int
    steps: tuple[dict[str, Any], ...] = ()
    # Of the request that makes the version; other steps are another request.
    key: str = ""
    report: RecipeOut | None = None
    """What a dry run told of the steps, or of those before the first that does not fit."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the place in the steps, such as `1.columns.0`."""
    failure: str = ""
    """Why there was no answer about the steps."""
    edited: int | None = None
    """The step whose form is open."""


@dataclass(frozen=True)
class Replay:
    """A recipe of another version that was tried or refused here."""

    place: tuple[int, int, int]
    """Of which dataset and version, and whose recipe."""
    key: str
    report: RecipeOut | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shared:
    """Who was let in by the open dialog, and where they find what was shared."""

    username: str
    role: str
    project: str
    path: str


@dataclass(frozen=True)
class Shown:
    """A secret that is shown this once, in the open dialog."""

    markdown: str
    """What it is and for whom."""
    secret: str
    scope: str = ""
    """What an API token may be used for; empty for a link."""
    limited: bool = False
    """Whether the token reaches one project only."""


class _Entry(Generic[Value]):
    """One typed key of the session's state."""

    def __init__(self, default: Callable[[], Value]) -> None:
        self._default = default
        self._key = ""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._key = PREFIX + name

    def __get__(self, _instance: object, _owner: type | None = None) -> Value:
        if self._key not in st.session_state:
            return self._default()
        value: Value = st.session_state[self._key]
        return value

    def __set__(self, _instance: object, value: Value) -> None:
        st.session_state[self._key] = value


class SessionState:
    """The state of the session whose script is running."""

    tokens = _Entry[Tokens | None](lambda: None)
    user = _Entry[UserOut | None](lambda: None)
    # What the browser is to do with its cookie in the next run that comes to its end.
    cookie_job = _Entry[Literal["set", "delete"] | None](lambda: None)
    cookie_ticket = _Entry[str](str)
    refused_cookie = _Entry[str](str)
    sign_in_notice = _Entry[str](str)
    # Whether this tab came in by a link that counts no second time.
    came_by_link = _Entry[bool](bool)
    # Asked for once: what somebody types must not vanish while the server does not answer.
    sign_in_options = _Entry[SignInOptions | None](lambda: None)
    signs_up = _Entry[bool](bool)
    # The token of an invitation or a reset, and what the server told about it.
    password_link = _Entry[str](str)
    link_info = _Entry[LinkInfo | None](lambda: None)
    chosen = _Entry[Chosen | None](lambda: None)
    upload_problem = _Entry[UploadProblem | None](lambda: None)
    # To be put into the options at their next drawing.
    proposed_encoding = _Entry[str](str)
    uploader_round = _Entry[int](int)
    options_round = _Entry[int](int)
    file_link = _Entry[FileLink | None](lambda: None)
    file_link_problem = _Entry[ApiError | None](lambda: None)
    upload_salt = _Entry[str](str)
    run_key = _Entry[str](str)
    deeds = _Entry[tuple[Deed, ...]](tuple)
    selected_fit = _Entry[int | None](lambda: None)
    selected_project = _Entry[int | None](lambda: None)
    selected_dataset = _Entry[int | None](lambda: None)
    selected_trash = _Entry[int | None](lambda: None)
    # How many, of which dataset.
    shown_versions = _Entry[tuple[int, int]](lambda: (0, 0))
    selected_use = _Entry[int | None](lambda: None)
    selected_model = _Entry[int | None](lambda: None)
    selected_version = _Entry[int | None](lambda: None)
    selected_retraining = _Entry[int | None](lambda: None)
    # Where the session's last upload went; None is the personal project.
    upload_project = _Entry[int | None](lambda: None)
    make_key = _Entry[str](str)
    shared = _Entry[Shared | None](lambda: None)
    selected_job = _Entry[int | None](lambda: None)
    selected_user = _Entry[int | None](lambda: None)
    selected_token = _Entry[int | None](lambda: None)
    selected_event = _Entry[int | None](lambda: None)
    # The pages of the audit that were turned, by their cursors, and the filters they belong to.
    audit_pages = _Entry[tuple[str, ...]](tuple)
    audit_filters = _Entry[str](str)
    shown = _Entry[Shown | None](lambda: None)
    # The dialog that is open, by its name and what it is about.
    dialog = _Entry[str](str)
    trial = _Entry[Trial | None](lambda: None)
    batch = _Entry[Batch | None](lambda: None)
    batch_problem = _Entry[str](str)
    # By dataset and version: each keeps its own until it is made or left.
    recipes = _Entry[dict[tuple[int, int], Recipe]](dict)
    replay = _Entry[Replay | None](lambda: None)
    form_round = _Entry[int](int)
    register_key = _Entry[str](str)
    notice = _Entry[str](str)
    pages = _Entry[dict[str, Page]](dict)

    @property
    def refresh_guard(self) -> RefreshGuard:
        """One for all the scripts of this session."""
        with _making_guard:
            if GUARD_KEY not in st.session_state:
                st.session_state[GUARD_KEY] = RefreshGuard()
            guard: RefreshGuard = st.session_state[GUARD_KEY]
            return guard

    def clear(self) -> None:
        """Forgets everything of the user; a later one in the same tab finds nothing."""
        for key in list(st.session_state.keys()):
            if key != SIGNED_OUT_KEY:
                del st.session_state[key]

    def remember(self, deed: Deed) -> None:
        """Puts the deed on top of the session's history."""
        self.deeds = (deed, *self.deeds)[:HISTORY_LENGTH]

    def pop(self, name: Literal["notice", "sign_in_notice", "proposed_encoding"]) -> str:
        """A message that is to be shown once."""
        text: str = getattr(self, name)
        setattr(self, name, "")
        return text

    def widget(self, key: str) -> Any:
        """What a widget holds now; None where it was not drawn yet."""
        return st.session_state.get(key)

    def preset(self, key: str, value: Any) -> None:
        """What a widget holds at first; unlike a default it can be cleared."""
        st.session_state.setdefault(key, value)

    def put_widget(self, key: str, value: Any) -> None:
        """What a widget holds from its next drawing on; not for one that is drawn already."""
        st.session_state[key] = value

    def forget_widget(self, key: str) -> None:
        """Lets a widget start from its default."""
        st.session_state.pop(key, None)


state: Final = SessionState()
