"""The audit of administrators, one's own history, and the file of it."""

from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest
from starlette.applications import Starlette

from backend.core.access import Role
from frontend.routes import Bridge
from frontend.settings import dashboard_settings
from tests.frontend.conftest import Open, labels, press, texts
from tests.frontend.world import World


@pytest.fixture(name="admin")
def _admin(world: World) -> World:
    """A world with an administrator and 60 deeds."""
    world.add_user("root", Role.ADMIN)
    for number in range(60, 0, -1):
        world.accounts.add_event(number, "ada", "user.updated")
    world.accounts.events[0] = world.accounts.events[0].model_copy(
        update={"details": {"why": "![x](http://evil.test/x.png)"}, "outcome": "denied"}
    )
    return world


@pytest.mark.usefixtures("admin")
def test_pages_are_turned_back_and_forth(sign_in: Open) -> None:
    app = sign_in("root", "admin", section="Audit")
    assert list(app.dataframe[0].value["No."])[:2] == [60, 59]
    app = press(app, "Older")
    assert list(app.dataframe[0].value["No."])[-1] == 1
    assert "51 to 60, the newest first" in texts(app)
    assert next(button for button in app.button if button.label == "Older").disabled
    app = press(app, "Newer")
    assert list(app.dataframe[0].value["No."])[:2] == [60, 59]


def test_filters_are_sent_and_lead_to_the_first_page(sign_in: Open, admin: World) -> None:
    app = press(sign_in("root", "admin", section="Audit"), "Older")
    app.text_input(key="audit.who").set_value(" ada ")
    app.selectbox(key="audit.outcome").set_value("denied")
    app.number_input(key="audit.number").set_value(1)
    app.date_input(key="audit.until").set_value(date(2026, 1, 31))
    app = app.run()
    sent = {"actor": "ada", "outcome": "denied", "object_id": "1", "limit": "50"}
    assert admin.accounts.sent[-1] == {**sent, "until": "2026-02-01T00:00:00+00:00"}
    assert list(app.dataframe[0].value["No."]) == [60]
    (download,) = [link.proto.url for link in app.get("link_button") if "audit" in link.proto.url]
    assert download == (
        "/goodfit/audit.csv?actor=ada&outcome=denied&object_id=1"
        "&until=2026-02-01T00%3A00%3A00%2B00%3A00"
    )


@pytest.mark.usefixtures("admin")
def test_details_are_shown_as_they_are(sign_in: Open) -> None:
    app = sign_in("root", "admin", section="Audit")
    assert "![x](http://evil.test/x.png)" in app.code[0].value
    assert "![x]" not in texts(app)


def test_own_history_has_the_own_deeds_only(sign_in: Open, admin: World) -> None:
    admin.accounts.add_event(61, "bob", "user.created")
    app = sign_in("bob", "account", part="History")
    assert list(app.dataframe[0].value["What"]) == ["user.created"]
    assert not any(label == "Who" for label in [box.label for box in app.text_input])
    assert not app.get("link_button")[1:]
    app = app.selectbox(key="audit.what").set_value("user.disabled").run()
    assert "Nothing was noted that matches these filters." in texts(app)
    assert "Revoke" not in labels(app)


@pytest.fixture
async def browser(api_address: str) -> AsyncIterator[httpx.AsyncClient]:
    assert api_address
    bridge = Bridge(dashboard_settings())
    transport = httpx.ASGITransport(Starlette(routes=bridge.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://d.test") as client:
        yield client
    await bridge.close()


async def test_file_of_the_audit_is_for_administrators(
    browser: httpx.AsyncClient, admin: World
) -> None:
    answer = await browser.get("/goodfit/audit.csv")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin?section=Audit")
    browser.cookies.set("goodfit_session", admin.new_token("gb_", "bob"))
    answer = await browser.get("/goodfit/audit.csv")
    assert answer.status_code == 403
    assert "for administrators" in answer.text


async def test_file_of_the_audit_keeps_the_filters(
    browser: httpx.AsyncClient, admin: World
) -> None:
    browser.cookies.set("goodfit_session", admin.new_token("gb_", "root"))
    query = {"action": "user.updated", "limit": "9", "outcome": "denied"}
    answer = await browser.get("/goodfit/audit.csv", params=query)
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.text == "id\r\n60\r\n"
    assert admin.accounts.sent[-1] == {"action": "user.updated", "outcome": "denied"}
