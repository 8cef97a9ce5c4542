"""One's own account, and the management of all of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from backend.accounts import administration, users
from backend.accounts.dependencies import AdminDep, AdminPersonDep, PersonDep, ViewerDep
from backend.accounts.schemas import (
    LinkOut,
    PasswordChange,
    UserAdminUpdate,
    UserCreate,
    UserCreated,
    UserFilter,
    UserKind,
    UserOut,
    UserState,
    UserUpdate,
)
from backend.accounts.user_repository import UserRepository
from backend.accounts.users import user_out
from backend.core.access import Role
from backend.core.deps import PageDep, SessionDep, SessionsDep, SettingsDep, SignerDep
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.schemas import Id, Page, StorableText

router = APIRouter(prefix="/users", tags=["users"])


@router.get("/me")
async def read_me(session: SessionDep, viewer: ViewerDep, response: Response) -> UserOut:
    """The caller's own account."""
    me = user_out(await UserRepository(session, viewer).get(viewer.user_id))
    send_etag(response, me)
    return me


@router.patch("/me")
async def update_me(
    session: SessionDep,
    viewer: PersonDep,
    data: UserUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> UserOut:
    """Change one's own name and mail address."""
    user = await UserRepository(session, viewer).get(viewer.user_id, for_update=True)
    check_match(if_match, user_out(user))
    await users.update_own(session, viewer, user, data)
    me = user_out(user)
    send_etag(response, me)
    return me


@router.post("/me/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(
    sessions: SessionsDep, viewer: PersonDep, settings: SettingsDep, data: PasswordChange
) -> None:
    """Set one's password; every other session of the account ends."""
    await users.change_password(
        sessions, viewer, old=data.old_password, new=data.new_password, auth=settings.auth
    )


async def get_filter(
    name_contains: Annotated[StorableText | None, Query(max_length=200)] = None,
    role: Role | None = None,
    kind: UserKind | None = None,
    state: UserState | None = None,
) -> UserFilter:
    """Which accounts are asked for."""
    return UserFilter(name_contains=name_contains, role=role, kind=kind, state=state)


FilterDep = Annotated[UserFilter, Depends(get_filter)]


@router.get("")
async def list_users(
    session: SessionDep, viewer: AdminDep, page: PageDep, signer: SignerDep, wanted: FilterDep
) -> Page[UserOut]:
    """All accounts, for administrators."""
    accounts = UserRepository(session, viewer)
    rows, next_cursor = await accounts.page(page, signer, wanted)
    invited = await accounts.invited_until([row.id for row in rows])
    items = [user_out(row, invited.get(row.id)) for row in rows]
    return Page[UserOut](items=items, next_cursor=next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_user(
    session: SessionDep,
    viewer: AdminPersonDep,
    settings: SettingsDep,
    data: UserCreate,
    response: Response,
) -> UserCreated:
    """A new account; without a password the answer holds the link that invites its owner."""
    user, invitation = await users.create_user(session, viewer, data, settings)
    made = user_out(user, invitation.expires_at if invitation else None)
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    send_etag(response, made)
    if invitation is not None:
        response.headers["Cache-Control"] = "no-store"
    return UserCreated(**dict(made), invitation=invitation)


@router.get("/{user_id}")
async def read_user(
    session: SessionDep, viewer: AdminDep, user_id: Id, response: Response
) -> UserOut:
    """One account, for administrators."""
    accounts = UserRepository(session, viewer)
    user = await accounts.get(user_id)
    shown = user_out(user, (await accounts.invited_until([user_id])).get(user_id))
    send_etag(response, shown)
    return shown


@router.patch("/{user_id}")
async def update_user(
    session: SessionDep,
    viewer: AdminPersonDep,
    settings: SettingsDep,
    user_id: Id,
    data: UserAdminUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> UserOut:
    """Change role, mail address or name, disable or enable; it counts with the next request."""
    user = await administration.get_for_change(session, viewer, user_id)
    invited = (await UserRepository(session, viewer).invited_until([user_id])).get(user_id)
    check_match(if_match, user_out(user, invited))
    await administration.update_user(session, viewer, user, data, settings)
    shown = user_out(user, invited)
    send_etag(response, shown)
    return shown


@router.post("/{user_id}/invitation", status_code=status.HTTP_201_CREATED)
async def invite_user(
    session: SessionDep,
    viewer: AdminPersonDep,
    settings: SettingsDep,
    user_id: Id,
    response: Response,
) -> LinkOut:
    """A new invitation for somebody without a password; the one before it ends."""
    response.headers["Cache-Control"] = "no-store"
    user = await administration.get_for_change(session, viewer, user_id)
    return await administration.invite(session, viewer, user, settings)


@router.delete("/{user_id}/invitation", status_code=status.HTTP_204_NO_CONTENT)
async def withdraw_invitation(session: SessionDep, viewer: AdminPersonDep, user_id: Id) -> None:
    """End the open invitation."""
    user = await administration.get_for_change(session, viewer, user_id)
    await administration.withdraw_invitation(session, viewer, user)


@router.post("/{user_id}/password-reset", status_code=status.HTTP_201_CREATED)
async def reset_password(
    session: SessionDep,
    viewer: AdminPersonDep,
    settings: SettingsDep,
    user_id: Id,
    response: Response,
) -> LinkOut:
    """A link for a new password; the old one and all sessions end at once, tokens stay."""
    response.headers["Cache-Control"] = "no-store"
    user = await administration.get_for_change(session, viewer, user_id)
    return await administration.reset_password(session, viewer, user, settings)
