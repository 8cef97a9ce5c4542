"""The form's validation: how the score of a fit is found."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal

import streamlit as st

from backend.fits.schemas import FitSummary
from frontend import identity, text
from frontend.fit_form_data import Form
from frontend.fits_client import FitQuery

Kind = Literal[
    "holdout", "kfold", "repeated", "group", "time", "leave_one_out", "same_rows", "none"
]
KINDS: Final[dict[Kind, str]] = {
    "holdout": "Hold-out",
    "kfold": "K-fold",
    "repeated": "Repeated k-fold",
    "group": "Groups",
    "time": "Time series",
    "leave_one_out": "Leave one out",
    "same_rows": "Same rows as another fit",
    "none": "None: fit all rows",
}
HINTS: Final[dict[Kind, str]] = {
    "holdout": "Learns from a part of the rows and is scored on the rest.",
    "kfold": "Each row is held out once; classes are kept in proportion.",
    "repeated": "K-fold with several draws: shows how much the score depends on the draw.",
    "group": "Rows of one group stay together: patients, sites, batches.",
    "time": "Learns from what came before and is scored on what came after.",
    "leave_one_out": "Each row is held out by itself: for small tables.",
    "same_rows": "The split of another fit, row by row: both are scored on the same rows.",
    "none": "For inference only: nothing is scored.",
}
MOST_FITS: Final = 100
# Ids group nothing where each row has its own, but a patient's number is an id as well.
ROW_GROUPS: Final = ("categorical", "boolean", "numeric", "id", "text", "datetime")


def draw_validation(form: Form) -> dict[str, Any]:
    """As the request has it."""
    start = form.start.validation.model_dump()
    key = f"{form.key}.validation"
    with st.expander("Validation: how it is scored"):
        kind = st.selectbox(
            "Scored by",
            list(KINDS),
            index=list(KINDS).index(start["kind"]),
            format_func=lambda name: KINDS[name],
            key=f"{key}.kind",
        )
        st.caption(HINTS[kind])
        asked = start if start["kind"] == kind else {}
        options = _DRAWS[kind](form, asked, f"{key}.{kind}")
        form.fields.room("validation")
    return {"kind": kind, **options}


def _draw_holdout(_form: Form, start: Mapping[str, Any], key: str) -> dict[str, Any]:
    share = st.slider(
        "Hold-out share",
        min_value=5,
        max_value=50,
        value=round(start.get("test_size", 0.2) * 100),
        format="%d %%",
        key=f"{key}.share",
        help="Rows kept for scoring",
    )
    return {"test_size": share / 100, **_draw_shuffle(start, key, "else the last rows are kept")}


def _draw_shuffle(start: Mapping[str, Any], key: str, otherwise: str) -> dict[str, Any]:
    shuffle = st.toggle(
        "Draw at random",
        value=start.get("shuffle", True),
        key=f"{key}.shuffle",
        help=f"With the seed; {otherwise}",
    )
    return {"shuffle": shuffle}


def _draw_number(
    name: str, label: str, bounds: tuple[int, int, int], start: Mapping[str, Any], key: str
) -> dict[str, Any]:
    low, high, usual = bounds
    value = st.number_input(
        label,
        min_value=low,
        max_value=high,
        value=int(start.get(name, usual)),
        step=1,
        key=f"{key}.{name}",
        width=160,
    )
    return {name: value}


_draw_folds = partial(_draw_number, "folds", "Folds", (2, 20, 5))


def _draw_kfold(_form: Form, start: Mapping[str, Any], key: str) -> dict[str, Any]:
    shuffle = _draw_shuffle(start, key, "else the folds follow the file")
    return {**_draw_folds(start, key), **shuffle}


def _draw_repeated(_form: Form, start: Mapping[str, Any], key: str) -> dict[str, Any]:
    with st.container(horizontal=True):
        folds = _draw_folds(start, key)
        return {**folds, **_draw_number("repeats", "Repeats", (2, 20, 3), start, key)}


def _draw_column(
    form: Form,
    label: str,
    start: Mapping[str, Any],
    key: str,
    *,
    needed: bool,
    roles: tuple[str, ...],
) -> dict[str, Any]:
    names = sorted(form.columns_of(*roles), key=lambda name: roles.index(form.column(name).role))
    wanted = start.get("column")
    column = st.selectbox(
        label,
        names,
        index=names.index(wanted) if wanted in names else (0 if needed and names else None),
        placeholder="the order of the file",
        key=f"{key}.column",
    )
    return {} if column is None else {"column": column}


def _draw_group(form: Form, start: Mapping[str, Any], key: str) -> dict[str, Any]:
    column = _draw_column(form, "Group column", start, key, needed=True, roles=ROW_GROUPS)
    return {**column, **_draw_folds(start, key)}


def _draw_time(form: Form, start: Mapping[str, Any], key: str) -> dict[str, Any]:
    roles = ("datetime", "numeric", "id")
    column = _draw_column(form, "Time column", start, key, needed=False, roles=roles)
    with st.container(horizontal=True):
        folds = _draw_folds(start, key)
        gap = _draw_number("gap", "Rows left out in between", (0, 100_000, 0), start, key)
    return {**column, **folds, **gap}


def _draw_nothing(_form: Form, _start: Mapping[str, Any], _key: str) -> dict[str, Any]:
    return {}


def _draw_same_rows(form: Form, start: Mapping[str, Any], key: str) -> dict[str, Any]:
    query = FitQuery(dataset_id=form.dataset.id, state="succeeded", limit=MOST_FITS)
    fits = {
        fit.id: fit
        for fit in identity.fits_api().fits(query)
        if fit.version == form.version and fit.metrics
    }
    if not fits:
        st.info("No fit of this version has a split yet.")
        return {"fit_id": start.get("fit_id", 1)}
    wanted = start.get("fit_id")
    number = st.selectbox(
        "Fit",
        list(fits),
        index=list(fits).index(wanted) if wanted in fits else 0,
        format_func=lambda one: _fit_label(fits[one]),
        key=f"{key}.fit",
    )
    return {"fit_id": number}


def _fit_label(fit: FitSummary) -> str:
    return f"{fit.id} · {fit.name} · {text.ago(fit.created_at)}"


_DRAWS: Final[dict[Kind, Callable[[Form, Mapping[str, Any], str], dict[str, Any]]]] = {
    "holdout": _draw_holdout,
    "kfold": _draw_kfold,
    "repeated": _draw_repeated,
    "group": _draw_group,
    "time": _draw_time,
    "leave_one_out": _draw_nothing,
    "same_rows": _draw_same_rows,
    "none": _draw_nothing,
}


def sentence(validation: Mapping[str, Any], rows: int) -> str:
    """What is done, as plain text."""
    counted = text.counted(rows, "row")
    folds = validation.get("folds")
    match validation["kind"]:
        case "holdout":
            return f"{text.percent(validation['test_size'])} of {counted} are kept for scoring"
        case "kfold":
            return f"{counted} are scored in {folds} folds"
        case "repeated":
            return f"{counted} are scored in {folds} folds, drawn {validation['repeats']} times"
        case "group":
            column = validation.get("column", "no column")
            return f"{counted} are scored in {folds} folds that keep groups of {column} together"
        case "time":
            return f"{counted} are scored in {folds} periods, each by what came before"
        case "leave_one_out":
            return f"each of {counted} is held out once"
        case "same_rows":
            return f"it is scored on the rows of fit {validation['fit_id']}"
        case _:
            return f"all {counted} are fitted, nothing is scored"
