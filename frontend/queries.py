"""What pages ask the API for again and again, kept per user for a short while."""

from datetime import timedelta
from typing import Final

from backend.accounts.schemas import UserOut
from backend.datasets.schemas import ProfileOut
from backend.fits.schemas import EstimatorOut
from backend.serving.schemas import SchemaOut
from frontend.caching import cached_per_user
from frontend.client import Api
from frontend.models_client import ModelsApi

EDITING_ROLES: Final = frozenset({"owner", "editor"})


@cached_per_user(ttl=timedelta(hours=1))
def estimators(api: Api) -> list[EstimatorOut]:
    """The catalogue."""
    return api.estimators().items


@cached_per_user(ttl=timedelta(hours=1))
def profile(api: Api, dataset_id: int, version: int) -> ProfileOut:
    """The columns of a version, which never change."""
    return api.profile(dataset_id, version)


@cached_per_user(ttl=timedelta(minutes=1))
def editable_projects(api: Api) -> set[int]:
    """Where the user may change things."""
    return {
        project.id
        for project in api.projects()
        if project.my_role is not None and project.my_role.value in EDITING_ROLES
    }


@cached_per_user(ttl=timedelta(hours=1))
def plot_texts(api: Api, fit_id: int, kind: str) -> tuple[str, str, str, str]:
    """Title, verdict, advice and description of a plot; a finished fit's never change."""
    plot = api.plot(fit_id, kind)
    return plot.title, plot.verdict, plot.advice, plot.alt


@cached_per_user(ttl=timedelta(hours=1))
def model_schema(api: ModelsApi, model_id: int, version: int) -> SchemaOut:
    """The inputs and the output of a version, which never change."""
    return api.model_schema(model_id, version)


def may_write(user: UserOut) -> bool:
    """Whether the user may make anything at all."""
    return user.role.value != "viewer"


def may_edit(api: Api, user: UserOut, project_id: int) -> bool:
    """Whether the user may change what is in the project."""
    if not may_write(user):
        return False
    if user.role.value == "admin":
        return True
    return project_id in editable_projects(api)
