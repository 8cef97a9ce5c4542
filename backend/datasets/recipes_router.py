"""Cleaning over HTTP: a recipe of steps makes the next version, or tells what it would do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import ReadSessionDep, SessionDep, SettingsDep
from backend.core.idempotency import IdempotencyDep
from backend.core.schemas import Id, VersionNumber
from backend.datasets import lineage, service
from backend.datasets.bodies import version_out
from backend.datasets.connection import while_connected
from backend.datasets.downloads import disposition
from backend.datasets.files import storing
from backend.datasets.intake import display_name
from backend.datasets.recipe_schemas import (
    Outcome,
    RecipeExport,
    RecipeForm,
    RecipeOut,
    RecipeRequest,
    RecipeWork,
)
from backend.datasets.repository import DatasetRepository
from backend.datasets.schemas import VersionOut
from backend.datasets.workspaces import workspace
from backend.storage.blobs import BlobStore
from backend.tables import DatasetVersion

TRY: Final = "backend.datasets.cleaning:try_recipe"
CLEAN: Final = "backend.datasets.cleaning:clean"
SCRIPT: Final = "backend.datasets.cleaning:script"
SCRIPT_TYPE: Final = "text/x-python"
# body, steps, its number, its kind: the kind is pydantic's own addition.
KIND_POSITION: Final = 3


class _StepRoute(APIRoute):
    """Says where a step is wrong without the kind, which is no part of the path in the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def located(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise RequestValidationError(
                    [{**entry, "loc": _without_kind(entry["loc"])} for entry in error.errors()]
                ) from None

        return located


def _without_kind(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    in_step = loc[:2] == ("body", "steps") and len(loc) > KIND_POSITION
    return (*loc[:KIND_POSITION], *loc[KIND_POSITION + 1 :]) if in_step else loc


router = APIRouter(prefix="/datasets", tags=["datasets"], route_class=_StepRoute)


@asynccontextmanager
async def _at_hand(
    blobs: BlobStore, prepared: lineage.Prepared, folder: Path
) -> AsyncIterator[RecipeWork]:
    """The files of a recipe as paths; those of a bucket are copied meanwhile."""
    with ExitStack() as stack:

        async def path_of(row: DatasetVersion) -> Path:
            local = blobs.local(row.parquet_sha256, folder)
            return await asyncio.to_thread(stack.enter_context, local)

        path = await path_of(prepared.parent)
        others = {key: await path_of(row) for key, row in prepared.others.items()}
        yield prepared.work(path, others)


@router.post(
    "/{dataset_id}/versions/{version}/recipe",
    status_code=status.HTTP_201_CREATED,
    responses={200: {"model": RecipeOut, "description": "A dry run: nothing was made"}},
)
async def apply_recipe(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    settings: SettingsDep,
    idempotency: IdempotencyDep,
    dataset_id: Id,
    version: VersionNumber,
    data: RecipeRequest,
    response: Response,
    dry_run: Annotated[bool, Query()] = False,
) -> RecipeOut:
    """Clean a version into the next one; a dry run tells what each step would do."""
    lineage.require_table(await service.writable_dataset(session, viewer, dataset_id))
    prepared = await lineage.prepare(session, viewer, dataset_id, version, data)
    # Cleaning a large table must hold neither lock nor connection.
    await session.close()
    run = request.app.state.tables.share_of(viewer.user_id, looks=dry_run).run
    blobs: BlobStore = request.app.state.blobs
    async with workspace(settings.home) as folder:
        async with _at_hand(blobs, prepared, folder) as work:
            if dry_run:
                response.status_code = status.HTTP_200_OK
                return _answer(await while_connected(request, run(TRY, work)))
            typed, outcome = await while_connected(request, run(CLEAN, work, folder))
        keep = storing(
            session,
            viewer,
            blobs,
            typed,
            folder=folder,
            quota_bytes=settings.uploads.quota_bytes,
        )

        async def store() -> None:
            # Long after it was first asked; what is seen now is of the storing transaction.
            await lineage.require_joined(session, viewer, prepared)
            await keep()

        row = await service.add_version(
            session, viewer, dataset_id, typed, store=store, idempotency=idempotency
        )
    made = version_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset_id}/versions/{made.version}"
    return _answer(outcome, made)


def _answer(outcome: Outcome, version: VersionOut | None = None) -> RecipeOut:
    return RecipeOut(
        steps=outcome.steps, rows=outcome.rows, columns=outcome.columns, version=version
    )


@router.get(
    "/{dataset_id}/versions/{version}/recipe",
    response_model=RecipeExport,
    responses={200: {"content": {SCRIPT_TYPE: {"schema": {"type": "string"}}}}},
)
async def export_recipe(
    request: Request,
    session: ReadSessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: VersionNumber,
    form: Annotated[RecipeForm, Query(alias="format")] = "json",
) -> RecipeExport | Response:
    """All steps from the upload to a version: as JSON, or as a script that needs polars only."""
    dataset = await DatasetRepository(session, viewer).get(dataset_id)
    lineage.require_table(dataset)
    chain = await lineage.chain_of(session, viewer, dataset_id, version)
    if form == "json":
        return chain.export(version)
    facts = await lineage.script_facts(session, viewer, dataset, chain)
    # Waiting for a process must not hold a connection.
    await session.close()
    run = request.app.state.tables.share_of(viewer.user_id, looks=True).run
    script = run(SCRIPT, facts.start, facts.stages, facts.others)
    text = await while_connected(request, script)
    name = f"{display_name(dataset.name)}-version-{version}.py"
    headers = {"Content-Disposition": disposition(name), "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type=SCRIPT_TYPE, headers=headers)
