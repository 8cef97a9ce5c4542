"""Fields of a form, each with room for what is wrong with it right under it."""

import re
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backend.accounts.schemas import MINIMUM_PASSWORD_LENGTH
from frontend import text
from frontend.client import ApiError, Refused, SignedOut
from frontend.widgets import show_error

FORM_WIDTH: Final = 420
NEW_PASSWORD: Final = "new_password"  # noqa: S105  # the name of a field
FIELD_OF_CODE: Final = {"name_taken": "username", "email_taken": "email"}
LENGTH: Final = re.compile(r"String should have (?P<which>at least|at most) (?P<count>\d+) char")
PASSWORDS_DIFFER: Final = "The two passwords differ."  # a text, not a password
PASSWORD_HINT: Final = (
    f"At least {MINIMUM_PASSWORD_LENGTH} characters; a sentence that only you would write is good"
)


class Fields:
    """The rooms of one form, by the names of its fields."""

    def __init__(self) -> None:
        self._rooms: dict[str, DeltaGenerator] = {}

    def room(self, name: str) -> None:
        """Keeps room under the field that was just drawn."""
        self._rooms[name] = st.empty()

    def complain(self, name: str, problem: str) -> None:
        """Says what is wrong with a field; on top of the form's end where it has no room."""
        said = text.plain(problem)
        room = self._rooms.get(name)
        if room is None:
            st.error(f"{text.plain(name)}: {said}")
        else:
            room.error(said)

    def explain(self, error: ApiError) -> None:
        """Says all that the server found, each beside its field; the session's end is raised."""
        if isinstance(error, SignedOut):
            raise error
        if not isinstance(error, Refused):
            show_error(error)
        elif error.fields:
            for name, problem in error.fields.items():
                self.complain(name, _in_words(problem))
        elif error.code in FIELD_OF_CODE:
            self.complain(FIELD_OF_CODE[error.code], error.detail)
        else:
            show_error(error)


def _in_words(problem: str) -> str:
    """What a check of the form found, in a person's words; a rule's own sentence as it is."""
    length = LENGTH.match(problem)
    if length is not None:
        return f"{length['which'].capitalize()} {length['count']} characters, please."
    return problem.removeprefix("Value error, ")


def draw_new_password(fields: Fields, *, label: str, name: str) -> str | None:
    """Two boxes for a new password; answers it, or None where the two differ.

    `name` is what the server calls the field.
    """
    new = st.text_input(label, type="password", autocomplete="new-password", help=PASSWORD_HINT)
    fields.room(name)
    again = st.text_input(f"{label} again", type="password", autocomplete="new-password")
    fields.room("again")
    return new if new == again else None
