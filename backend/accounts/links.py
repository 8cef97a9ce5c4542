"""One-time links: for the first administrator, for the invited, for who forgot the password."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.db import database_time
from backend.core.security import LINK_PREFIX, new_token, token_hash
from backend.tables import SignInLink, User


async def make_signin_link(session: AsyncSession, user: User, lifetime: timedelta) -> str:
    """The token of a new one-time link for the user."""
    token = new_token(LINK_PREFIX)
    session.add(
        SignInLink(
            token_hash=token_hash(token),
            user_id=user.id,
            expires_at=await database_time(session, after=lifetime),
        )
    )
    await session.flush()
    return token
