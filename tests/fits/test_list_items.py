"""An item of a list of fits, written by the database, is what the fit itself answers."""

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.fits.schemas import FitOut, FitSummary
from tests.conftest import SignIn, upload_csv
from tests.fits.made_up import make_up_fit
from tests.registry.registering import V1, make_fit


async def test_an_item_is_what_the_fit_itself_answers(
    sign_in: SignIn, app: FastAPI, sessions: async_sessionmaker[AsyncSession]
) -> None:
    ada = await sign_in("ada")
    dataset_id = (await upload_csv(ada)).json()["id"]
    made = await make_fit(ada, app)
    bare = await make_up_fit(sessions, dataset_id, state="failed", error={"message": "why"})
    queued = await make_up_fit(sessions, dataset_id, state="queued")
    await ada.put(f"{V1}/fits/{bare}/star")
    items = {i["id"]: i for i in (await ada.get(f"{V1}/fits")).json()["items"]}
    assert set(items) == {made, bare, queued}
    for fit_id, item in items.items():
        assert set(item) == set(FitSummary.model_fields)
        whole = FitOut.model_validate((await ada.get(f"{V1}/fits/{fit_id}")).json())
        expected = whole.model_dump(include=set(FitSummary.model_fields))
        assert FitSummary.model_validate(item).model_dump() == expected
    assert items[bare]["starred"]
    assert items[queued]["position"] == 0
