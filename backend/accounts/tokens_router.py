"""Personal tokens, service accounts, and the tokens of these."""

from fastapi import APIRouter, Response, status

from backend.accounts import tokens
from backend.accounts.dependencies import AdminDep, AdminPersonDep, PersonDep, ViewerDep
from backend.accounts.schemas import (
    ApiTokenCreate,
    ApiTokenCreated,
    ApiTokenOut,
    ServiceAccountCreate,
    UserFilter,
    UserOut,
)
from backend.accounts.token_repository import TokenRepository
from backend.accounts.user_repository import UserRepository
from backend.accounts.users import user_out
from backend.core.access import Scope, Viewer
from backend.core.deps import PageDep, SessionDep, SettingsDep, SignerDep
from backend.core.etag import send_etag
from backend.core.pagination import CursorSigner, PageRequest
from backend.core.schemas import Id, Page
from backend.tables import ApiToken, User

router = APIRouter(tags=["tokens"])


def _token_out(token: ApiToken, user: User, created_by: str) -> ApiTokenOut:
    return ApiTokenOut(
        id=token.id,
        name=token.name,
        hint=token.hint,
        scope=Scope(token.scope),
        project_id=token.project_id,
        username=user.username,
        created_by=created_by,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        last_address=token.last_address,
    )


async def _page(
    session: SessionDep, viewer: Viewer, user: User, page: PageRequest, signer: CursorSigner
) -> Page[ApiTokenOut]:
    repository = TokenRepository(session, viewer, user_id=user.id)
    rows, next_cursor = await repository.page(page, signer)
    makers = await repository.makers(rows)
    items = [_token_out(row, user, makers[row.created_by]) for row in rows]
    return Page[ApiTokenOut](items=items, next_cursor=next_cursor)


async def _create(
    session: SessionDep,
    settings: SettingsDep,
    viewer: Viewer,
    user: User,
    data: ApiTokenCreate,
    response: Response,
) -> ApiTokenCreated:
    token, text = await tokens.create_token(session, viewer, user, data, settings.auth)
    response.headers["Cache-Control"] = "no-store"
    return ApiTokenCreated(**_token_out(token, user, viewer.username).model_dump(), token=text)


@router.get("/tokens")
async def list_tokens(
    session: SessionDep, viewer: ViewerDep, page: PageDep, signer: SignerDep
) -> Page[ApiTokenOut]:
    """One's own tokens that were not revoked."""
    me = await UserRepository(session, viewer).get(viewer.user_id)
    return await _page(session, viewer, me, page, signer)


@router.post("/tokens", status_code=status.HTTP_201_CREATED)
async def create_token(
    session: SessionDep,
    viewer: PersonDep,
    settings: SettingsDep,
    data: ApiTokenCreate,
    response: Response,
) -> ApiTokenCreated:
    """A new token of one's own; its text is shown this once."""
    me = await UserRepository(session, viewer).get(viewer.user_id, for_update=True)
    return await _create(session, settings, viewer, me, data, response)


@router.delete("/tokens/{token_id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_token(session: SessionDep, viewer: PersonDep, token_id: Id) -> None:
    """End one of one's own tokens, with the next request that uses it."""
    me = await UserRepository(session, viewer).get(viewer.user_id)
    await tokens.revoke_token(session, viewer, me, token_id)


@router.get("/service-accounts")
async def list_service_accounts(
    session: SessionDep, viewer: AdminDep, page: PageDep, signer: SignerDep
) -> Page[UserOut]:
    """The accounts for programs."""
    repository = UserRepository(session, viewer)
    rows, next_cursor = await repository.page(page, signer, UserFilter(kind="service"))
    return Page[UserOut](items=[user_out(row) for row in rows], next_cursor=next_cursor)


@router.post("/service-accounts", status_code=status.HTTP_201_CREATED)
async def create_service_account(
    session: SessionDep, viewer: AdminPersonDep, data: ServiceAccountCreate, response: Response
) -> UserOut:
    """An account for programs; it is changed and deleted like every other one."""
    account = user_out(await tokens.create_service_account(session, viewer, data))
    response.headers["Location"] = f"/api/v1/users/{account.id}"
    send_etag(response, account)
    return account


@router.get("/service-accounts/{user_id}/tokens")
async def list_service_tokens(
    session: SessionDep, viewer: AdminDep, user_id: Id, page: PageDep, signer: SignerDep
) -> Page[ApiTokenOut]:
    """The tokens of a service account."""
    user = await tokens.get_service_account(session, viewer, user_id)
    return await _page(session, viewer, user, page, signer)


@router.post("/service-accounts/{user_id}/tokens", status_code=status.HTTP_201_CREATED)
async def create_service_token(
    session: SessionDep,
    viewer: AdminPersonDep,
    settings: SettingsDep,
    user_id: Id,
    data: ApiTokenCreate,
    response: Response,
) -> ApiTokenCreated:
    """A new token of a service account; its text is shown this once."""
    user = await tokens.get_service_account(session, viewer, user_id, for_update=True)
    return await _create(session, settings, viewer, user, data, response)


@router.delete(
    "/service-accounts/{user_id}/tokens/{token_id}", status_code=status.HTTP_204_NO_CONTENT
)
async def revoke_service_token(
    session: SessionDep, viewer: AdminPersonDep, user_id: Id, token_id: Id
) -> None:
    """End a token of a service account, with the next request that uses it."""
    user = await tokens.get_service_account(session, viewer, user_id)
    await tokens.revoke_token(session, viewer, user, token_id)
