"""What pages ask the API for again and again, kept per user for a short while."""

from datetime import timedelta

from backend.datasets.profile_schemas import ProfileOut
from backend.fits.schemas import EstimatorOut
from backend.serving.schemas import SchemaOut
from frontend.caching import cached_per_user
from frontend.client import Api
from frontend.models_client import ModelsApi


@cached_per_user(ttl=timedelta(hours=1))
def estimators(api: Api) -> list[EstimatorOut]:
    """The catalogue."""
    return api.estimators().items


@cached_per_user(ttl=timedelta(hours=1))
def profile(api: Api, dataset_id: int, version: int) -> ProfileOut:
    """The columns of a version, which never change."""
    return api.profile(dataset_id, version)


@cached_per_user(ttl=timedelta(hours=1))
def plot_texts(api: Api, fit_id: int, kind: str) -> tuple[str, str, str, str]:
    """Title, verdict, advice and description of a plot; a finished fit's never change."""
    plot = api.plot(fit_id, kind)
    return plot.title, plot.verdict, plot.advice, plot.alt


@cached_per_user(ttl=timedelta(hours=1))
def model_schema(api: ModelsApi, model_id: int, version: int) -> SchemaOut:
    """The inputs and the output of a version, which never change."""
    return api.model_schema(model_id, version)
