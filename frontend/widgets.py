"""Pieces that several pages draw: errors, states, plots."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from types import MappingProxyType
from typing import Final, Literal

import streamlit as st

from backend.fits.schemas import FitOut
from frontend import identity, text
from frontend.client import ApiError, NotThere, Refused, SignedOut, Unreachable
from frontend.routes import PREFIX

Color = Literal["gray", "blue", "green", "red", "orange"]
NO_ANSWER: Final = "The server does not answer. Your form is kept. Try again."
STATE_COLORS: Final[Mapping[str, Color]] = MappingProxyType(
    {
        "queued": "gray",
        "running": "blue",
        "succeeded": "green",
        "failed": "red",
        "cancelled": "orange",
    }
)
UNFINISHED: Final = frozenset({"queued", "running"})


@contextmanager
def errors_shown(place: str, *, live: bool = False) -> Iterator[None]:
    """Turns the API's errors into what happened, what is safe and what to press.

    `live` is for a part that watches the page's own object: when that is gone, the page says so.
    """
    try:
        yield
    except SignedOut:
        identity.expire()
        st.rerun()
    except NotThere as error:
        if live:
            st.rerun()
        show_error(error)
    except ApiError as error:
        show_error(error)
        if isinstance(error, Unreachable):
            st.button("Try again", key=f"again_{place}")


def show_error(error: ApiError) -> None:
    """One error, in words; the page stays as it is."""
    match error:
        case Unreachable():
            st.error(NO_ANSWER)
        case NotThere():
            st.error(text.plain(error.detail))
        case Refused():
            number = f" (request {error.request_id})" if error.status >= 500 else ""
            st.error(text.plain(error.detail + number))
        case _:
            st.error("That did not work. Try again.")


def show_problems(error: ApiError) -> None:
    """All that the server found, each with the column or field that it is about."""
    if not isinstance(error, Refused) or not error.fields:
        show_error(error)
        return
    st.error("\n".join(f"- {text.plain(problem)}" for problem in error.fields.values()))


def state_badge(fit: FitOut) -> None:
    """A fit's state as a word in its colour."""
    st.badge(fit.state.value, color=STATE_COLORS[fit.state.value])


def is_unfinished(fit: FitOut) -> bool:
    """Whether the fit still waits or runs."""
    return fit.state.value in UNFINISHED


def theme() -> Literal["light", "dark"]:
    """The theme that the page is shown in."""
    return "dark" if st.context.theme.type == "dark" else "light"


def plot_image(fit_id: int, kind: str, *, alt: str, width: int = 800, height: int = 600) -> None:
    """A plot behind its same-origin address; never a picture of Streamlit's public store."""
    address = (
        f"{PREFIX}/plots/{fit_id}/{kind}.png?theme={theme()}&width={width * 2}&height={height * 2}"
        "&dpi=200"
    )
    st.html(
        f'<img src="{escape(address)}" alt="{escape(alt)}" width="{width}" height="{height}" '
        'style="width:100%;height:auto;border-radius:0.6rem;display:block">'
    )


def thumbnails(dataset_id: int, version: int, images: Sequence[tuple[int, str]]) -> None:
    """Images of a dataset with their labels, each behind its same-origin address."""
    figures = "".join(
        f'<figure style="margin:0;width:4.5rem"><img loading="lazy" width="72" height="72" '
        f'src="{PREFIX}/datasets/{dataset_id}/{version}/images/{row}.png" '
        f'alt="{escape(f"Image {row}, labelled {label}")}" '
        'style="object-fit:contain;image-rendering:pixelated;border-radius:0.4rem">'
        '<figcaption style="font-size:0.75rem;overflow:hidden;text-overflow:ellipsis;'
        f'white-space:nowrap">{escape(label)}</figcaption></figure>'
        for row, label in images
    )
    st.html(f'<div style="display:flex;flex-wrap:wrap;gap:0.75rem">{figures}</div>')


def page_title(title: str, sentence: str = "") -> None:
    """A page's title (Markdown) and one sentence of state."""
    st.title(title, anchor=False)
    if sentence:
        st.caption(sentence)


def not_there(kind: str, number: int | None) -> None:
    """Absent and not shared read the same."""
    shown = "" if number is None else f" {number}"
    st.error(f"No {kind}{shown}, or it is not shared with you.")
