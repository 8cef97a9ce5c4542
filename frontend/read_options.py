"""How a file is to be read: what somebody knows better than the file shows, and what was found."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from backend.datasets.schemas import FileFormat, ReadOptions, SourceOut
from frontend import text
from frontend.state import state

AUTOMATIC: Final = "found out"
FORMATS: Final[Mapping[FileFormat, str]] = {
    "csv": "text with a delimiter",
    "json_lines": "JSON lines",
    "json": "JSON",
    "parquet": "Parquet",
    "arrow": "Arrow or Feather",
    "excel": "Excel",
    "images": "images",
}
DELIMITERS: Final[Mapping[str, str]] = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "vertical bar",
    " ": "blank",
}
COMPRESSIONS: Final = {"gzip": "gzip", "zstd": "Zstandard"}
CHOSEN_FORMATS: Final[tuple[FileFormat, ...]] = (
    "csv",
    "json_lines",
    "json",
    "parquet",
    "arrow",
    "excel",
)
ENCODINGS: Final = ("utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "utf-16", "shift_jis")


def draw_read_options(place: str, *, proposed: str = "") -> ReadOptions:
    """An expander; what is chosen stays until a file came in.

    It is open where an encoding was proposed, which is chosen once and may be changed.
    """
    if proposed and (encoding := state.pop("proposed_encoding")):
        state.put_widget(f"{place}.{state.options_round}.encoding", encoding)
    with st.expander("Options", key=f"{place}.options", expanded=bool(proposed)):
        st.caption("All of it is found out from the file. Say it where that went wrong.")
        return draw_option_fields(place, format_too=True)


def draw_option_fields(
    place: str,
    *,
    now: SourceOut | None = None,
    format_too: bool = False,
) -> ReadOptions:
    """The fields alone; `now` is how the file was read before."""
    key = f"{place}.{state.options_round}"
    form: FileFormat | None = None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if format_too:
            form = st.selectbox(
                "Format",
                CHOSEN_FORMATS,
                index=None,
                format_func=lambda name: FORMATS[name],
                key=f"{key}.format",
                placeholder=AUTOMATIC,
            )
        kind = now.format if now else form
        values: dict[str, Any] = {"format": form}
        if kind in (None, "csv"):
            values["delimiter"] = _draw_delimiter(key)
        if kind in (None, "csv", "json_lines", "json"):
            values["encoding"] = _draw_encoding(key)
        if kind in (None, "excel"):
            values["sheet"] = _draw_sheet(key, now)
    return ReadOptions.model_construct(**{name: value or None for name, value in values.items()})


def _draw_delimiter(key: str) -> str | None:
    chosen: str | None = st.selectbox(
        "Delimiter",
        list(DELIMITERS),
        index=None,
        format_func=lambda mark: DELIMITERS.get(mark, mark),
        accept_new_options=True,
        key=f"{key}.delimiter",
        placeholder=AUTOMATIC,
        help="Or type another one",
    )
    return chosen


def _draw_encoding(key: str) -> str | None:
    chosen: str | None = st.selectbox(
        "Encoding",
        ENCODINGS,
        index=None,
        accept_new_options=True,
        key=f"{key}.encoding",
        placeholder=AUTOMATIC,
        help="Or type another one",
    )
    return chosen


def _draw_sheet(key: str, now: SourceOut | None) -> str | None:
    if now and now.sheets:
        return _draw_known_sheet(key, now.sheets, now.sheet)
    return st.text_input("Sheet", key=f"{key}.sheet", placeholder="the first one").strip()


def _draw_known_sheet(key: str, sheets: Sequence[str], sheet: str | None) -> str | None:
    chosen: str = st.selectbox(
        "Sheet",
        sheets,
        index=sheets.index(sheet) if sheet in sheets else 0,
        key=f"{key}.sheet",
    )
    return chosen


def delimiter_name(delimiter: str | None) -> str:
    """In words where there is one."""
    return DELIMITERS.get(delimiter, delimiter) if delimiter else ""


def how_read(source: SourceOut | None) -> str:
    """One line on how an upload was read, as Markdown; empty where nothing is known."""
    if source is None:
        return ""
    parts = [FORMATS[source.format]]
    if source.compression:
        parts.append(f"compressed with {COMPRESSIONS[source.compression]}")
    if source.delimiter:
        parts.append(f"delimiter {delimiter_name(source.delimiter)}")
    if source.encoding:
        parts.append(source.encoding)
    if source.sheet:
        others = len(source.sheets or []) - 1
        more = f" ({text.counted(others, 'other sheet')})" if others > 0 else ""
        parts.append(f"sheet {source.sheet}{more}")
    return text.plain(", ".join(parts))
