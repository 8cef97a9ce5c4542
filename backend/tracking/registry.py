"""Brings MLflow's model registry to the platform's state of a model. Runs in a child process.

One reconciliation, whatever was done or left half-way before: it compares what stands there with
what should, finds versions by their tag before it makes any, and can be cut off and repeated at
any point.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)

from backend.tracking.connection import connect, tracker_errors
from backend.tracking.permissions import Resource, let_read
from backend.tracking.port import MirroredModel, ModelRecord, TrackerError, VersionRecord

_log = logging.getLogger(__name__)
MODEL_TAG: Final = "goodfit.model_id"
VERSION_TAG: Final = "goodfit.version"
# What MLflow's page of a logged model links to.
_LINKS_TAG: Final = "mlflow.modelVersions"
# A logged model as a version's source.
_SOURCE: Final = "models:/"
_MISSING: Final = ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)
_EXISTS: Final = ErrorCode.Name(RESOURCE_ALREADY_EXISTS)
# MLflow's limits.
_LONGEST_TEXT: Final = 5_000
_PAGE: Final = 1_000


class MlflowRegistry:
    """Writes as the platform's own account. One for the process: MLflow's settings are global."""

    def __init__(self, url: str, service_key: str, timeout: float) -> None:
        self._connection = connect(url, service_key, timeout)
        self._client = MlflowClient(tracking_uri=url, registry_uri=url)

    def mirror(self, record: ModelRecord) -> MirroredModel:
        """Make the registry show the model as it is; repeated, it changes nothing."""
        with tracker_errors():
            shown = self._model(record)
            let_read(self._connection, self._resources(record), record.readers)
            versions = self._versions(record)
            self._move_aliases(record, shown.aliases, versions)
        return MirroredModel(versions=versions)

    def withdraw(self, name: str, model_id: int) -> None:
        """Take the model out of the registry, with its versions, aliases and permissions."""
        with tracker_errors():
            shown = self._find(name)
            if shown is None:
                return
            if shown.tags.get(MODEL_TAG) != str(model_id):
                _log.warning("another model has the name in MLflow", extra={"model": name})
                return
            for version in self._search(name):
                self._link(version, None)
            self._client.delete_registered_model(name)

    def _resources(self, record: ModelRecord) -> list[Resource]:
        """The model, and the experiment with its files: who reads only one cannot load it."""
        experiment = self._client.get_experiment_by_name(record.project)
        model = Resource.model(record.name)
        return [model, Resource.experiment(experiment.experiment_id)] if experiment else [model]

    def _find(self, name: str) -> RegisteredModel | None:
        try:
            return self._client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != _MISSING:
                raise
            return None

    def _model(self, record: ModelRecord) -> RegisteredModel:
        tags = _short(
            {
                MODEL_TAG: str(record.model_id),
                "goodfit.model": record.title,
                "goodfit.project": record.project,
            }
        )
        description = record.description[:_LONGEST_TEXT]
        shown = self._find(record.name) or self._create(record.name, tags, description)
        if shown.tags.get(MODEL_TAG) != tags[MODEL_TAG]:
            raise TrackerError(f"MLflow has another model named {record.name}")
        for key, value in _changes(shown.tags, tags):
            self._client.set_registered_model_tag(record.name, key, value)
        if (shown.description or "") != description:
            self._client.update_registered_model(record.name, description)
        return shown

    def _create(self, name: str, tags: dict[str, str], description: str) -> RegisteredModel:
        try:
            return self._client.create_registered_model(name, tags, description)
        except MlflowException as error:
            found = self._find(name)
            if error.error_code != _EXISTS or found is None:
                raise
            return found  # by a request that was held up

    def _search(self, name: str) -> list[ModelVersion]:
        """All versions of the model, the oldest first."""
        found: list[ModelVersion] = []
        token: str | None = None
        while True:
            page = self._client.search_model_versions(
                f"name = '{name}'", max_results=_PAGE, page_token=token
            )
            found.extend(page)
            token = page.token
            if not token:
                return sorted(found, key=lambda version: int(version.version))

    def _versions(self, record: ModelRecord) -> dict[int, str]:
        """MLflow's number of each version, after those that were missing have been made."""
        shown = self._one_each(record)
        missing = [wanted for wanted in record.versions if wanted.version not in shown]
        made = [wanted for wanted in missing if self._create_version(record.name, wanted)]
        if made:
            # A request that was held up may have made one meanwhile.
            shown = self._one_each(record)
        for wanted in record.versions:
            if wanted.version in shown:
                self._complete(record.name, wanted, shown[wanted.version])
        return {number: str(version.version) for number, version in sorted(shown.items())}

    def _one_each(self, record: ModelRecord) -> dict[int, ModelVersion]:
        """The oldest for each of the record's versions.

        Later ones of the same are deleted, and those of a run that its fit has no more: the fit
        was moved to another project.
        """
        numbers = {str(wanted.version): wanted.version for wanted in record.versions}
        runs = {wanted.version: wanted.run_id for wanted in record.versions}
        kept: dict[int, ModelVersion] = {}
        for version in self._search(record.name):
            number = numbers.get(version.tags.get(VERSION_TAG, ""))
            if number is None:
                continue
            if number in kept or version.run_id != runs[number]:
                self._client.delete_model_version(record.name, str(version.version))
            else:
                kept[number] = version
        return kept

    def _create_version(self, name: str, wanted: VersionRecord) -> bool:
        """False when the run or its model is not in MLflow, so that the others still go on."""
        model_id = self._find_logged_model(wanted.run_id)
        if model_id is None:
            _log.warning("the version's run is missing", extra={"run_id": wanted.run_id})
            return False
        self._client.create_model_version(
            name,
            source=f"{_SOURCE}{model_id}",
            run_id=wanted.run_id,
            tags=_version_tags(wanted),
            model_id=model_id,
        )
        return True

    def _find_logged_model(self, run_id: str) -> str | None:
        try:
            outputs = self._client.get_run(run_id).outputs
        except MlflowException as error:
            if error.error_code != _MISSING:
                raise
            return None
        models = outputs.model_outputs if outputs else []
        return models[0].model_id if models else None

    def _complete(self, name: str, wanted: VersionRecord, shown: ModelVersion) -> None:
        for key, value in _changes(shown.tags, _version_tags(wanted)):
            self._client.set_model_version_tag(name, str(shown.version), key, value)
        if wanted.known != str(shown.version):
            # MLflow may have been stopped between the version and the link to it.
            self._link(shown, int(shown.version))

    def _link(self, shown: ModelVersion, version: int | None) -> None:
        """Let the logged model's page lead to this version of the model, or to none of it."""
        model_id = (shown.source or "").removeprefix(_SOURCE)
        tags = self._find_logged_tags(model_id)
        if tags is None:
            return
        links = json.loads(tags.get(_LINKS_TAG) or "[]")
        wanted = [link for link in links if link["name"] != shown.name]
        if version is not None:
            wanted.append({"name": shown.name, "version": version})
        if wanted == links:
            return
        if wanted:
            self._client.set_logged_model_tags(model_id, {_LINKS_TAG: json.dumps(wanted)})
        else:
            self._client.delete_logged_model_tag(model_id, _LINKS_TAG)

    def _find_logged_tags(self, model_id: str) -> dict[str, str] | None:
        """None where the logged model was deleted with its run."""
        try:
            tags: dict[str, str] = self._client.get_logged_model(model_id).tags
        except MlflowException as error:
            if error.error_code != _MISSING:
                raise
            return None
        return tags

    def _move_aliases(
        self, record: ModelRecord, shown: Mapping[str, Any], versions: Mapping[int, str]
    ) -> None:
        """An alias of a version that is not there yet stays where it is until then."""
        for alias in sorted(shown.keys() - record.aliases.keys()):
            self._client.delete_registered_model_alias(record.name, alias)
        for alias, number in sorted(record.aliases.items()):
            wanted = versions.get(number)
            if wanted is not None and str(shown.get(alias)) != wanted:
                self._client.set_registered_model_alias(record.name, alias, wanted)


def _short(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:_LONGEST_TEXT] for name, value in tags.items()}


def _version_tags(wanted: VersionRecord) -> dict[str, str]:
    return _short(
        {
            VERSION_TAG: str(wanted.version),
            "goodfit.fit_id": str(wanted.fit_id),
            "goodfit.estimator": wanted.estimator,
            "goodfit.dataset": wanted.dataset_name,
            "goodfit.dataset_version": str(wanted.dataset_version),
            "goodfit.dataset_digest": wanted.dataset_digest,
            "mlflow.user": wanted.username,
        }
    )


def _changes(shown: Mapping[str, str], wanted: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return [(key, value) for key, value in wanted.items() if shown.get(key) != value]


def mirror_request(
    request: Mapping[str, Any], _report: Callable[[float, str], None]
) -> dict[str, Any]:
    """Mirror one model: `url`, `service_key`, `timeout` and `record` in, a `MirroredModel` out.

    With `withdrawn` (`name`, `model_id`) in place of `record` the model is taken out.
    """
    registry = MlflowRegistry(request["url"], request["service_key"], request["timeout"])
    withdrawn = request.get("withdrawn")
    if withdrawn is not None:
        registry.withdraw(withdrawn["name"], withdrawn["model_id"])
        return MirroredModel().model_dump()
    return registry.mirror(ModelRecord.model_validate(request["record"])).model_dump()
