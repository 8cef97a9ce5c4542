"""Takes a fit's run out of an experiment that it does not belong to any more."""

from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

# Set first: such a run has lost files, and is never restored.
WITHDRAWN_TAG: Final = "goodfit.withdrawn"
_PAGE: Final = 1_000


def is_withdrawn(run: Run) -> bool:
    """Whether the run's files are gone, or going."""
    return run.data.tags.get(WITHDRAWN_TAG) == "true"


def find_experiments(client: MlflowClient, tag: str) -> list[str]:
    """Ids of all experiments that carry the tag."""
    found: list[str] = []
    token: str | None = None
    while True:
        page = client.search_experiments(
            ViewType.ALL,
            max_results=_PAGE,
            filter_string=f"tags.`{tag}` LIKE '%'",
            page_token=token,
        )
        found.extend(experiment.experiment_id for experiment in page)
        token = page.token
        if not token:
            return found


def withdraw_run(client: MlflowClient, run: Run) -> None:
    """Delete a run with its models and their files; cut off at any point, it can be repeated."""
    client.set_tag(run.info.run_id, WITHDRAWN_TAG, "true")
    models = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    for model in models:
        files = get_artifact_repository(model.artifact_location)
        files.delete_artifacts()  # type: ignore[no-untyped-call]  # MLflow's
        client.delete_logged_model(model.model_id)
    client.delete_run(run.info.run_id)
