"""The form's preprocessing: target, weights, single columns, and features made of columns."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from backend.fits.schemas import EstimatorOut
from frontend import text
from frontend.fit_form_data import Form, Task

TRANSFORMS: Final = {"none": "None", "log": "Logarithm", "yeo_johnson": "Yeo-Johnson"}
AS_GIVEN: Final = "as given"
USUAL: Final = "usual"
# By the name in the request: the column's title and what may be chosen.
TREATMENTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "role": ("Read as", ("numeric", "categorical", "datetime", "text")),
    "impute": ("Missing values", ("median", "mean", "most_frequent", "constant", "drop_rows")),
    "scale": ("Scale", ("standard", "robust", "minmax", "none")),
    "transform": ("Transform", ("none", "log", "sqrt", "yeo_johnson", "quantile")),
    "encode": ("Encode", ("one_hot", "ordinal", "target")),
}
FILL: Final = "Fill with"
MOST_ROWS: Final = 500
Step = dict[str, Any]


def draw_preprocessing(
    form: Form, target: str, task: Task, estimator: EstimatorOut, features: list[str] | None
) -> dict[str, Any]:
    """Its fields of the request."""
    if form.dataset.kind == "image":
        return {}
    with st.expander("Preprocessing: target, weights, columns, features"):
        wanted = {
            **_draw_target(form, task, estimator),
            **_draw_weights(form, target, estimator),
            "preprocessing": {
                "columns": _draw_columns(form, target, features),
                "features": _draw_steps(form, target),
                **_draw_common(form),
            },
        }
        form.fields.room("preprocessing")
    return wanted


def _draw_target(form: Form, task: Task, estimator: EstimatorOut) -> dict[str, Any]:
    if task == "regression":
        transform = st.segmented_control(
            "Transform the target",
            list(TRANSFORMS),
            default=form.start.target_transform,
            required=True,
            format_func=lambda name: TRANSFORMS[name],
            key=f"{form.key}.target_transform",
            help="The fit learns the transformed target; predictions are turned back",
        )
        form.fields.room("target_transform")
        return {"target_transform": transform}
    if not estimator.takes_weights:
        return {}
    given = form.start.class_weight
    options = ["none", "balanced", *([AS_GIVEN] if isinstance(given, dict) else [])]
    chosen = st.segmented_control(
        "Weigh the classes",
        options,
        default=AS_GIVEN if isinstance(given, dict) else given,
        required=True,
        key=f"{form.key}.class_weight",
        help="Balanced: rare classes count as much as frequent ones",
    )
    form.fields.room("class_weight")
    return {"class_weight": given if chosen == AS_GIVEN else chosen}


def _draw_weights(form: Form, target: str, estimator: EstimatorOut) -> dict[str, Any]:
    if not estimator.takes_weights:
        st.caption("This estimator takes no weights of rows.")
        return {}
    names = [name for name in form.columns_of("numeric") if name != target]
    wanted = form.start.weights
    weights = st.selectbox(
        "Weights of the rows",
        names,
        index=names.index(wanted) if wanted in names else None,
        placeholder="none: all rows count the same",
        key=f"{form.key}.weights",
    )
    form.fields.room("weights")
    return {"weights": weights}


def _draw_common(form: Form) -> dict[str, Any]:
    start = form.start.preprocessing
    with st.container(horizontal=True, vertical_alignment="bottom"):
        most = st.number_input(
            "Most categories",
            min_value=2,
            max_value=1_000,
            value=start.max_categories,
            key=f"{form.key}.max_categories",
            help="Categories of a column with a feature of their own; the rest share one",
            width=160,
        )
        marks = st.toggle(
            "Mark what was missing",
            value=start.missing_indicators,
            key=f"{form.key}.missing_indicators",
        )
    return {"max_categories": most, "missing_indicators": marks}


def _draw_columns(form: Form, target: str, features: list[str] | None) -> dict[str, Any]:
    """A row per column; answers those that differ from the usual treatment."""
    start = form.start.preprocessing.model_dump()["columns"]
    names = [
        column.name
        for column in form.profile.columns
        if column.name != target
        and (column.left_out_because is None if features is None else column.name in features)
    ]
    with st.container():
        st.markdown("**Single columns**")
        if len(names) > MOST_ROWS:
            st.caption(f"The first {MOST_ROWS} of {text.counted(len(names), 'column')}.")
        edited = st.data_editor(
            [_column_row(name, start.get(name, {})) for name in names[:MOST_ROWS]],
            hide_index=True,
            disabled=["Column"],
            column_config={
                title: st.column_config.SelectboxColumn(options=[USUAL, *options], required=True)
                for title, options in TREATMENTS.values()
            },
            key=f"{form.key}.{target}.columns.{len(names)}",
            alt="How each column is prepared; usual means by its role and the estimator",
        )
    treated = {row["Column"]: _treatment(row) for row in edited}
    # Those beyond the table stay as an earlier fit had them.
    kept = {name: entry for name, entry in start.items() if name in names[MOST_ROWS:]}
    return {**kept, **{name: entry for name, entry in treated.items() if entry}}


def _column_row(name: str, treatment: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {
        title: treatment.get(field) or USUAL for field, (title, _options) in TREATMENTS.items()
    }
    fill = treatment.get("fill_value")
    return {"Column": name, **chosen, FILL: "" if fill is None else str(fill)}


def _treatment(row: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {
        field: row[title]
        for field, (title, _options) in TREATMENTS.items()
        if row[title] not in (None, USUAL)
    }
    typed = str(row[FILL] or "").strip()
    return {**chosen, "fill_value": _number_or_text(typed)} if typed else chosen


def _number_or_text(typed: str) -> float | str:
    try:
        return float(typed)
    except ValueError:
        return typed


def _draw_steps(form: Form, target: str) -> list[Step]:
    """Features made of columns; empty rows make none."""
    start = [step.model_dump() for step in form.start.preprocessing.features]
    usable = [
        column.name
        for column in form.profile.columns
        if column.name != target and column.role in ("numeric", "categorical", "boolean")
    ]
    numeric = [name for name in form.columns_of("numeric") if name != target]
    st.markdown("**Features made of columns**")
    steps = [
        _draw_step(form, start, "polynomial", "Polynomial of", numeric, _POLYNOMIAL),
        _draw_step(form, start, "spline", "Spline of", numeric, _SPLINE),
        _draw_step(form, start, "interactions", "Products of each pair of", usable, ()),
    ]
    made = [step for step in steps if step is not None]
    # The form has one of each kind; what an earlier fit had more of goes along.
    return made + [step for step in start if step is not _first(start, step["kind"])]


_POLYNOMIAL: Final = (("degree", "Degree", 2, 10, 2),)
_SPLINE: Final = (("knots", "Knots", 2, 50, 5), ("degree", "Degree", 1, 5, 3))


def _first(steps: Sequence[Step], kind: str) -> Step:
    return next((step for step in steps if step["kind"] == kind), {})


def _draw_step(
    form: Form,
    steps: Sequence[Step],
    kind: str,
    label: str,
    names: list[str],
    options: Sequence[tuple[str, str, int, int, int]],
) -> Step | None:
    start = _first(steps, kind)
    key = f"{form.key}.{kind}"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        columns = st.multiselect(
            label,
            names,
            default=[name for name in start.get("columns", ()) if name in names],
            placeholder="no column",
            key=f"{key}.columns",
        )
        numbers = {
            name: st.number_input(
                title, low, high, value=start.get(name, usual), key=f"{key}.{name}", width=110
            )
            for name, title, low, high, usual in options
        }
    return {"kind": kind, "columns": columns, **numbers} if columns else None
