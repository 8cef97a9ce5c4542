"""Personal tokens and service accounts: made, shown once, revoked."""

from datetime import datetime
from typing import Final

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from backend.accounts.schemas import ApiTokenCreate, ServiceAccountCreate
from backend.accounts.token_repository import TokenRepository
from backend.accounts.user_repository import UserRepository
from backend.accounts.users import add_user
from backend.core import audit
from backend.core.access import Viewer
from backend.core.actions import Action
from backend.core.db import database_time
from backend.core.errors import Conflict, NotFound, field_error
from backend.core.security import HINT_LENGTH, PERSONAL_PREFIX, name_key, new_token, token_hash
from backend.settings import AuthSettings
from backend.tables import ApiToken, User

MOST_TOKENS: Final = 100


async def create_service_account(
    session: AsyncSession, viewer: Viewer, data: ServiceAccountCreate
) -> User:
    """An account that nobody signs in to: it has tokens and never a password."""
    user = User(
        username=data.username,
        username_key=name_key(data.username),
        kind="service",
        display_name=data.display_name,
        role=data.role.value,
    )
    await add_user(session, user)
    details = {"kind": user.kind, "role": user.role}
    audit.record(session, viewer, Action.USER_CREATED, audit.about(user), details=details)
    return user


async def get_service_account(
    session: AsyncSession, viewer: Viewer, user_id: int, *, for_update: bool = False
) -> User:
    """The service account; a person is none, also for administrators."""
    user = await UserRepository(session, viewer).get(user_id, for_update=for_update)
    if user.kind != "service":
        raise NotFound("There is no such service account.")
    return user


async def create_token(
    session: AsyncSession, viewer: Viewer, user: User, data: ApiTokenCreate, auth: AuthSettings
) -> tuple[ApiToken, str]:
    """A new token of the account, and its text, which is stored nowhere.

    The caller holds the account's row, so that parallel makers count each other's tokens.
    """
    tokens = TokenRepository(session, viewer, user_id=user.id)
    expires_at = await _expiry(session, data, auth)
    # Absent, foreign and trashed projects are one answer.
    if data.project_id is not None and not await tokens.is_member(data.project_id):
        raise field_error("project_id", msg="the account is a member of no such project")
    if await tokens.count_live() >= MOST_TOKENS:
        raise Conflict(
            f"An account has at most {MOST_TOKENS} tokens. Revoke one that nobody uses.",
            code="too_many_tokens",
        )
    text = new_token(PERSONAL_PREFIX)
    token = ApiToken(
        user_id=user.id,
        name=data.name,
        token_hash=token_hash(text),
        hint=text[:HINT_LENGTH],
        scope=data.scope.value,
        project_id=data.project_id,
        created_by=viewer.user_id,
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    await session.refresh(token, ["created_at"])
    details = {
        "user": user.username,
        "scope": token.scope,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }
    audit.record(session, viewer, Action.TOKEN_CREATED, audit.about(token), details=details)
    return token, text


async def _expiry(
    session: AsyncSession, data: ApiTokenCreate, auth: AuthSettings
) -> datetime | None:
    if "expires_at" not in data.model_fields_set:
        return await database_time(session, after=auth.api_token_lifetime)
    if data.expires_at is not None and data.expires_at <= await database_time(session):
        raise field_error("expires_at", msg="this moment has passed")
    return data.expires_at


async def revoke_token(session: AsyncSession, viewer: Viewer, user: User, token_id: int) -> None:
    """End a token of the account; the next request with it is a 401."""
    token = await TokenRepository(session, viewer, user_id=user.id).get(token_id)
    token.revoked_at = func.now()
    await session.flush()
    details = {"user": user.username}
    audit.record(session, viewer, Action.TOKEN_REVOKED, audit.about(token), details=details)
