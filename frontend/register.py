"""From a fit to a model: the button on the fit's page, and its dialog."""

import uuid
from dataclasses import dataclass
from typing import Final

import streamlit as st

from backend.fits.schemas import FitOut
from backend.registry.schemas import ModelOut, ModelVersionOut
from frontend import identity, text
from frontend.client import ApiError, NotThere, SignedOut
from frontend.dialogs import close_dialog, is_open, open_dialog
from frontend.models_client import ModelQuery, ModelsApi
from frontend.pages import PageName, go, link
from frontend.state import state
from frontend.widgets import errors_shown, show_error

MOST_MODELS: Final = 100
NEW_MODEL: Final = "A new model"
NEW_VERSION: Final = "A new version of"


@dataclass(frozen=True)
class Registration:
    """What a fit is to the models of its project."""

    models: tuple[ModelOut, ...] = ()
    """Those that it may be a version of."""
    versions: tuple[tuple[ModelOut, int], ...] = ()
    """Those that it is a version of, and which."""

    @property
    def model_name(self) -> str:
        """The model that it goes with; empty where there is none."""
        return self.versions[0][0].name if self.versions else ""


def read_registration(fit: FitOut) -> Registration:
    """Asked anew in each run."""
    if fit.state.value != "succeeded":
        return Registration()
    api = identity.models_api()
    models = _fitting_models(api, fit)
    versions = [
        (model, version.version)
        for model in models
        for version in _versions(api, model)
        if version.fit_id == fit.id
    ]
    return Registration(tuple(models), tuple(versions))


def _versions(api: ModelsApi, model: ModelOut) -> list[ModelVersionOut]:
    """None where the model went to the trash just now."""
    try:
        return api.model_versions(model.id)
    except NotThere:
        return []


def draw_registration(fit: FitOut, registration: Registration, *, may_edit: bool) -> None:
    """A link to the model that the fit is a version of, or the button that makes it one."""
    for model, version in registration.versions:
        link(PageName.MODEL, f"Version {version} of model {text.plain(model.name)}", id=model.id)
    if fit.state.value != "succeeded" or registration.versions or not may_edit:
        return
    if st.button("Register as model", key="register"):
        open_dialog(_dialog(fit))
    if is_registering(fit):
        _register(fit, list(registration.models))


def is_registering(fit: FitOut) -> bool:
    """Whether the dialog is open."""
    return is_open(_dialog(fit))


def _dialog(fit: FitOut) -> str:
    return f"register.{fit.id}"


def _fitting_models(api: ModelsApi, fit: FitOut) -> list[ModelOut]:
    """The models that the fit may be a version of."""
    query = ModelQuery(project_id=fit.project_id, limit=MOST_MODELS)
    return [
        model for model in api.models(query) if (model.target, model.task) == (fit.target, fit.task)
    ]


@st.dialog("Register as model", on_dismiss=close_dialog)
def _register(fit: FitOut, models: list[ModelOut]) -> None:
    with errors_shown("register"):
        st.caption("A version never changes. Its files, rows and figures stay as they are now.")
        as_version = False
        if models:
            kind = st.segmented_control(
                "It becomes",
                [NEW_MODEL, NEW_VERSION],
                default=NEW_VERSION,
                required=True,
                key="register.kind",
            )
            as_version = kind == NEW_VERSION
        if as_version:
            _draw_new_version(fit, models)
        else:
            _draw_new_model(fit)


def _draw_new_version(fit: FitOut, models: list[ModelOut]) -> None:
    names = {model.id: model.name for model in models}
    model_id = st.selectbox(
        "Model", list(names), format_func=lambda number: names[number], key="register.model"
    )
    st.caption("The champion stays what it is until you promote the new version.")
    if not st.button("Add version", type="primary", key="register.add"):
        return
    try:
        version = identity.models_api().add_version(model_id, fit.id)
    except SignedOut:
        raise
    except ApiError as error:
        show_error(error)
        return
    _leave_for(model_id, f"Fit {fit.id} is version {version.version}.", version.version)


def _draw_new_model(fit: FitOut) -> None:
    name = st.text_input("Name", value=fit.target, max_chars=200, key="register.name")
    if not st.button("Register", type="primary", key="register.new"):
        return
    if not name.strip():
        st.error("A model needs a name.")
        return
    state.register_key = state.register_key or uuid.uuid4().hex
    # The same press again, after a lost answer, is the same model; another name is another one.
    key = uuid.uuid5(uuid.UUID(state.register_key), f"{fit.id}.{name}").hex
    try:
        model = identity.models_api().register(name.strip(), fit.id, key=key)
    except SignedOut:
        raise
    except ApiError as error:
        show_error(error)
        return
    state.register_key = ""
    _leave_for(model.id, f"Fit {fit.id} is version 1 of a new model.", 1)


def _leave_for(model_id: int, notice: str, version: int) -> None:
    close_dialog()
    state.notice = notice
    state.selected_version = version
    go(PageName.MODEL, id=model_id)
