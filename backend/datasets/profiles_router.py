"""What is known about the columns of a version, and how two versions differ, over HTTP."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, status
from fastapi.concurrency import run_in_threadpool

from backend.accounts.dependencies import ViewerDep, WriterDep
from backend.core.deps import SessionDep, SettingsDep
from backend.core.schemas import ColumnName, Id, VersionNumber
from backend.datasets.connection import while_connected
from backend.datasets.processes import TableProcesses
from backend.datasets.profile_schemas import ProfileOut, VersionDiff
from backend.datasets.profiles import (
    ComparedVersion,
    check_target,
    profile_out,
    read_stored,
    request_profile,
)
from backend.datasets.repository import VersionRepository
from backend.datasets.workspaces import workspace

router = APIRouter(prefix="/datasets/{dataset_id}/versions/{version}", tags=["datasets"])
ASSOCIATIONS: Final = "backend.datasets.comparing:associations_with"
COMPARE: Final = "backend.datasets.comparing:compare_versions"


@router.get("/profile")
async def read_profile(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    settings: SettingsDep,
    dataset_id: Id,
    version: VersionNumber,
    target: Annotated[
        ColumnName | None, Query(description="A column; how the others go along with it is told")
    ] = None,
) -> ProfileOut:
    """The columns of a version: types, roles, statistics, and what to look at before a fit.

    Types and roles are there at once; statistics of a large table when `state` is `ready`.
    """
    row = await VersionRepository(session, viewer).get(dataset_id, version)
    if target is not None:
        check_target(row, target)
    await session.close()  # reading files must not hold a database connection
    stored = await run_in_threadpool(read_stored, request.app.state.blobs, row)
    if target is None:
        return profile_out(row, stored)
    known = ComparedVersion.of(row)
    tables: TableProcesses = request.app.state.tables
    async with workspace(settings.home) as folder:
        work = tables.share_of(viewer.user_id, looks=True).run(
            ASSOCIATIONS, settings.files_url, folder, known, target
        )
        associations = await while_connected(request, work)
    return profile_out(row, stored, target, associations)


@router.post("/profile", status_code=status.HTTP_202_ACCEPTED)
async def compute_profile(
    session: SessionDep, viewer: WriterDep, dataset_id: Id, version: VersionNumber
) -> ProfileOut:
    """Try a profile again that failed."""
    return profile_out(await request_profile(session, viewer, dataset_id, version), None)


@router.get("/diff")
async def read_diff(
    request: Request,
    session: SessionDep,
    viewer: ViewerDep,
    settings: SettingsDep,
    dataset_id: Id,
    version: VersionNumber,
    against: Annotated[VersionNumber, Query(description="The version to compare with")],
) -> VersionDiff:
    """What changed from the version `against` to this one: columns, rows, distributions."""
    versions = VersionRepository(session, viewer)
    after = ComparedVersion.of(await versions.get(dataset_id, version))
    before = ComparedVersion.of(await versions.get(dataset_id, against))
    await session.close()
    tables: TableProcesses = request.app.state.tables
    async with workspace(settings.home) as folder:
        work = tables.share_of(viewer.user_id, looks=True).run(
            COMPARE, settings.files_url, folder, before, after
        )
        found: VersionDiff = await while_connected(request, work)
    return found
