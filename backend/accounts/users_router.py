"""One's own account, and the management of all of them."""

from fastapi import APIRouter, Response, status

from backend.accounts import users
from backend.accounts.dependencies import AdminDep, ViewerDep
from backend.accounts.repository import UserRepository
from backend.accounts.schemas import PasswordChange, UserCreate, UserOut, UserUpdate
from backend.core.deps import PageDep, SessionDep, SignerDep
from backend.core.etag import IfMatchDep, check_match, send_etag
from backend.core.schemas import Id, Page
from backend.tables import User

router = APIRouter(tags=["users"])


def _user_out(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        username=user.username,
        kind=user.kind,
        display_name=user.display_name,
        email=user.email,
        email_verified=user.email_verified,
        role=user.platform_role,
        has_password=user.password_hash is not None,
        disabled=user.disabled_at is not None,
        invited_until=None,
        created_at=user.created_at,
    )


@router.get("/users/me")
async def read_me(session: SessionDep, viewer: ViewerDep, response: Response) -> UserOut:
    """The caller's own account."""
    me = _user_out(await UserRepository(session, viewer).get(viewer.user_id))
    send_etag(response, me)
    return me


@router.patch("/users/me")
async def update_me(
    session: SessionDep,
    viewer: ViewerDep,
    data: UserUpdate,
    if_match: IfMatchDep,
    response: Response,
) -> UserOut:
    """Change one's own mail address."""
    user = await UserRepository(session, viewer).get(viewer.user_id, for_update=True)
    check_match(if_match, _user_out(user))
    user.email = data.email
    await session.flush()
    me = _user_out(user)
    send_etag(response, me)
    return me


@router.post("/users/me/password", status_code=status.HTTP_204_NO_CONTENT)
async def change_password(session: SessionDep, viewer: ViewerDep, data: PasswordChange) -> None:
    """Set one's password; every other session of the account ends."""
    await users.change_password(session, viewer, old=data.old_password, new=data.new_password)


@router.get("/users")
async def list_users(
    session: SessionDep, viewer: AdminDep, page: PageDep, signer: SignerDep
) -> Page[UserOut]:
    """All accounts, for administrators."""
    rows, next_cursor = await UserRepository(session, viewer).page(page, signer)
    return Page[UserOut](items=[_user_out(row) for row in rows], next_cursor=next_cursor)


@router.post("/users", status_code=status.HTTP_201_CREATED)
async def create_user(
    session: SessionDep, _admin: AdminDep, data: UserCreate, response: Response
) -> UserOut:
    """A new account, made by an administrator."""
    user = _user_out(await users.create_user(session, data))
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    send_etag(response, user)
    return user


@router.get("/users/{user_id}")
async def read_user(
    session: SessionDep, viewer: AdminDep, user_id: Id, response: Response
) -> UserOut:
    """One account, for administrators."""
    user = _user_out(await UserRepository(session, viewer).get(user_id))
    send_etag(response, user)
    return user
