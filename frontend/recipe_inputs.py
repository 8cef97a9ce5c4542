"""The inputs that the forms of steps are made of; each starts from the step that is edited."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import streamlit as st

from backend.datasets.profile_schemas import ColumnOut
from frontend.recipe_drafts import UNKNOWN

Step = dict[str, Any]
NUMERIC: Final = frozenset({"number", "integer", UNKNOWN})
TEXT: Final = frozenset({"string", UNKNOWN})
DATES: Final = frozenset({"date", "datetime", UNKNOWN})
# What was filled in stays while another tab is looked at.
KEPT: Final = "page"
# More at once are a matter for the step's JSON.
MOST_AT_ONCE: Final = 20
EXPRESSION_HINT: Final = (
    "Comparisons of columns: + - * / % **, and, or, not, in (…), is null, and functions such as "
    "log, sqrt, abs, round, lower, contains, year. A name with spaces goes in `backticks`."
)


@dataclass(frozen=True)
class Inputs:
    """The inputs of one step's form."""

    columns: Mapping[str, str]
    """The columns before the step, and their types."""
    profile: Mapping[str, ColumnOut]
    """What is known of those that the version has."""
    before: Step
    """The step that is edited; empty for a new one."""
    key: str

    def with_before(self, before: Step) -> "Inputs":
        """The same inputs, which start from something else."""
        return replace(self, before=before)

    def under(self, name: str) -> "Inputs":
        """The same inputs with a place of their own."""
        return replace(self, key=self._key(name))

    def names(self, kinds: frozenset[str] | None = None) -> list[str]:
        return [name for name, kind in self.columns.items() if kinds is None or kind in kinds]

    def several(
        self,
        label: str = "Columns",
        *,
        name: str = "columns",
        kinds: frozenset[str] | None = None,
        at_most: int | None = None,
        hint: str | None = None,
    ) -> list[str]:
        """Some of the columns."""
        given = self.before.get(name) or []
        options = self._with_given(self.names(kinds), given)
        chosen: list[str] = st.multiselect(
            label,
            options,
            default=list(given),
            max_selections=at_most,
            help=hint,
            key=self._key(name),
            persist_state=KEPT,
        )
        return chosen

    def one(
        self,
        label: str = "Column",
        *,
        name: str = "column",
        kinds: frozenset[str] | None = None,
        given: str | None = None,
    ) -> str | None:
        """One of the columns."""
        given = given or self.before.get(name)
        options = self._with_given(self.names(kinds), [given] if given else [])
        index = options.index(given) if given else 0
        chosen: str | None = st.selectbox(
            label,
            options,
            index=index if options else None,
            key=self._key(name),
            persist_state=KEPT,
        )
        return chosen

    @staticmethod
    def _with_given(options: list[str], given: Sequence[str]) -> list[str]:
        """A column that is not there any more must be seen to be changed."""
        return [*options, *(name for name in given if name not in options)]

    def choice(
        self,
        label: str,
        options: Mapping[str, str],
        *,
        name: str,
        given: object = None,
        hint: str | None = None,
    ) -> str:
        """One of several fixed answers, by what is sent; they are shown in words."""
        given = self.before.get(name) if given is None else given
        keys = list(options)
        chosen: str = st.selectbox(
            label,
            keys,
            index=keys.index(str(given)) if given in options else 0,
            format_func=lambda option: options[option],
            help=hint,
            key=self._key(name),
            persist_state=KEPT,
        )
        return chosen

    def flag(self, label: str, *, name: str, given: bool) -> bool:
        return st.checkbox(label, value=given, key=self._key(name), persist_state=KEPT)

    def text(self, label: str, *, name: str, given: object = None, hint: str | None = None) -> str:
        """One line."""
        value = self.before.get(name) if given is None else given
        start = "" if value is None else str(value)
        return str(
            st.text_input(label, value=start, help=hint, key=self._key(name), persist_state=KEPT)
        ).strip()

    def lines(self, label: str, *, name: str, hint: str, placeholder: str) -> str:
        """Text that may be long."""
        start = str(self.before.get(name) or "")
        typed = st.text_area(
            label,
            value=start,
            help=hint,
            placeholder=placeholder,
            height=90,
            key=self._key(name),
            persist_state=KEPT,
        )
        return str(typed).strip()

    def whole(
        self, label: str, *, name: str, given: int, least: int, most: int, hint: str | None = None
    ) -> int:
        value = st.number_input(
            label,
            min_value=least,
            max_value=most,
            value=min(max(given, least), most),
            step=1,
            help=hint,
            key=self._key(name),
            persist_state=KEPT,
        )
        return int(value)

    def number(self, label: str, *, name: str, given: float | None = None) -> float | int | None:
        """A number of any size; None where the box is empty."""
        typed = self.text(label, name=name, given=None if given is None else repr(given))
        return as_number(typed) if typed else None

    def share(
        self, label: str, *, name: str, given: float, least: float = 0.0, most: float = 1.0
    ) -> float:
        """A part of all, from 0 to 1."""
        known = self.before.get(name)
        start = given if known is None else float(known)
        value = st.number_input(
            label,
            min_value=least,
            max_value=most,
            value=min(max(start, least), most),
            step=0.01,
            format="%g",
            key=self._key(name),
            persist_state=KEPT,
        )
        return float(value)

    def some(
        self, label: str, options: Sequence[str], *, name: str, given: Sequence[str] = ()
    ) -> list[str]:
        """Some of several fixed answers."""
        start = [value for value in self.before.get(name) or given if value in options]
        chosen: list[str] = st.multiselect(
            label, options, default=start, key=self._key(name), persist_state=KEPT
        )
        return chosen

    def free(
        self, label: str, options: Sequence[str], *, name: str, given: Sequence[str], hint: str
    ) -> list[str]:
        """Some of the proposed texts, or others."""
        start = list(self.before.get(name) or given)
        offered = [*options, *(value for value in start if value not in options)]
        chosen: list[str] = st.multiselect(
            label,
            offered,
            default=start,
            accept_new_options=True,
            help=hint,
            key=self._key(name),
            persist_state=KEPT,
        )
        return chosen

    def value(self, label: str, column: str | None, *, name: str, given: object = None) -> Any:
        """A value of the column's type; None where nothing is given."""
        kind = self.columns.get(column or "", UNKNOWN)
        if kind == "boolean":
            return self._boolean(label, name=name, given=given)
        frequent = self.frequent(column)
        if kind == "string" and frequent:
            options = frequent if given in (None, *frequent) else [*frequent, str(given)]
            chosen: str | None = st.selectbox(
                label,
                options,
                index=None if given is None else options.index(str(given)),
                accept_new_options=True,
                placeholder="Choose or type a value",
                key=self._key(f"{name}.{column}"),
                persist_state=KEPT,
            )
            return chosen
        typed = self.text(label, name=f"{name}.{column}", given=given)
        return as_value(typed, kind) if typed else None

    def _boolean(self, label: str, *, name: str, given: object) -> bool | None:
        chosen: bool | None = st.selectbox(
            label,
            [True, False],
            index=None if given is None else int(given is False),
            format_func=lambda option: "true" if option else "false",
            key=self._key(f"{name}.boolean"),
            persist_state=KEPT,
        )
        return chosen

    def values(self, label: str, column: str | None, *, name: str, given: object = None) -> Any:
        """Several values of the column's type; empty where none is given."""
        kind = self.columns.get(column or "", UNKNOWN)
        start = [shown_value(value) for value in given] if isinstance(given, list) else []
        frequent = self.frequent(column)
        options = [*frequent, *(value for value in start if value not in frequent)]
        typed = st.multiselect(
            label,
            options,
            default=start,
            accept_new_options=True,
            placeholder="Choose or type values",
            key=self._key(f"{name}.{column}"),
            persist_state=KEPT,
        )
        return [as_value(str(value), kind) for value in typed]

    def frequent(self, column: str | None) -> list[str]:
        """Values of the column that the profile names."""
        known = self.profile.get(column or "")
        return [shown_value(top.value) for top in (known.top or [])] if known else []

    def count(self, label: str, *, name: str, given: int, most: int = MOST_AT_ONCE) -> int:
        """How many entries of a kind the form has room for."""
        return self.whole(label, name=name, given=max(given, 1), least=1, most=most)

    def _key(self, name: str) -> str:
        return f"{self.key}.{name}"


def shown_value(value: object) -> str:
    """A value as it is typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_number(typed: str) -> Any:
    """A number; what is none is sent as it is, and the server says what is wrong with it."""
    try:
        number = int(typed) if typed.lstrip("+-").isdigit() else float(typed)
    except ValueError:
        return typed
    # JSON has no word for the others.
    return number if math.isfinite(number) else typed


def as_value(typed: str, kind: str) -> Any:
    """What was typed, as the column's type."""
    if kind == "boolean" and typed.lower() in ("true", "false"):
        return typed.lower() == "true"
    if kind in ("number", "integer"):
        return as_number(typed)
    return typed
