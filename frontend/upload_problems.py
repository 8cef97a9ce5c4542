"""Why an upload was refused: in plain words, with the line of the file that is to blame."""

import re
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from backend.datasets.schemas import ReadOptions
from frontend import text
from frontend.client import ApiError, Refused
from frontend.state import UploadProblem

NOTHING_STORED: Final = "Nothing was stored."
CORRECT_IT: Final = "Correct the file and drop it again, or say how to read it in the options."
TOO_LARGE: Final = 413
NO_ROOM: Final = "quota_exceeded"
# As the API names the place: `file.line.1204`, perhaps with a column behind.
LINE: Final = re.compile(r"file\.line\.(\d+)(?:\..*)?")
# As the API proposes it to whoever sends the form field.
PROPOSAL: Final = re.compile(r"send it again with encoding=([\w.-]*\w)")
PROPOSED: Final = r"\1 is chosen in the options, press Send it again"
SHOWN_CHARACTERS: Final = 200
FARTHEST_LINE: Final = 5_000_000
GZIP: Final = b"\x1f\x8b"
HEAD_BYTES: Final = 1_000


def upload_problem(file: UploadedFile, options: ReadOptions, error: ApiError) -> UploadProblem:
    """What happened, what is safe and what to do."""
    name = text.plain(file.name)
    if not isinstance(error, Refused):
        markdown = (
            f"**{name}**: the server does not answer. {NOTHING_STORED} "
            "Send it again: a repeated upload is not stored twice."
        )
        return UploadProblem(file.file_id, markdown)
    proposed = PROPOSAL.search(error.detail)
    markdown = f"**{name}**: {_reason(error)}  \n{NOTHING_STORED} {_advice(error)}"
    encoding = proposed[1] if proposed else ""
    return UploadProblem(file.file_id, markdown, _lines(file, options, error), encoding)


def _reason(error: Refused) -> str:
    """As Markdown; where several things are wrong, each with its field."""
    several = [
        f"{name}: {problem}"
        for name, problem in error.fields.items()
        if problem != error.detail and problem not in error.detail
    ]
    told = (PROPOSAL.sub(PROPOSED, line) for line in (error.detail, *several))
    return "  \n".join(map(text.plain, told))


def _advice(error: Refused) -> str:
    if error.code == NO_ROOM:
        return "Delete datasets for good in the trash to make room."
    return "Take fewer rows or columns." if error.status == TOO_LARGE else CORRECT_IT


def _lines(file: UploadedFile, options: ReadOptions, error: Refused) -> str:
    """The line to blame below the first one; empty where none is."""
    found = next(filter(None, map(LINE.fullmatch, error.fields)), None)
    if found is None or int(found[1]) > FARTHEST_LINE:
        return ""
    wanted = int(found[1])
    first, blamed = b"", b""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(GZIP) or b"\0" in head:
        return ""
    for number, line in enumerate(file, start=1):
        if number == 1:
            first = line
        if number == wanted:
            blamed = line
            break
    file.seek(0)
    shown = {1: first, wanted: blamed}
    return "\n".join(f"{number:>8,}  {_text(shown[number], options)}" for number in shown)


def _text(line: bytes, options: ReadOptions) -> str:
    try:
        decoded = line.decode(options.encoding or "utf-8", "replace")
    except (LookupError, UnicodeError):  # no codec, or none of text
        decoded = line.decode("utf-8", "replace")
    decoded = decoded.rstrip("\r\n")
    cut = " …" if len(decoded) > SHOWN_CHARACTERS else ""
    return decoded[:SHOWN_CHARACTERS].replace("\t", "→") + cut


def draw_upload_problem(problem: UploadProblem) -> None:
    """The problem, near the drop zone."""
    st.error(problem.markdown)
    if problem.lines:
        st.code(problem.lines, language=None)
