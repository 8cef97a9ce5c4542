"""What every route may ask for: the one session of a request, settings, paging."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.db import SessionFactory, transaction
from backend.core.pagination import CursorSigner, PageRequest
from backend.core.schemas import StorableText
from backend.settings import Settings


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Commit after the endpoint and before the response, else roll back."""
    async with transaction(request.app.state.sessions) as session:
        yield session


# scope="function": with the default scope the commit would come after the response was sent,
# and a failing commit would have answered 200. Never write Depends(get_session) elsewhere.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def provide_sessions(request: Request) -> SessionFactory:
    """For routes with slow work between short transactions: nothing is held meanwhile."""
    sessions: SessionFactory = request.app.state.sessions
    return sessions


SessionsDep = Annotated[SessionFactory, Depends(provide_sessions)]


async def get_read_session(request: Request) -> AsyncIterator[AsyncSession]:
    """For routes that look something up and then compute; nothing is kept that they change."""
    async with request.app.state.read_sessions() as session:
        yield session


ReadSessionDep = Annotated[AsyncSession, Depends(get_read_session, scope="function")]


# Async although nothing is awaited: FastAPI sends each plain function to a thread.
async def get_settings(request: Request) -> Settings:
    """The settings that the application was built with."""
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(get_settings)]


async def get_page(
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[StorableText | None, Query(max_length=2_000)] = None,
    sort: Annotated[
        StorableText, Query(max_length=100, description="A field, descending with a leading -")
    ] = "-created_at",
) -> PageRequest:
    """Which page of a list is asked for."""
    return PageRequest(limit=limit, cursor=cursor, sort=sort)


PageDep = Annotated[PageRequest, Depends(get_page)]


async def get_signer(request: Request) -> CursorSigner:
    """Signs and checks page cursors."""
    signer: CursorSigner = request.app.state.cursor_signer
    return signer


SignerDep = Annotated[CursorSigner, Depends(get_signer)]
