"""Widgets whose value is kept in the page's address.

Not by Streamlit's `bind="query-params"`: whoever leaves a page with a bound parameter leaves an
entry without any parameter in the browser's history, and Back comes to a page of nothing (1.67).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from frontend.state import state
from frontend.widgets import errors_shown


def in_address(key: str, options: Iterable[Any] = (), *, usual: Any = None) -> dict[str, Any]:
    """What a widget is to be called with; the address says what it holds.

    Parameters
    ----------
    key
        Of the widget, and the name of the parameter.
    options
        Among which is chosen; none where everything may be typed.
    usual
        What is held where the address says nothing; it is not written there.
    """
    state.put_widget(key, _read(st.query_params.get(key), list(options), usual))
    return {"key": key, "on_change": partial(_write, key, usual)}


def _read(text: str | None, options: list[Any], usual: Any) -> Any:
    if text is None:
        return usual
    if isinstance(usual, bool):
        return text == "true"
    if options:
        return next((option for option in options if str(option) == text), usual)
    return text


def _write(key: str, usual: Any) -> None:
    value = state.widget(key)
    if value == usual:
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = str(value).lower() if isinstance(value, bool) else str(value)


def draw_tabs(draws: Mapping[str, Callable[[], None]], *, key: str = "tab") -> None:
    """Only the open tab is drawn: the others ask the API for nothing."""
    names = list(draws)
    tabs = st.tabs(names, **in_address(key, names, usual=names[0]))
    for tab, (name, draw_tab) in zip(tabs, draws.items(), strict=True):
        if tab.open:
            with tab, errors_shown(f"{key}_{name}"):
                draw_tab()
