"""Keys by which a repeated request finds what its first try made."""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from backend.tables.base import BigRef, CreatedAt, Table


class IdempotencyKey(Table):
    """One accepted write, by user, route and key."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[BigRef] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    # sha256 of the request: the same key with another body is a mistake, not a repetition.
    fingerprint: Mapped[str]
    resource_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
