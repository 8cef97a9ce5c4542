"""What depends on a dataset, and what becomes of it in the trash, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.db import transaction
from backend.core.deps import SessionDep, SessionsDep
from backend.core.etag import send_etag
from backend.core.schemas import Id, VersionNumber
from backend.datasets import trash
from backend.datasets.purging import remove_files
from backend.datasets.router import dataset_out
from backend.datasets.schemas import DatasetOut
from backend.datasets.usage_schemas import PurgeOut, UsageOut

router = APIRouter(prefix="/datasets/{dataset_id}", tags=["datasets"])


@router.get("/used-by")
async def read_usage(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    dataset_id: Id,
    version: Annotated[VersionNumber | None, Query()] = None,
) -> UsageOut:
    """Fits, models, retrainings and datasets that were made with it; what a purge would free."""
    blobs = request.app.state.blobs
    return await trash.describe_usage(session, viewer, dataset_id, version, blobs)


@router.post("/restore")
async def restore_dataset(
    session: SessionDep, viewer: WriterDep, dataset_id: Id, response: Response
) -> DatasetOut:
    """Take a dataset out of the trash."""
    row = await trash.restore_dataset(session, viewer, dataset_id)
    dataset = await dataset_out(session, viewer, row)
    send_etag(response, dataset)
    return dataset


@router.post("/purge")
async def purge_dataset(
    request: Request, sessions: SessionsDep, viewer: WriterDep, dataset_id: Id
) -> PurgeOut:
    """Delete the files of a dataset in the trash for good; what shares content keeps it."""
    blobs = request.app.state.blobs
    async with transaction(sessions) as session:
        frees = await trash.purge_dataset(session, viewer, dataset_id, blobs)
    # Committed: should this be cut off, a worker removes the files.
    freed = await remove_files(sessions, blobs, dataset_id)
    return PurgeOut(freed_bytes=frees if freed is None else freed)
