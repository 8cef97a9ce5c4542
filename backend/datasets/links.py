"""Links under which one version can be downloaded without a sign-in, for a short time.

A link carries who made it, and is worth what they may read when it is used.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.access import Role, Scope, Viewer
from backend.core.audit import Action, about
from backend.core.db import database_time
from backend.core.errors import Absent, NotFound
from backend.core.security import DOWNLOAD_PREFIX
from backend.datasets.schemas import DownloadFormat
from backend.datasets.service import fetch_version
from backend.tables import ApiToken, Dataset, DatasetVersion, SignInSession, User

SIGNATURE_BYTES: Final = 32
LONGEST_TOKEN: Final = 400
REFUSED: Final = "This link is not valid, or not any more. Ask for a new one."


@dataclass(frozen=True, slots=True)
class Claims:
    """What a link is good for, and in whose name."""

    user_id: int
    # The personal token that made it, if one did; the link ends with it.
    token_id: int | None
    dataset_id: int
    version: int
    format: DownloadFormat
    # Seconds since 1970.
    expires: int
    # The sign-in that made it, if one did.
    session_id: int | None = None


class LinkSigner:
    """The first key signs; what the others signed still counts."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [hashlib.sha256(b"download-link" + key.encode()).digest() for key in keys]

    def encode(self, claims: Claims) -> str:
        fields = [
            claims.user_id,
            claims.token_id,
            claims.dataset_id,
            claims.version,
            claims.format,
            claims.expires,
            claims.session_id,
        ]
        payload = json.dumps(fields, separators=(",", ":")).encode()
        signed = hmac.digest(self._keys[0], payload, "sha256") + payload
        return DOWNLOAD_PREFIX + base64.urlsafe_b64encode(signed).decode().rstrip("=")

    def decode(self, token: str) -> Claims:
        """What a token made by `encode` says.

        Raises
        ------
        Absent
            It was not made here, or changed since.
        """
        text = token.removeprefix(DOWNLOAD_PREFIX)
        if len(token) > LONGEST_TOKEN or text == token or not token.isascii():
            raise Absent(REFUSED)
        try:
            padded = text + "=" * (-len(text) % 4)
            signed = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise Absent(REFUSED) from None
        signature, payload = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        own = [hmac.digest(key, payload, "sha256") for key in self._keys]
        is_canonical = base64.urlsafe_b64encode(signed).decode().rstrip("=") == text
        if (
            not payload
            or not is_canonical
            or not any(hmac.compare_digest(signature, each) for each in own)
        ):
            raise Absent(REFUSED)
        return Claims(*json.loads(payload))


async def make_link(
    session: AsyncSession,
    viewer: Viewer,
    signer: LinkSigner,
    *,
    dataset_id: int,
    version: int,
    form: DownloadFormat,
    lifetime: timedelta,
) -> tuple[str, datetime]:
    """A token for one file of a version that the viewer may read, and when it ends."""
    dataset, row = await fetch_version(session, viewer, dataset_id, version)
    ends = await database_time(session, after=lifetime)
    claims = Claims(
        user_id=viewer.user_id,
        token_id=viewer.token_id,
        dataset_id=dataset.id,
        version=row.version,
        format=form,
        expires=int(ends.timestamp()),
        session_id=viewer.session_id,
    )
    details = {"version": row.version, "format": form, "expires_at": ends.isoformat()}
    audit.record(session, viewer, Action.DATASET_LINKED, about(dataset), details=details)
    return signer.encode(claims), ends.replace(microsecond=0)


async def follow_link(
    session: AsyncSession, claims: Claims, *, address: str
) -> tuple[Viewer, Dataset, DatasetVersion]:
    """The file's version, if who made the link may still read it; else as if it were no link."""
    viewer = await _find_maker(session, claims, address)
    if viewer is None:
        raise Absent(REFUSED)
    try:
        dataset, version = await fetch_version(session, viewer, claims.dataset_id, claims.version)
    except NotFound:
        raise Absent(REFUSED) from None
    return viewer, dataset, version


async def _find_maker(session: AsyncSession, claims: Claims, address: str) -> Viewer | None:
    """Who made the link, as they are now; None once that, its token or sign-in has ended."""
    by_token = (ApiToken.id == claims.token_id) & (ApiToken.user_id == User.id)
    statement = (
        select(User.username, User.role, ApiToken)
        .outerjoin(ApiToken, by_token)
        .where(User.id == claims.user_id)
        .where(User.disabled_at.is_(None), User.deleted_at.is_(None))
        .where(func.now() < func.to_timestamp(claims.expires))
        .where(ApiToken.revoked_at.is_(None))
        .where(or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now()))
    )
    if claims.session_id is not None:
        statement = statement.join(
            SignInSession,
            (SignInSession.id == claims.session_id) & (SignInSession.user_id == User.id),
        ).where(SignInSession.revoked_at.is_(None))
    row = (await session.execute(statement)).one_or_none()
    if row is None or (claims.token_id is not None and row.ApiToken is None):
        return None
    return Viewer(
        user_id=claims.user_id,
        username=row.username,
        role=Role(row.role),
        scope=Scope.READ,
        token_id=claims.token_id,
        project_id=None if row.ApiToken is None else row.ApiToken.project_id,
        address=address,
    )
