"""All models that the user may see: who answers as champion, how well, and what is next."""

from typing import Any, Final

import streamlit as st

from backend.registry.schemas import CHALLENGER, ChampionOut, ModelOut
from frontend import identity, permission, text
from frontend.address import in_address
from frontend.models_client import ModelQuery
from frontend.pages import PageName, go
from frontend.project_filter import draw_project_filter
from frontend.retraining_runs import state_word
from frontend.state import state
from frontend.tables import clickable_table
from frontend.widgets import page_title

MOST_MODELS: Final = 50
LATEST_RETRAININGS: Final = 200
SORTS: Final = {"-created_at": "newest first", "created_at": "oldest first", "name": "by name"}
COLUMNS: dict[str, Any] = {
    "No.": st.column_config.NumberColumn(width=50, format="%d"),
    "Name": st.column_config.TextColumn(width=140),
    "Versions": st.column_config.NumberColumn(width=70, format="%d"),
    "Champion": st.column_config.TextColumn(width=115),
    "Challenger": st.column_config.TextColumn(width=80),
}


def draw() -> None:
    """The page."""
    page_title("Models", "A model is a fit that others use: it has versions and a champion.")
    names = permission.project_names()
    query = _draw_filters(names)
    models = identity.models_api().models(query)
    if not models:
        filtered = query.project_id or query.name_contains or query.mine
        writes = permission.may_write(identity.current_user())
        none = "Register a fit as a model." if writes else "No model is shared with you yet."
        st.info("No model matches these filters." if filtered else none)
        return
    shown = text.counted(len(models), "model")
    st.caption(shown + ("; the others by filter" * (len(models) == MOST_MODELS)))
    _draw_table(models, names)


def _draw_filters(names: dict[int, str]) -> ModelQuery:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", placeholder="contains …", **in_address("model_name", usual=""))
        project_id = draw_project_filter(names)
        sort = st.selectbox(
            "Order",
            list(SORTS),
            format_func=lambda key: SORTS[key],
            **in_address("order", SORTS, usual=next(iter(SORTS))),
        )
        mine = st.toggle("Only mine", **in_address("my_models", usual=False))
    return ModelQuery(
        project_id=project_id, name_contains=name.strip(), mine=mine, sort=sort, limit=MOST_MODELS
    )


def _draw_table(models: list[ModelOut], names: dict[int, str]) -> None:
    ids = [model.id for model in models]
    last: dict[int, str] = {}
    for run in identity.retraining_api().retrainings(limit=LATEST_RETRAININGS):
        last.setdefault(run.model_id, state_word(run.state))
    state.selected_model = clickable_table(
        [_row(model, last.get(model.id, ""), names) for model in models],
        ids=ids,
        selected=state.selected_model,
        key="models",
        columns=COLUMNS,
        alt="Table of models; the button below opens the chosen number",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = state.selected_model or ids[0]
        number = st.selectbox(
            "Model no.", ids, index=ids.index(default), key=f"model_number.{default}", width=120
        )
        if st.button("Open", type="primary", key="open_model"):
            go(PageName.MODEL, id=number)


def _row(model: ModelOut, retraining: str, names: dict[int, str]) -> dict[str, Any]:
    return {
        "No.": model.id,
        "Name": model.name,
        "Champion": _champion(model.champion),
        "Challenger": _version(model.aliases.get(CHALLENGER)),
        "Versions": model.latest_version,
        "Predicts": f"{model.target}, {model.task}",
        "Retraining": retraining,
        "Project": names.get(model.project_id, ""),
        "By": model.created_by,
        "Added": text.ago(model.created_at),
    }


def _champion(champion: ChampionOut | None) -> str:
    if champion is None:
        return "none"
    figure = text.leading_metric(champion.metrics)
    return f"v{champion.version} · {figure}" if figure else f"v{champion.version}"


def _version(version: int | None) -> str:
    return "" if version is None else f"v{version}"
