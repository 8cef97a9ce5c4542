"""One model of the platform, one in MLflow's registry: whatever happens on the way."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from backend.tracking.port import (
    FitRecord,
    MirroredModel,
    ModelRecord,
    RecordedRun,
    TrackerError,
    TrackerUnavailable,
)
from backend.tracking.registry import MlflowRegistry, mirror_request
from tests.tracking.conftest import MlflowServer
from tests.tracking.stand_ins import SERVICE_KEY, LossyNetwork, running

Recorded = Callable[[str, int], tuple[FitRecord, RecordedRun]]


@pytest.fixture
def registry(mlflow_server: MlflowServer, client_environment: None) -> MlflowRegistry:  # noqa: ARG001  # sets up
    return MlflowRegistry(mlflow_server.url, SERVICE_KEY, 20)


def version_of(recorded: Recorded, version: int, fit_id: int, **changes: Any) -> dict[str, Any]:
    record, where = recorded("anna", fit_id)
    return {
        "version": version,
        "fit_id": fit_id,
        "run_id": where.run_id,
        "username": "anna",
        "estimator": "ordinary_least_squares",
        "dataset_name": record.dataset_name,
        "dataset_version": record.dataset_version,
        "dataset_digest": record.dataset_digest,
        **changes,
    }


def model_of(recorded: Recorded, model_id: int, **changes: Any) -> ModelRecord:
    fields: dict[str, Any] = {
        "model_id": model_id,
        "name": f"anna-personal.prices-{model_id}",
        "title": "Prices",
        "description": "What it costs",
        "project": "anna-personal",
        "readers": ["anna"],
        "versions": [version_of(recorded, 1, 1)],
        "aliases": {"champion": 1},
    }
    return ModelRecord.model_validate({**fields, **changes})


def two_versions(recorded: Recorded) -> list[dict[str, Any]]:
    return [version_of(recorded, 1, 1), version_of(recorded, 2, 2)]


def links_of(run_id: str) -> list[dict[str, Any]]:
    run = MlflowClient().get_run(run_id)
    assert run.outputs is not None
    model = MlflowClient().get_logged_model(str(run.outputs.model_outputs[0].model_id))
    links: list[dict[str, Any]] = json.loads(model.tags.get("mlflow.modelVersions", "[]"))
    return links


def shown_versions(name: str) -> dict[str, str]:
    """MLflow's number to the platform's."""
    found = MlflowClient().search_model_versions(f"name = '{name}'")
    return {str(version.version): version.tags["goodfit.version"] for version in found}


def test_a_model_is_shown_with_where_it_came_from(
    registry: MlflowRegistry, recorded: Recorded
) -> None:
    record = model_of(recorded, 1)
    assert registry.mirror(record) == MirroredModel(versions={1: "1"})
    model = MlflowClient().get_registered_model(record.name)
    assert model.description == "What it costs"
    assert model.tags == {
        "goodfit.model_id": "1",
        "goodfit.model": "Prices",
        "goodfit.project": "anna-personal",
    }
    version = MlflowClient().get_model_version_by_alias(record.name, "champion")
    fit, where = recorded("anna", 1)
    assert version.run_id == where.run_id
    outputs = MlflowClient().get_run(where.run_id).outputs
    assert outputs is not None
    assert version.source == f"models:/{outputs.model_outputs[0].model_id}"
    assert version.tags == {
        "goodfit.version": "1",
        "goodfit.fit_id": "1",
        "goodfit.estimator": "ordinary_least_squares",
        "goodfit.dataset": "sizes",
        "goodfit.dataset_version": "3",
        "goodfit.dataset_digest": fit.dataset_digest,
        "mlflow.user": "anna",
    }
    assert {"name": record.name, "version": 1} in links_of(where.run_id)


def test_mirroring_again_changes_nothing(registry: MlflowRegistry, recorded: Recorded) -> None:
    record = model_of(recorded, 2, versions=two_versions(recorded))
    first = registry.mirror(record)
    before = MlflowClient().get_registered_model(record.name)
    assert registry.mirror(record) == first == MirroredModel(versions={1: "1", 2: "2"})
    after = MlflowClient().get_registered_model(record.name)
    assert after.last_updated_timestamp == before.last_updated_timestamp
    assert shown_versions(record.name) == {"1": "1", "2": "2"}


def test_aliases_follow_forth_and_back(registry: MlflowRegistry, recorded: Recorded) -> None:
    versions = two_versions(recorded)
    name = model_of(recorded, 3).name
    for aliases in (
        {"champion": 1},
        {"champion": 2, "previous": 1},
        {"champion": 1, "challenger": 2},
        {},
    ):
        registry.mirror(model_of(recorded, 3, versions=versions, aliases=aliases))
        shown = MlflowClient().get_registered_model(name).aliases
        assert {alias: int(version) for alias, version in shown.items()} == aliases


def test_a_renamed_model_keeps_its_place(registry: MlflowRegistry, recorded: Recorded) -> None:
    name = model_of(recorded, 4).name
    registry.mirror(model_of(recorded, 4))
    registry.mirror(model_of(recorded, 4, title="Costs", description=""))
    model = MlflowClient().get_registered_model(name)
    assert model.tags["goodfit.model"] == "Costs"
    assert not model.description


def test_a_version_without_a_run_waits_and_keeps_its_alias(
    registry: MlflowRegistry, recorded: Recorded
) -> None:
    registry.mirror(model_of(recorded, 5))
    lost = version_of(recorded, 2, 2, run_id="0" * 32)
    record = model_of(
        recorded, 5, versions=[version_of(recorded, 1, 1), lost], aliases={"champion": 2, "old": 1}
    )
    assert registry.mirror(record) == MirroredModel(versions={1: "1"})
    aliases = MlflowClient().get_registered_model(record.name).aliases
    assert {alias: str(version) for alias, version in aliases.items()} == {
        "champion": "1",
        "old": "1",
    }


def test_two_versions_of_one_become_one(registry: MlflowRegistry, recorded: Recorded) -> None:
    record = model_of(recorded, 6)
    registry.mirror(record)
    kept = MlflowClient().get_model_version(record.name, "1")
    assert kept.source is not None
    # What a request does that was held up while another worker mirrored the model.
    MlflowClient().create_model_version(
        record.name,
        kept.source,
        kept.run_id,
        tags=kept.tags,
        model_id=kept.source.removeprefix("models:/"),
    )
    assert shown_versions(record.name) == {"1": "1", "2": "1"}
    assert registry.mirror(record) == MirroredModel(versions={1: "1"})
    assert shown_versions(record.name) == {"1": "1"}
    links = links_of(str(kept.run_id))
    assert [link for link in links if link["name"] == record.name] == [
        {"name": record.name, "version": 1}
    ]


def test_a_version_whose_number_was_not_stored_is_found_again(
    registry: MlflowRegistry, recorded: Recorded
) -> None:
    record = model_of(recorded, 7)
    registry.mirror(record)
    again = registry.mirror(model_of(recorded, 7, versions=two_versions(recorded)))
    assert again == MirroredModel(versions={1: "1", 2: "2"})
    known = model_of(recorded, 7, versions=[version_of(recorded, 1, 1, known="1")])
    assert registry.mirror(known) == MirroredModel(versions={1: "1"})


@pytest.mark.parametrize("lose_answer", [False, True], ids=["request lost", "answer lost"])
def test_a_mirroring_cut_off_at_any_point_is_completed_later(
    mlflow_server: MlflowServer,
    recorded: Recorded,
    client_environment: None,  # noqa: ARG001  # sets up
    lose_answer: bool,
) -> None:
    network = LossyNetwork(mlflow_server.url)
    network.lose_answer = lose_answer
    network.lose_reads = False
    is_cut_off, writes = True, -1
    with running(network):
        while is_cut_off:
            writes += 1
            record = model_of(
                recorded,
                100 * (2 + lose_answer) + writes,
                versions=two_versions(recorded),
                aliases={"champion": 2, "previous": 1},
            )
            network.budget = writes
            try:
                MlflowRegistry(network.url, SERVICE_KEY, 20).mirror(record)
            except TrackerUnavailable:
                done = MlflowRegistry(mlflow_server.url, SERVICE_KEY, 20).mirror(record)
                assert_complete(recorded, record, done)
            else:
                is_cut_off = False
    assert writes >= 6


def assert_complete(recorded: Recorded, record: ModelRecord, done: MirroredModel) -> None:
    assert done.versions.keys() == {1, 2}
    assert shown_versions(record.name) == {
        mirrored: str(n) for n, mirrored in done.versions.items()
    }
    aliases = MlflowClient().get_registered_model(record.name).aliases
    assert {alias: str(version) for alias, version in aliases.items()} == {
        "champion": done.versions[2],
        "previous": done.versions[1],
    }
    for number, mirrored in done.versions.items():
        _, where = recorded("anna", number)
        links = [link for link in links_of(where.run_id) if link["name"] == record.name]
        assert links == [{"name": record.name, "version": int(mirrored)}]


def test_a_withdrawn_model_is_gone_and_may_come_back(
    mlflow_server: MlflowServer, registry: MlflowRegistry, recorded: Recorded
) -> None:
    record = model_of(recorded, 8, versions=two_versions(recorded))
    registry.mirror(record)
    for _ in range(2):
        registry.withdraw(record.name, 8)
        with pytest.raises(MlflowException, match="not found"):
            MlflowClient().get_registered_model(record.name)
    _, where = recorded("anna", 1)
    assert record.name not in {link["name"] for link in links_of(where.run_id)}
    assert "anna" not in readers_of(mlflow_server, "registered_model", record.name)
    assert registry.mirror(record) == MirroredModel(versions={1: "1", 2: "2"})
    assert "anna" in readers_of(mlflow_server, "registered_model", record.name)


def test_a_model_of_somebody_else_is_left_alone(
    registry: MlflowRegistry, recorded: Recorded
) -> None:
    record = model_of(recorded, 9)
    MlflowClient().create_registered_model(record.name, {"goodfit.model_id": "900"})
    with pytest.raises(TrackerError, match="another model named") as refusal:
        registry.mirror(record)
    assert not isinstance(refusal.value, TrackerUnavailable)
    registry.withdraw(record.name, 9)
    model = MlflowClient().get_registered_model(record.name)
    assert model.tags == {"goodfit.model_id": "900"}


def readers_of(server: MlflowServer, kind: str, resource_id: str) -> set[str]:
    with server.platform() as client:
        users = client.get("/api/2.0/mlflow/users/list").json()["users"]
    return {
        user["username"]
        for user in users
        for role in user["roles"]
        for held in role["permissions"]
        if (held["resource_type"], held["resource_pattern"]) == (kind, resource_id)
    } - {"goodfit-service"}


def test_who_leaves_the_project_loses_its_models(
    mlflow_server: MlflowServer, registry: MlflowRegistry, recorded: Recorded
) -> None:
    record = model_of(recorded, 10)
    places = (
        ("registered_model", record.name),
        ("experiment", recorded("anna", 1)[1].experiment_id),
    )
    for readers in (["anna", "lars", "mona"], ["anna", "mona"], ["anna"]):
        registry.mirror(model_of(recorded, 10, readers=readers))
        for place in places:
            assert readers_of(mlflow_server, *place) == set(readers)
    held = {
        "username": "lars",
        "resource_type": "registered_model",
        "resource_id": record.name,
    }
    with mlflow_server.platform() as client:
        answer = client.get("/api/3.0/mlflow/users/permissions/get", params=held)
    assert answer.json()["permission"] == "NO_PERMISSIONS"


def test_texts_that_mlflow_would_refuse_are_cut(
    registry: MlflowRegistry, recorded: Recorded
) -> None:
    versions = [version_of(recorded, 1, 1, dataset_name="d" * 9_000)]
    record = model_of(recorded, 11, description="x" * 9_000, title="größe " * 2_000)
    registry.mirror(record.model_copy(update={"versions": []}))
    registry.mirror(model_of(recorded, 11, description="x" * 9_000, versions=versions))
    assert len(MlflowClient().get_registered_model(record.name).description) == 5_000


def test_the_workers_entry_takes_and_gives_json(
    mlflow_server: MlflowServer, registry: MlflowRegistry, recorded: Recorded
) -> None:
    record = model_of(recorded, 12)
    request: dict[str, Any] = {
        "url": mlflow_server.url,
        "service_key": SERVICE_KEY,
        "timeout": 20.0,
    }
    content = {"record": json.loads(record.model_dump_json())}
    answer = mirror_request({**request, **content}, lambda *_: None)
    assert MirroredModel.model_validate(answer) == registry.mirror(record)
    withdrawn = {"withdrawn": {"name": record.name, "model_id": 12}}
    assert mirror_request({**request, **withdrawn}, lambda *_: None) == {"versions": {}}
    with mlflow_server.platform() as client:
        path = "/api/2.0/mlflow/registered-models/get"
        assert client.get(path, params={"name": record.name}).status_code == 404
