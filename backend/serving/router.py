"""Predictions over HTTP: by a registered model or by a fit; rows, one row, or a file."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import PredictDep
from backend.core.deps import ReadSessionDep, SettingsDep
from backend.core.errors import FieldProblem, Unprocessable
from backend.core.openapi import multipart_body
from backend.core.schemas import Id, VersionNumber
from backend.registry.schemas import Alias
from backend.serving import service
from backend.serving.predictor import Predictor, Served
from backend.serving.schemas import (
    ModelPredictRequest,
    PredictOut,
    PredictRequest,
    SchemaOut,
)
from backend.serving.service import KnownModels
from backend.serving.uploads import answer_file

router = APIRouter(tags=["predictions"])

AliasQuery = Annotated[Alias | None, Query(description="Default: champion")]
VersionQuery = Annotated[VersionNumber | None, Query()]
FILE_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": multipart_body()},
    "responses": {
        "200": {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": PredictOut.model_json_schema()},
            }
        }
    },
}


def _predictor(request: Request) -> Predictor:
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _get_known(request: Request) -> KnownModels:
    known: KnownModels = request.app.state.known_models
    return known


KnownDep = Annotated[KnownModels, Depends(_get_known)]


async def _predict_texts(request: Request, served: Served, reserved: set[str]) -> PredictOut:
    """One row from the query string; a parameter that stands twice has no one value."""
    pairs = [(k, v) for k, v in request.query_params.multi_items() if k not in reserved]
    counts = Counter(name for name, _ in pairs)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        errors = [
            FieldProblem(loc=["query", name], msg=f"{name} stands twice", type="duplicate")
            for name in twice
        ]
        raise Unprocessable(f"Name each column once; see {', '.join(twice)}.", errors=errors)
    texts = dict(pairs)
    return await run_in_threadpool(_predictor(request).predict_texts, served, texts)


@router.get("/models/{model_id}/schema")
async def read_model_schema(
    session: ReadSessionDep,
    viewer: PredictDep,
    known: KnownDep,
    model_id: Id,
    alias: AliasQuery = None,
    version: VersionQuery = None,
) -> SchemaOut:
    """What the model is asked, with the ranges and categories of its training, and its answer."""
    return service.describe(
        await service.served_model(session, viewer, known, model_id, alias=alias, version=version)
    )


@router.post("/models/{model_id}/predict")
async def predict_by_model(
    request: Request,
    session: ReadSessionDep,
    viewer: PredictDep,
    known: KnownDep,
    model_id: Id,
    data: ModelPredictRequest,
) -> PredictOut:
    """Predict for rows; every missing, unknown and ill-typed column is named at once."""
    served = await service.served_model(
        session, viewer, known, model_id, alias=data.alias, version=data.version
    )
    await session.close()  # predicting must not hold a database connection
    return await run_in_threadpool(_predictor(request).predict_rows, served, data.rows)


@router.get("/models/{model_id}/predict")
async def predict_one_by_model(
    request: Request,
    session: ReadSessionDep,
    viewer: PredictDep,
    known: KnownDep,
    model_id: Id,
    alias: AliasQuery = None,
    version: VersionQuery = None,
) -> PredictOut:
    """Predict for one row whose columns are query parameters; an empty one is missing."""
    served = await service.served_model(
        session, viewer, known, model_id, alias=alias, version=version
    )
    await session.close()
    return await _predict_texts(request, served, {"alias", "version"})


@router.post("/models/{model_id}/predict/file", openapi_extra=FILE_BODY, response_model=None)
async def predict_file_by_model(
    request: Request,
    session: ReadSessionDep,
    viewer: PredictDep,
    known: KnownDep,
    settings: SettingsDep,
    model_id: Id,
    alias: AliasQuery = None,
    version: VersionQuery = None,
) -> Response:
    """A CSV file back with predictions beside its columns; for an image model, an image."""
    served = await service.served_model(
        session, viewer, known, model_id, alias=alias, version=version
    )
    await session.close()
    return await answer_file(request, served, settings.uploads)


@router.get("/fits/{fit_id}/schema")
async def read_fit_schema(
    session: ReadSessionDep, viewer: PredictDep, known: KnownDep, fit_id: Id
) -> SchemaOut:
    """What the fit is asked and what it answers."""
    return service.describe(await service.served_fit(session, viewer, known, fit_id))


@router.post("/fits/{fit_id}/predict")
async def predict_by_fit(
    request: Request,
    session: ReadSessionDep,
    viewer: PredictDep,
    known: KnownDep,
    fit_id: Id,
    data: PredictRequest,
) -> PredictOut:
    """Predict for rows; every missing, unknown and ill-typed column is named at once."""
    served = await service.served_fit(session, viewer, known, fit_id)
    await session.close()
    return await run_in_threadpool(_predictor(request).predict_rows, served, data.rows)


@router.get("/fits/{fit_id}/predict")
async def predict_one_by_fit(
    request: Request, session: ReadSessionDep, viewer: PredictDep, known: KnownDep, fit_id: Id
) -> PredictOut:
    """Predict for one row whose columns are query parameters; an empty one is missing."""
    served = await service.served_fit(session, viewer, known, fit_id)
    await session.close()
    return await _predict_texts(request, served, set())


@router.post("/fits/{fit_id}/predict/file", openapi_extra=FILE_BODY, response_model=None)
async def predict_file_by_fit(
    request: Request,
    session: ReadSessionDep,
    viewer: PredictDep,
    known: KnownDep,
    settings: SettingsDep,
    fit_id: Id,
) -> Response:
    """A CSV file back with predictions beside its columns; for an image fit, an image."""
    served = await service.served_fit(session, viewer, known, fit_id)
    await session.close()
    return await answer_file(request, served, settings.uploads)
