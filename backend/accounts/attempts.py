"""Counting failed tries per account and per address, in the database: all processes share it.

Whoever checks a password, a link or a registration calls `refuse_too_many` before and
`count_failure` after a failure, and raises an error that keeps changes. A password takes long to
check, and nothing is held meanwhile: `hold_account` and `refuse_too_many` come once more after it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import audit
from backend.core.actions import Action
from backend.core.db import database_time
from backend.core.errors import FieldProblem, TooManyRequests, Unprocessable
from backend.core.security import name_key
from backend.settings import AuthSettings
from backend.tables import SignInAttempt

# Names longer than any account's are worth no more room.
_LONGEST_KEY: Final = 200
_REGISTRATIONS_PER_ADDRESS: Final = 20
# No key of an account begins with a blank.
_REGISTRATION: Final = " registration"
_REFUSED: Final = " refused"
_UNKNOWN: Final = " unknown"
_UNKNOWN_NAMES_PER_USER: Final = 30


class TooManyTries(TooManyRequests):
    """Too many tries"""

    # The audit's row about it stays.
    keeps_changes = True


class OldPasswordRefused(Unprocessable):
    """The input is not valid"""

    # The wrong guess counts though the request fails.
    keeps_changes = True

    def __init__(self, field: str = "old_password") -> None:
        msg = "this is not the present password"
        super().__init__(
            msg, errors=[FieldProblem(loc=["body", field], msg=msg, type="value_error")]
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    number: int
    oldest: datetime | None


async def hold_account(session: AsyncSession, username: str) -> None:
    """Let nobody else count a try for this name until the transaction ends.

    Parallel tries would all be counted as the first.
    """
    await _lock(session, f"sign in {_account_key(username)}")


async def refuse_too_many(
    session: AsyncSession, *, username: str | None, address: str, auth: AuthSettings
) -> None:
    """429 after too many failures, whatever is tried now; unknown names count like known ones.

    Without a user name only the address counts.
    """
    by_account, by_address = await _count(session, username, address, auth.attempt_window)
    oldest = {
        who: counted.oldest
        for who, counted, limit in (
            (f"account {_account_key(username)}", by_account, auth.attempts_per_account),
            (f"address {address}", by_address, auth.attempts_per_address),
        )
        if counted.number >= limit and counted.oldest is not None
    }
    if oldest:
        for who in oldest:
            await _note_refusal(session, who, username=username, address=address, auth=auth)
        raise await _too_many(session, max(oldest.values()), auth)


async def _note_refusal(
    session: AsyncSession, who: str, *, username: str | None, address: str, auth: AuthSettings
) -> None:
    """One row for the audit per window: an attack of a day shows, and does not fill it."""
    key = f"{_REFUSED} {who}"
    noted = select(func.count()).where(
        SignInAttempt.account_key == key,
        SignInAttempt.created_at > func.now() - auth.attempt_window,
    )
    if await session.scalar(noted):
        return
    await _lock(session, key)
    if await session.scalar(noted):
        return
    session.add(SignInAttempt(account_key=key, address=""))
    audit.record(
        session,
        None,
        Action.SIGN_IN_FAILED,
        outcome="denied",
        actor_name=username,
        address=address,
        details={"reason": "too_many"},
    )
    await session.flush()


async def count_registration(session: AsyncSession, *, address: str, auth: AuthSettings) -> None:
    """Remember that somebody at this address wants an account; 429 after too many of them.

    Each try counts, whatever becomes of it: its answers tell which names are taken.
    """
    await _lock(session, f"register {address}")
    await refuse_too_many(session, username=None, address=address, auth=auth)
    statement = select(func.count(), func.min(SignInAttempt.created_at)).where(
        SignInAttempt.account_key == _REGISTRATION,
        SignInAttempt.address == address,
        SignInAttempt.created_at > func.now() - auth.attempt_window,
    )
    number, oldest = (await session.execute(statement)).one()
    if number >= _REGISTRATIONS_PER_ADDRESS:
        raise await _too_many(session, oldest, auth)
    session.add(SignInAttempt(account_key=_REGISTRATION, address=address))
    await session.flush()


async def refuse_too_many_names(session: AsyncSession, *, user_id: int, auth: AuthSettings) -> None:
    """429 for somebody signed in who named too many people that there are not.

    Also for names that there are: who shares projects must not find out who has an account.
    """
    key = f"{_UNKNOWN} {user_id}"
    await _lock(session, key)
    statement = select(func.count(), func.min(SignInAttempt.created_at)).where(
        SignInAttempt.account_key == key,
        SignInAttempt.created_at > func.now() - auth.attempt_window,
    )
    number, oldest = (await session.execute(statement)).one()
    if number >= _UNKNOWN_NAMES_PER_USER:
        raise await _too_many(session, oldest, auth)


async def count_unknown_name(session: AsyncSession, *, user_id: int) -> None:
    """Remember a name that nobody has; the caller's error must keep it."""
    session.add(SignInAttempt(account_key=f"{_UNKNOWN} {user_id}", address=f"user {user_id}"))
    await session.flush()


async def _too_many(session: AsyncSession, oldest: datetime, auth: AuthSettings) -> TooManyTries:
    wait = auth.attempt_window - (await database_time(session) - oldest)
    seconds = max(1, int(wait.total_seconds()) + 1)
    return TooManyTries(
        f"Too many tries. Try again in {-(-seconds // 60)} min.",
        headers={"Retry-After": str(seconds)},
    )


async def count_failure(session: AsyncSession, *, username: str | None, address: str) -> None:
    """Remember a failed try; the caller's error must keep it."""
    session.add(SignInAttempt(account_key=_account_key(username), address=address))
    await session.flush()


def _account_key(username: str | None) -> str:
    return "" if username is None else name_key(username)[:_LONGEST_KEY]


async def _lock(session: AsyncSession, what: str) -> None:
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))


async def _count(
    session: AsyncSession, username: str | None, address: str, window: timedelta
) -> tuple[_Counted, _Counted]:
    """Failures in the window: of the account from anywhere, of the address for any account."""
    key = _account_key(username)
    by_account = SignInAttempt.account_key == key if key else false()
    by_address = SignInAttempt.address == address
    oldest = func.min(SignInAttempt.created_at)
    statement = select(
        func.count().filter(by_account),
        oldest.filter(by_account),
        func.count().filter(by_address),
        oldest.filter(by_address),
    ).where(SignInAttempt.created_at > func.now() - window, or_(by_account, by_address))
    row = (await session.execute(statement)).one()
    return _Counted(row[0], row[1]), _Counted(row[2], row[3])
