"""One model: who answers, its versions, a form to try it, and how programs use it."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from backend.registry.schemas import CHALLENGER, CHAMPION, ModelOut
from frontend import identity, permission, text
from frontend.address import draw_tabs
from frontend.batch import draw_batch
from frontend.client import NotThere
from frontend.model_code import draw_code
from frontend.model_settings import draw_settings
from frontend.model_versions import draw_versions
from frontend.moving import draw_move, model_item
from frontend.pages import PageName, link, mlflow_page, number_parameter
from frontend.permission import Access
from frontend.project_filter import draw_project_line
from frontend.retraining_forms import draw_policy, draw_retrain
from frontend.retraining_runs import draw_runs
from frontend.share import draw_share
from frontend.state import state
from frontend.try_it import draw_try_it
from frontend.widgets import Color, errors_shown, not_there, page_title

MIRROR_SECONDS: Final = 3
ALIAS_COLORS: Final[dict[str, Color]] = {CHAMPION: "green", CHALLENGER: "blue"}
OUTPUTS: Final = {
    "regression": "a number",
    "binary": "one of two classes",
    "multiclass": "one of several classes",
}


def draw() -> None:
    """The page; `?id=3` names the model, `?tab=Try it` what is shown of it."""
    model_id = number_parameter("id")
    if model_id is None:
        page_title("Model")
        st.info("Which one? The models are in the list.")
        link(PageName.MODELS, "Models")
        return
    try:
        model = identity.models_api().model(model_id)
        access = permission.access_to(model.project_id)
    except NotThere:
        page_title(f"Model {model_id}")
        if notice := state.pop("notice"):  # it was deleted here
            st.success(text.plain(notice))
            link(PageName.MODELS, "Models")
        else:
            not_there("model", model_id)
        return
    _draw_header(model, access)
    _draw_tabs(model, access)


def _draw_header(model: ModelOut, access: Access) -> None:
    what = f"Predicts {text.plain(model.target)}, {OUTPUTS[model.task]}"
    page_title(
        text.plain(model.name),
        f"Model {model.id} · {what} · by {text.plain(model.created_by)} · "
        f"{text.ago(model.created_at)}",
    )
    draw_project_line(access)
    if model.description:
        st.text(model.description)
    if notice := state.pop("notice"):
        st.success(text.plain(notice))
    with st.container(horizontal=True, vertical_alignment="center", key="model_aliases"):
        for alias, version in sorted(model.aliases.items(), key=lambda entry: entry[0] != CHAMPION):
            st.badge(f"{text.plain(alias)} v{version}", color=ALIAS_COLORS.get(alias, "gray"))
        st.caption(_state_sentence(model))
    with st.container(horizontal=True, vertical_alignment="center", key="model_header_actions"):
        if model.mirror == "recorded":
            _link_mlflow(model)
        else:
            _watch_mirror(model.id)
        if access.may_edit:
            draw_settings(model)
        item = model_item(model.id, model.name)
        draw_share(access, item)
        draw_move(access, item)


def _state_sentence(model: ModelOut) -> str:
    champion = model.aliases.get(CHAMPION)
    count = text.counted(model.latest_version, "version")
    if champion is None:
        return f"{count}. No champion: promote one, so that predictions have somebody to ask."
    return f"{count}. Version {champion} answers whoever does not ask for another."


def _link_mlflow(model: ModelOut) -> None:
    st.link_button("Open in MLflow ↗", mlflow_page(model.mlflow_url))


@st.fragment(run_every=MIRROR_SECONDS)
def _watch_mirror(model_id: int) -> None:
    """Redraws itself alone: somebody may be typing below."""
    with errors_shown("mirror", live=True):
        model = identity.models_api().model(model_id)
        if model.mirror == "recorded":
            _link_mlflow(model)
        else:
            st.caption("Being recorded in MLflow …")


def _draw_tabs(model: ModelOut, access: Access) -> None:
    draws: dict[str, Callable[[], None]] = {
        "Versions": lambda: draw_versions(model, may_edit=access.may_edit),
        "Try it": lambda: draw_try_it(model),
        "Batch": lambda: draw_batch(model),
        "Use it": lambda: draw_code(model),
        "Retraining": lambda: _draw_retraining(model, access),
    }
    if model.kind == "image":
        del draws["Batch"]
    draw_tabs(draws)


def _draw_retraining(model: ModelOut, access: Access) -> None:
    may_change = access.may_edit and identity.current_user().role.value == "admin"
    draw_policy(model, may_change=may_change)
    if may_change:
        draw_retrain(model)
    draw_runs(model_id=model.id, archived=access.project.archived)
