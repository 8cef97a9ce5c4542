"""Every retraining, and what administrators start and plan."""

import streamlit as st

from frontend import identity, permission
from frontend.models_client import ModelQuery
from frontend.retraining_forms import draw_policy, draw_retrain
from frontend.retraining_runs import STATES, draw_runs, state_word

MOST_MODELS = 200


def draw_retraining() -> None:
    """The tab."""
    models = {
        model.id: model
        for model in identity.models_api().models(ModelQuery(sort="name", limit=MOST_MODELS))
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run_state = st.selectbox(
            "State",
            STATES,
            index=None,
            format_func=state_word,
            key="retraining_state",
            placeholder="any",
        )
        model_id = st.selectbox(
            "Model",
            list(models),
            index=None,
            format_func=lambda number: f"{number} · {models[number].name}",
            key="retraining_model",
            placeholder="any",
        )
    if model_id is None:
        st.caption("Choose a model to retrain it or to change its schedule.")
    else:
        access = permission.access_to(models[model_id].project_id)
        permission.draw_why_not(access)
        draw_policy(models[model_id], may_change=access.may_edit)
        if access.may_edit:
            draw_retrain(models[model_id])
    draw_runs(model_id=model_id, run_state=run_state, with_model=True)
