"""What pages ask the API for again and again, kept per user for a short while."""

from datetime import timedelta

from backend.datasets.profile_schemas import ProfileOut, VersionDiff
from backend.fits.schemas import EstimatorOut
from backend.serving.schemas import SchemaOut
from frontend.caching import cached_per_user
from frontend.client import Api
from frontend.datasets_client import DatasetsApi
from frontend.models_client import ModelsApi


@cached_per_user(ttl=timedelta(hours=1))
def estimators(api: Api) -> list[EstimatorOut]:
    """The catalogue."""
    return api.estimators().items


class _Unfinished(Exception):
    """Carries a profile past the cache."""

    def __init__(self, profile: ProfileOut) -> None:
        super().__init__(profile.state)
        self.profile = profile


@cached_per_user(ttl=timedelta(hours=1))
def _ready_profile(
    api: DatasetsApi, dataset_id: int, version: int, target: str | None
) -> ProfileOut:
    """A ready profile never changes."""
    found = api.profile(dataset_id, version, target)
    if found.state != "ready":
        raise _Unfinished(found)
    return found


def profile(
    api: DatasetsApi, dataset_id: int, version: int, target: str | None = None
) -> ProfileOut:
    """The columns of a version; with associations where a target is named."""
    try:
        return _ready_profile(api, dataset_id, version, target)
    except _Unfinished as unfinished:
        return unfinished.profile


@cached_per_user(ttl=timedelta(hours=1))
def version_diff(api: DatasetsApi, dataset_id: int, before: int, after: int) -> VersionDiff:
    """What changed from one version to another; neither ever changes."""
    return api.diff(dataset_id, before, after)


@cached_per_user(ttl=timedelta(hours=1))
def plot_texts(api: Api, fit_id: int, kind: str) -> tuple[str, str, str, str]:
    """Title, verdict, advice and description of a plot; a finished fit's never change."""
    plot = api.plot(fit_id, kind)
    return plot.title, plot.verdict, plot.advice, plot.alt


@cached_per_user(ttl=timedelta(hours=1))
def model_schema(api: ModelsApi, model_id: int, version: int) -> SchemaOut:
    """The inputs and the output of a version, which never change."""
    return api.model_schema(model_id, version)
