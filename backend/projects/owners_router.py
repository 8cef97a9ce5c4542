"""Deleting accounts; the routes stand here because accounts own projects."""

from typing import Annotated

from fastapi import APIRouter, Query, status

from backend.accounts import administration
from backend.accounts.dependencies import AdminDep, AdminPersonDep
from backend.accounts.schemas import HoldingOut, HoldingsOut, Username
from backend.accounts.user_repository import UserRepository
from backend.accounts.users import user_out
from backend.core.deps import SessionDep, SettingsDep
from backend.core.etag import IfMatchDep, check_match
from backend.core.schemas import Id
from backend.projects import leaving
from backend.projects.holdings import Holding, holdings

router = APIRouter(prefix="/users/{user_id}", tags=["users"])


def _holding_out(holding: Holding) -> HoldingOut:
    return HoldingOut(
        project_id=holding.project.id,
        name=holding.project.name,
        personal=holding.project.personal,
        members=holding.members,
        datasets=holding.datasets,
        fits=holding.fits,
        models=holding.models,
    )


@router.get("/holdings")
async def read_holdings(session: SessionDep, viewer: AdminDep, user_id: Id) -> HoldingsOut:
    """What would need an heir if the account were deleted; empty projects need none."""
    user = await UserRepository(session, viewer).get(user_id)
    held = await holdings(session, user.id)
    return HoldingsOut(items=[_holding_out(one) for one in held if not one.is_empty])


@router.delete("", status_code=status.HTTP_204_NO_CONTENT)
async def delete_user(
    session: SessionDep,
    viewer: AdminPersonDep,
    settings: SettingsDep,
    user_id: Id,
    if_match: IfMatchDep,
    heir: Username | None = None,
    trash: Annotated[bool, Query()] = False,
) -> None:
    """Delete an account; what only it owned goes to the heir or to the trash."""
    user = await administration.get_for_change(session, viewer, user_id)
    invited = (await UserRepository(session, viewer).invited_until([user_id])).get(user_id)
    check_match(if_match, user_out(user, invited))
    await leaving.delete_user(session, viewer, user, settings, heir=heir, trash=trash)
