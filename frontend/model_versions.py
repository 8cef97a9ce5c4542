"""The versions of a model: compare with the champion, promote, roll back."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import streamlit as st

from backend.registry.schemas import CHAMPION, ModelOut, ModelVersionOut
from frontend import identity, text
from frontend.dialogs import close_dialog, confirm_with_reason, is_open, open_dialog
from frontend.fit_data import draw_dataset_of
from frontend.model_aliases import draw_history, draw_other_aliases
from frontend.pages import PageName, link
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown

SHORT_DIGEST: Final = 12
COLUMNS: dict[str, Any] = {
    "Version": st.column_config.NumberColumn(width=70, format="%d"),
    "From": st.column_config.TextColumn(width=220),
}


def draw_versions(model: ModelOut, *, may_edit: bool) -> None:
    """The tab."""
    api = identity.models_api()
    versions = {version.version: version for version in api.model_versions(model.id)}
    champion = versions.get(model.aliases.get(CHAMPION, 0))
    selected = _draw_table(list(versions.values()))
    with st.container(horizontal=True, vertical_alignment="bottom", key="model_actions"):
        chosen = versions[_draw_choice(list(versions), selected)]
        if may_edit:
            _draw_actions(model, chosen, champion)
    _draw_version(chosen, champion)
    if may_edit:
        draw_other_aliases(model, chosen.version)
    draw_history(model.id)


def _draw_table(versions: list[ModelVersionOut]) -> int | None:
    numbers = [version.version for version in versions]
    known = state.selected_version if state.selected_version in numbers else None
    state.selected_version = clickable_table(
        [_row(version) for version in versions],
        ids=numbers,
        selected=known,
        key="versions",
        columns=COLUMNS,
        alt="Table of versions; the box below chooses one by its number",
    )
    return state.selected_version


def _draw_choice(numbers: list[int], selected: int | None) -> int:
    default = selected or numbers[0]
    chosen: int = st.selectbox(
        "Version",
        numbers,
        index=numbers.index(default),
        key=f"version_number.{default}",
        width=120,
    )
    return chosen


def _row(version: ModelVersionOut) -> dict[str, Any]:
    leading = next((name for name in text.LEADING_METRICS if name in version.metrics), None)
    figures = {text.METRIC_TITLES[leading]: version.metrics[leading]} if leading else {}
    return {
        "Version": version.version,
        "Aliases": ", ".join(version.aliases),
        **figures,
        "Estimator": version.estimator.replace("_", " "),
        "Dataset": f"{version.dataset_name} v{version.dataset_version}",
        "From": version.fit_name,
        "Made by": "retraining" if version.origin == "retraining" else version.created_by,
        "Added": text.ago(version.created_at),
    }


def _draw_actions(
    model: ModelOut, chosen: ModelVersionOut, champion: ModelVersionOut | None
) -> None:
    promote, back = f"promote.{model.id}", f"rollback.{model.id}"
    target = model.rollback_to
    is_champion = champion is not None and champion.version == chosen.version
    if st.button(
        f"Promote version {chosen.version}",
        type="primary",
        key="promote",
        disabled=is_champion,
        help="It is the champion already" if is_champion else None,
    ):
        open_dialog(promote)
    if target is not None and st.button(f"Roll back to version {target}", key="rollback"):
        open_dialog(back)
    if is_open(promote):
        _promote(model, chosen, champion)
    if is_open(back) and target is not None:
        _roll_back(model, target)


@st.dialog("Promote", width="medium", on_dismiss=close_dialog)
def _promote(model: ModelOut, chosen: ModelVersionOut, champion: ModelVersionOut | None) -> None:
    with errors_shown("promote"):
        now = "There is no champion yet." if champion is None else ""
        st.markdown(
            f"Version **{chosen.version}** becomes the champion. {now} "
            "Predictions follow with the next request; you can roll back at any time."
        )
        draw_comparison(chosen, champion)
        confirm_with_reason(
            f"Make version {chosen.version} the champion",
            partial(_do_promote, model.id, chosen.version),
            key="promote",
            hint="Smaller error on the new data",
        )


def _do_promote(model_id: int, version: int, reason: str) -> str:
    identity.models_api().point_alias(model_id, CHAMPION, version, reason)
    return f"Version {version} is the champion."


@st.dialog("Roll back", on_dismiss=close_dialog)
def _roll_back(model: ModelOut, target: int) -> None:
    now = model.aliases.get(CHAMPION)
    with errors_shown("rollback"):
        rest = f"; version **{now}** stays a version and can be promoted again" if now else ""
        st.markdown(f"Version **{target}** becomes the champion again{rest}.")
        confirm_with_reason(
            f"Roll back to version {target}",
            partial(_do_roll_back, model.id),
            key="rollback",
            hint="Version 4 is wrong for small values",
        )


def _do_roll_back(model_id: int, reason: str) -> str:
    answer = identity.models_api().roll_back(model_id, reason)
    return f"Version {answer.version} is the champion again."


def draw_comparison(chosen: ModelVersionOut, champion: ModelVersionOut | None) -> None:
    """The metrics of a version beside those of the champion."""
    if champion is None or champion.version == chosen.version:
        draw_metrics({f"Version {chosen.version}": chosen.metrics})
        return
    same = (chosen.dataset_id, chosen.dataset_digest) == (
        champion.dataset_id,
        champion.dataset_digest,
    )
    columns = {
        f"Version {chosen.version}": chosen.metrics,
        f"Champion, version {champion.version}": champion.metrics,
    }
    # On different rows the higher figure is not the better version.
    draw_metrics(columns, judged=same)
    if not same:
        st.caption(
            "Each was scored on the hold-out of its own data, so the figures do not tell which is "
            "better. A retraining compares both on the same rows."
        )


def draw_metrics(columns: Mapping[str, Mapping[str, float]], *, judged: bool = True) -> None:
    """A small table: one row per metric, one column each, and, if judged, which is better."""
    titles = list(columns)
    rows = []
    for name, title in text.METRIC_TITLES.items():
        values = [metrics.get(name) for metrics in columns.values()]
        if values[0] is None:
            continue
        row = {"Metric": title}
        row.update(zip(titles, (text.number(value) for value in values), strict=True))
        if judged and len(values) > 1 and values[1] is not None:
            row["Better"] = _better(name, values[0], values[1], titles)
        rows.append(row)
    if not rows:
        st.caption("Nothing was scored: all rows were fitted.")
        return
    st.table(rows, border="horizontal")


def _better(name: str, first: float, second: float, titles: list[str]) -> str:
    if first == second:
        return "same"
    return titles[0] if (first < second) is (name in text.LESS_IS_BETTER) else titles[1]


def _draw_version(version: ModelVersionOut, champion: ModelVersionOut | None) -> None:
    with st.container(border=True, key="version_details"):
        st.subheader(f"Version {version.version}", anchor=False)
        draw_comparison(version, champion)
        label = f"Fit {version.fit_id} · {text.plain(version.fit_name)}"
        link(PageName.FIT, label, id=version.fit_id)
        data = f"Dataset {version.dataset_id} · {text.plain(version.dataset_name)}"
        label = f"{data}, version {version.dataset_version}"
        draw_dataset_of(version.dataset_id, version.dataset_version, label)
        parameters = ", ".join(f"{name} = {value}" for name, value in version.params.items())
        estimator = version.estimator.replace("_", " ")
        st.caption(
            f"{text.plain(estimator)} · {text.plain(parameters) or 'no parameters'} · "
            f"data `{version.dataset_digest[:SHORT_DIGEST]}`"
        )
        if version.mlflow_run_id is not None:
            st.caption(
                f"MLflow run `{version.mlflow_run_id}`"
                + (f", version {version.mlflow_version} there" if version.mlflow_version else "")
            )
