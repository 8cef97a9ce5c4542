"""Fits that one person asks for at the same moment do not pass the bound together."""

import asyncio
from collections.abc import Callable

import httpx

from backend.bootstrap import create_admin
from backend.main import create_app
from backend.settings import Settings
from tests.accounts.accounts import bearer, sign_in_with
from tests.conftest import PASSWORD, upload_csv

V1 = "/api/v1"
BOUND = 3


async def test_parallel_requests_stay_within_the_bound(
    make_database: Callable[[str], Settings],
) -> None:
    own = await asyncio.to_thread(make_database, "bounds")
    await asyncio.to_thread(create_admin, own, "root", PASSWORD)
    few = own.fits.model_copy(update={"max_active_per_user": BOUND})
    app = create_app(own.model_copy(update={"fits": few}))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        client.headers.update(bearer(await sign_in_with(client, "root", PASSWORD)))
        table = b"x,y\n" + b"".join(b"%d,%d\n" % (row % 7, row * 3) for row in range(20))
        asked = {"dataset_id": (await upload_csv(client, table)).json()["id"], "target": "y"}
        fit, board = {**asked, "estimator": "ridge"}, {**asked, "estimators": ["ridge", "lasso"]}
        answers = await asyncio.gather(
            *(client.post(f"{V1}/fits", json=fit) for _ in range(6)),
            *(client.post(f"{V1}/leaderboards", json=board) for _ in range(2)),
        )
        listed = (await client.get(f"{V1}/fits")).json()["items"]
    assert {answer.status_code for answer in answers} == {202, 429}
    assert len(listed) == BOUND
