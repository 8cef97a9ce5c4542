"""Models of the stand-in for the API: their versions, aliases and history in memory."""

from datetime import timedelta
from typing import Any

from backend.operations.schemas import JobOut
from backend.registry.schemas import AliasChangeOut, ChampionOut, ModelOut, ModelVersionOut
from backend.retraining.schemas import RetrainingOut
from backend.serving.schemas import SchemaOut
from tests.frontend.world import NOW, World


def move_alias(world: World, model_id: int, alias: str, version: int, kind: str, why: str) -> None:
    known = world.registry
    model = known.models[model_id]
    before = model.aliases.get(alias)
    update: dict[str, Any] = {"aliases": {**model.aliases, alias: version}}
    if alias == "champion":
        update["champion"] = _champion(world, model_id, version)
        update["rollback_to"] = before if kind == "set" else None
    known.models[model_id] = model.model_copy(update=update)
    changes = known.changes.setdefault(model_id, [])
    changes.insert(0, make_change(len(changes) + 1, alias, kind, before, version, why))


def take_alias(world: World, model_id: int, alias: str, why: str) -> None:
    known = world.registry
    model = known.models[model_id]
    kept = {name: version for name, version in model.aliases.items() if name != alias}
    known.models[model_id] = model.model_copy(update={"aliases": kept})
    change = make_change(0, alias, "removed", model.aliases[alias], None, why)
    known.changes[model_id].insert(0, change)


def _champion(world: World, model_id: int, version: int) -> ChampionOut:
    metrics = world.registry.versions[model_id][version - 1].metrics
    return ChampionOut(version=version, metrics=metrics)


def make_change(
    number: int, alias: str, kind: str, before: int | None, after: int | None, reason: str = "why"
) -> AliasChangeOut:
    return AliasChangeOut.model_validate(
        {
            "id": number,
            "alias": alias,
            "kind": kind,
            "from_version": before,
            "to_version": after,
            "reason": reason,
            "changed_by": "ada",
            "changed_at": NOW,
        }
    )


def make_model(number: int, owner: str, project: int, **more: Any) -> ModelOut:
    values: dict[str, Any] = {
        "id": number,
        "name": f"penguin mass {number}",
        "description": "",
        "project_id": project,
        "kind": "table",
        "task": "regression",
        "target": "body_mass_g",
        "mlflow_name": f"{owner}.mass",
        "mlflow_uri": f"models:/{owner}.mass@champion",
        "mlflow_url": f"http://mlflow.test/#/models/{owner}.mass",
        "latest_version": 1,
        "aliases": {},
        "champion": None,
        "rollback_to": None,
        "mirror": "recorded",
        "created_by": owner,
        "created_at": NOW - timedelta(minutes=3),
    }
    return ModelOut.model_validate({**values, **more})


def make_version(world: World, number: int, fit_id: int, **more: Any) -> ModelVersionOut:
    fit = world.fits[fit_id]
    values: dict[str, Any] = {
        "version": number,
        "fit_id": fit.id,
        "fit_name": fit.name,
        "origin": "fit",
        "estimator": fit.estimator,
        "task": fit.task,
        "target": fit.target,
        "params": fit.params,
        "metrics": fit.metrics,
        "dataset_id": fit.dataset_id,
        "dataset_name": fit.dataset_name,
        "dataset_version": fit.version,
        "dataset_digest": "d" * 64,
        "recipe": None,
        "mlflow_run_id": fit.mlflow_run_id,
        "mlflow_version": str(number),
        "aliases": [],
        "created_by": fit.created_by,
        "created_at": NOW,
    }
    return ModelVersionOut.model_validate({**values, **more})


def add_model(world: World, number: int, fit_ids: list[int], **aliases: int) -> ModelOut:
    """A model of the fits' owner whose aliases were set in the order in which they are named."""
    owner = world.fits[fit_ids[0]]
    model = make_model(
        number, owner.created_by, owner.project_id, latest_version=len(fit_ids), aliases=aliases
    )
    known = world.registry
    known.versions[number] = [
        make_version(world, version, fit_id) for version, fit_id in enumerate(fit_ids, 1)
    ]
    if "champion" in aliases:
        champion = _champion(world, number, aliases["champion"])
        model = model.model_copy(update={"champion": champion})
    known.models[number] = model
    known.changes[number] = [
        make_change(order, alias, "set", None, version)
        for order, (alias, version) in enumerate(aliases.items(), 1)
    ][::-1]
    return model


def _input(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "numeric": kind in ("number", "integer"), **more}


SCHEMA = SchemaOut.model_validate(
    {
        "kind": "table",
        "inputs": [
            _input("flipper_length_mm", "integer", minimum=172, maximum=231),
            _input("bill_depth_mm", "number", minimum=13.1, maximum=21.5),
            _input("species", "string", categories=["Adelie", "Gentoo"]),
            _input("tagged", "boolean"),
            _input("seen_on", "date"),
        ],
        "output": {"name": "body_mass_g", "task": "regression", "classes": None},
        "version": 1,
    }
)

EVIDENCE = {
    "metric": "r2",
    "title": "R²",
    "greater_is_better": True,
    "champion": 0.81,
    "challenger": 0.86,
    "gain": 0.05,
    "minimum_gain": 0.01,
    "interval_low": 0.02,
    "interval_high": 0.08,
    "rows": 69,
    "withheld_rows": 4,
    "champion_metrics": {"r2": 0.81, "rmse": 400.0},
    "challenger_metrics": {"r2": 0.86, "rmse": 300.0},
    "is_better": True,
    "verdict": "R² is better by 0.05 on the 69 rows that the champion held out.",
}


def make_retraining(number: int, model_id: int, *, state: str, **more: Any) -> RetrainingOut:
    compared = state in ("promoted", "rejected", "waiting_for_approval")
    values: dict[str, Any] = {
        "id": number,
        "model_id": model_id,
        "model_name": f"penguin mass {model_id}",
        "project_id": 1,
        "trigger": "manual",
        "state": state,
        "progress": 0.4,
        "progress_message": "Fitting",
        "dataset_id": 7,
        "dataset_name": "penguins",
        "dataset_version": 2,
        "champion_version": 1,
        "challenger_version": 2 if compared else None,
        "fit_id": 42,
        "metric": "r2",
        "minimum_gain": 0.01,
        "require_approval": state == "waiting_for_approval",
        "evidence": EVIDENCE if compared else None,
        "error": None,
        "requested_by": "admin",
        "decided_by": None,
        "decision_reason": None,
        "created_at": NOW,
        "started_at": NOW,
        "finished_at": NOW if compared else None,
    }
    return RetrainingOut.model_validate({**values, **more})


def make_job(number: int, state: str) -> JobOut:
    return JobOut.model_validate(
        {
            "id": number,
            "entrypoint": "fits.run",
            "state": state,
            "priority": 0,
            "tries": 1,
            "about": {"fit_id": 42},
            "request_id": "r-7",
            "created_at": NOW,
            "due_at": NOW,
            "waited_seconds": 3.0,
        }
    )
