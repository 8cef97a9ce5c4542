"""Cleaning over HTTP: a recipe of steps makes the next version, or tells what it would do."""

import pkgutil
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from backend.accounts.dependencies import WriterDep
from backend.core.deps import SessionDep
from backend.core.errors import Conflict
from backend.core.idempotency import IdempotencyDep
from backend.core.limits import HEAVY_WORK
from backend.core.schemas import Id, VersionNumber
from backend.datasets import service
from backend.datasets.bodies import contents, version_out
from backend.datasets.intake import workspace
from backend.datasets.recipe_schemas import RecipeOut, RecipeRequest
from backend.datasets.repository import VersionRepository

CLEAN: Final = "backend.datasets.cleaning:clean"
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


def _clean(*arguments: Any) -> Any:
    """Loaded with the first recipe, in a thread."""
    return pkgutil.resolve_name(CLEAN)(*arguments)


@router.post(
    "/{dataset_id}/versions/{version}/recipe",
    status_code=status.HTTP_201_CREATED,
    responses={200: {"model": RecipeOut, "description": "A dry run: nothing was made"}},
)
async def apply_recipe(
    request: Request,
    session: SessionDep,
    viewer: WriterDep,
    idempotency: IdempotencyDep,
    dataset_id: Id,
    version: VersionNumber,
    data: RecipeRequest,
    response: Response,
    dry_run: Annotated[bool, Query()] = False,
) -> RecipeOut:
    """Clean a version into the next one; a dry run tells what each step would do."""
    steps_wanted = data.steps or []
    dataset = await service.writable_dataset(session, viewer, dataset_id)
    parent = await VersionRepository(session, viewer).get(dataset_id, version)
    if dataset.kind != "table":
        raise Conflict("This dataset holds images; recipes clean tables.", code="not_a_table")
    # Cleaning a large table must hold neither lock nor connection.
    await session.close()
    blobs = request.app.state.blobs
    async with HEAVY_WORK:
        frame, steps = await run_in_threadpool(_clean, blobs, parent.parquet_sha256, steps_wanted)
    answer = RecipeOut(steps=steps, rows=frame.height, columns=frame.width, version=None)
    if dry_run:
        response.status_code = status.HTTP_200_OK
        return answer
    recipe = [step.model_dump(mode="json") for step in steps_wanted]
    with workspace() as folder:
        upload, typed = await run_in_threadpool(
            contents,
            "keep_cleaned",
            frame,
            folder,
            file_name=parent.file_name,
            recipe=recipe,
            parent_version=version,
        )

        async def store() -> None:
            await run_in_threadpool(contents, "store_upload", upload, typed, blobs)

        row = await service.add_version(
            session, viewer, dataset_id, typed, store=store, idempotency=idempotency
        )
    made = version_out(row)
    response.headers["Location"] = f"/api/v1/datasets/{dataset_id}/versions/{made.version}"
    return answer.model_copy(update={"version": made})
