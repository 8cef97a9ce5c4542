"""The versions of a model: compare with the champion, promote, roll back, and who did what."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

import streamlit as st

from backend.registry.schemas import CHAMPION, AliasChangeOut, ModelOut, ModelVersionOut
from frontend import identity, text
from frontend.dialogs import close_dialog, confirm_with_reason, is_open, open_dialog
from frontend.pages import PageName, link
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import errors_shown

MOST_CHANGES: Final = 200
SHORT_DIGEST: Final = 12
CHANGES: Final = {
    "set": "set",
    "rollback": "rolled back",
    "removed": "taken away",
    "retraining": "by retraining",
}
COLUMNS: dict[str, Any] = {
    "Version": st.column_config.NumberColumn(width=70, format="%d"),
    "From": st.column_config.TextColumn(width=220),
}


def draw_versions(model: ModelOut, *, may_edit: bool) -> None:
    """The tab."""
    api = identity.models_api()
    versions = {version.version: version for version in api.model_versions(model.id)}
    changes = api.alias_changes(model.id, limit=MOST_CHANGES)
    champion = versions.get(model.aliases.get(CHAMPION, 0))
    selected = _draw_table(list(versions.values()))
    with st.container(horizontal=True, vertical_alignment="bottom", key="model_actions"):
        chosen = versions[_draw_choice(list(versions), selected)]
        if may_edit:
            _draw_actions(model, chosen, champion, changes)
    _draw_version(chosen, champion)
    _draw_history(changes)


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
    model: ModelOut,
    chosen: ModelVersionOut,
    champion: ModelVersionOut | None,
    changes: list[AliasChangeOut],
) -> None:
    promote, back = f"promote.{model.id}", f"rollback.{model.id}"
    target = rollback_target(changes)
    is_champion = champion is not None and champion.version == chosen.version
    if st.button(
        f"Promote version {chosen.version}",
        type="primary",
        key="promote",
        disabled=is_champion,
        help="It is the champion already" if is_champion else None,
    ):
        open_dialog(promote)
    can_go_back = champion is not None and target is not None
    if can_go_back and st.button(f"Roll back to version {target}", key="rollback"):
        open_dialog(back)
    if is_open(promote):
        _promote(model, chosen, champion)
    if is_open(back) and champion is not None and target is not None:
        _roll_back(model, champion.version, target)


def rollback_target(changes: Iterable[AliasChangeOut]) -> int | None:
    """Where the API's rollback would lead, from the champion's moves, the newest first."""
    steps: list[int | None] = []
    moves = [change for change in changes if change.alias == CHAMPION]
    for change in reversed(moves):
        if change.kind != "rollback":
            steps.append(change.to_version)
        elif steps:
            steps.pop()
    return steps[-2] if len(steps) > 1 else None


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
def _roll_back(model: ModelOut, now: int, target: int) -> None:
    with errors_shown("rollback"):
        st.markdown(
            f"Version **{target}** becomes the champion again; version **{now}** stays a version "
            "and can be promoted again."
        )
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
    draw_metrics(
        {
            f"Version {chosen.version}": chosen.metrics,
            f"Champion, version {champion.version}": champion.metrics,
        }
    )
    same = (chosen.dataset_id, chosen.dataset_digest) == (
        champion.dataset_id,
        champion.dataset_digest,
    )
    if not same:
        st.caption(
            "Each was scored on the hold-out of its own data, so the figures compare roughly. "
            "A retraining compares both on the same rows."
        )


def draw_metrics(columns: Mapping[str, Mapping[str, float]]) -> None:
    """A small table: one row per metric, one column each, and which is better."""
    titles = list(columns)
    rows = []
    for name, title in text.METRIC_TITLES.items():
        values = [metrics.get(name) for metrics in columns.values()]
        if values[0] is None:
            continue
        row = {"Metric": title}
        row.update(zip(titles, (text.number(value) for value in values), strict=True))
        if len(values) > 1 and values[1] is not None:
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
        link(
            PageName.DATASET,
            f"{data}, version {version.dataset_version}",
            id=version.dataset_id,
            v=version.dataset_version,
        )
        parameters = ", ".join(f"{name} = {value}" for name, value in version.params.items())
        st.caption(
            f"{text.plain(version.estimator)} · {text.plain(parameters) or 'no parameters'} · "
            f"data `{version.dataset_digest[:SHORT_DIGEST]}`"
        )
        if version.mlflow_run_id is not None:
            st.caption(
                f"MLflow run `{version.mlflow_run_id}`"
                + (f", version {version.mlflow_version} there" if version.mlflow_version else "")
            )


def _draw_history(changes: list[AliasChangeOut]) -> None:
    with st.expander(f"History of the aliases · {text.counted(len(changes), 'move')}"):
        if not changes:
            st.caption("No alias was ever set.")
            return
        rows = [
            {
                "When": text.ago(change.changed_at),
                "Alias": change.alias,
                "From": _version(change.from_version),
                "To": _version(change.to_version),
                "How": CHANGES[change.kind],
                "Why": change.reason,
                "Who": change.changed_by,
            }
            for change in changes
        ]
        st.dataframe(rows, hide_index=True, alt="Moves of the aliases, the newest first")


def _version(version: int | None) -> str:
    return "-" if version is None else f"v{version}"
