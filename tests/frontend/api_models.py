"""Models and predictions of the stand-in for the API."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from backend.accounts.schemas import UserOut
from backend.core.schemas import Page
from backend.registry.schemas import (
    AliasChangeOut,
    AliasOut,
    AliasUpdate,
    ModelCreate,
    ModelOut,
    ModelUpdate,
    ModelVersionOut,
    RollbackRequest,
    VersionCreate,
)
from backend.serving.schemas import ModelPredictRequest, PredictOut, SchemaOut
from tests.frontend.model_world import SCHEMA, add_model, make_version, move_alias, take_alias
from tests.frontend.world import Refusal, World

BASE = "/api/v1/models"


def add_models(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.get(BASE)
    def list_models(
        request: Request, name_contains: str = "", me: UserOut = user
    ) -> Page[ModelOut]:
        world.calls.append(f"models?{request.url.query}")
        items = [
            model
            for model in known.models.values()
            if world.may_read(me, model.project_id) and name_contains in model.name
        ]
        return Page[ModelOut](items=items, next_cursor=None)

    @app.post(BASE, status_code=201)
    def register(data: ModelCreate, request: Request, me: UserOut = user) -> ModelOut:
        world.sent_keys.append(request.headers["idempotency-key"])
        if any(model.name == data.name for model in known.models.values()):
            raise Refusal(409, f"This project has a model named {data.name}.")
        number = next(world.counter)
        assert world.fits[data.fit_id].created_by == me.username
        made = add_model(world, number, [data.fit_id]).model_copy(update={"name": data.name})
        known.models[number] = made
        return made

    @app.get(BASE + "/{number}")
    def read(number: int, me: UserOut = user) -> ModelOut:
        return world.visible_model(me, number)

    @app.patch(BASE + "/{number}")
    def change(number: int, data: ModelUpdate, me: UserOut = user) -> ModelOut:
        model = world.visible_model(me, number)
        if known.refuse is not None:
            raise known.refuse
        known.asked.append(data.model_dump(exclude_unset=True))
        known.models[number] = model.model_copy(update=known.asked[-1])
        return known.models[number]

    @app.delete(BASE + "/{number}", status_code=204)
    def delete(number: int, me: UserOut = user) -> None:
        world.visible_model(me, number)
        del known.models[number]


def add_model_versions(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.get(BASE + "/{number}/versions")
    def versions(number: int, me: UserOut = user) -> Page[ModelVersionOut]:
        world.visible_model(me, number)
        return Page[ModelVersionOut](items=known.versions[number][::-1], next_cursor=None)

    @app.post(BASE + "/{number}/versions", status_code=201)
    def add(number: int, data: VersionCreate, me: UserOut = user) -> ModelVersionOut:
        model = world.visible_model(me, number)
        version = make_version(world, model.latest_version + 1, data.fit_id)
        known.versions[number].append(version)
        update = {"latest_version": version.version}
        known.models[number] = model.model_copy(update=update)
        return version

    @app.get(BASE + "/{number}/versions/{version}")
    def read_version(number: int, version: int, me: UserOut = user) -> ModelVersionOut:
        world.visible_model(me, number)
        return known.versions[number][version - 1]


def add_aliases(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.get(BASE + "/{number}/aliases/history")
    def history(number: int, me: UserOut = user) -> Page[AliasChangeOut]:
        world.visible_model(me, number)
        return Page[AliasChangeOut](items=known.changes.get(number, []), next_cursor=None)

    @app.put(BASE + "/{number}/aliases/{alias}")
    def point(number: int, alias: str, data: AliasUpdate, me: UserOut = user) -> AliasOut:
        world.visible_model(me, number)
        if known.refuse is not None:
            raise known.refuse
        move_alias(world, number, alias, data.version, "set", data.reason)
        return AliasOut(alias=alias, version=data.version)

    @app.delete(BASE + "/{number}/aliases/{alias}", status_code=204)
    def take(number: int, alias: str, reason: str, me: UserOut = user) -> None:
        world.visible_model(me, number)
        take_alias(world, number, alias, reason)

    @app.post(BASE + "/{number}/rollback")
    def roll_back(number: int, data: RollbackRequest, me: UserOut = user) -> AliasOut:
        world.visible_model(me, number)
        before = known.models[number].rollback_to
        assert before is not None
        move_alias(world, number, data.alias, before, "rollback", data.reason)
        return AliasOut(alias=data.alias, version=before)


def add_predictions(app: FastAPI, world: World, user: Any) -> None:
    known = world.registry

    @app.get(BASE + "/{number}/schema")
    def schema(number: int, version: int, me: UserOut = user) -> SchemaOut:
        world.visible_model(me, number)
        return SCHEMA.model_copy(update={"version": version})

    @app.post(BASE + "/{number}/predict")
    def predict(number: int, data: ModelPredictRequest, me: UserOut = user) -> PredictOut:
        world.visible_model(me, number)
        if known.refuse is not None:
            raise known.refuse
        known.asked.append(data.rows[0])
        return PredictOut(predictions=[4321.5], probabilities=None, version=data.version)

    @app.post(BASE + "/{number}/predict/file")
    async def predict_file(
        number: int, version: int, request: Request, me: UserOut = user
    ) -> Response:
        world.visible_model(me, number)
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            lines = (await file.read()).decode().splitlines()
        if known.refuse is not None:
            raise known.refuse
        known.asked.append({"version": version, "lines": len(lines)})

        def answer() -> Iterator[str]:
            yield f"{lines[0]},prediction\n"
            for line in lines[1:]:
                yield f"{line},4321.5\n"

        return StreamingResponse(answer(), media_type="text/csv")
