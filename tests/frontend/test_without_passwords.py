"""What the pages offer where a provider signs people in, or nobody can be signed in."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from backend.accounts.schemas import SignInOptions
from backend.core.access import Role
from tests.frontend.conftest import Open, go_to, labels, press, said
from tests.frontend.model_world import add_model
from tests.frontend.world import LINK, World

NOTICE = "Set a password so that you can sign in again."


def _options(world: World, **more: object) -> None:
    now = world.accounts.options.model_dump()
    world.accounts.options = SignInOptions.model_validate({**now, **more})


def _only_provider(app: AppTest, world: World) -> None:
    """Passwords are switched off after this tab's sign-in by one."""
    _options(world, password=False, provider="Keycloak")
    app.session_state["goodfit.sign_in_options"] = world.accounts.options


@pytest.fixture
def admin(sign_in: Open, world: World) -> AppTest:
    """The page of an administrator where only a provider signs people in."""
    world.add_user("root", Role.ADMIN)
    app = sign_in("root", "admin")
    _only_provider(app, world)
    return app.run()


def _choose(app: AppTest, username: str, world: World) -> AppTest:
    box = next(box for box in app.selectbox if box.label == "Account")
    return box.set_value(world.users[username].id).run()


def _states(app: AppTest) -> dict[str, str]:
    table = app.dataframe[0].value
    return dict(zip(table["User name"], table["State"], strict=True))


@pytest.mark.parametrize(
    ("mail", "notice"),
    [
        ("newton@example.org", "The person signs in with Keycloak, where they must have the same"),
        ("", "Give it the mail that the person has at Keycloak, so that they can sign in."),
    ],
)
def test_new_account_of_the_provider_needs_no_password(
    admin: AppTest, world: World, mail: str, notice: str
) -> None:
    app = press(admin, "New account")
    assert "The mail address there links the two" in said(app)
    boxes = {box.label: box for box in app.text_input}
    assert not [label for label in boxes if "password" in label.lower()]
    boxes["User name"].set_value("newton")
    boxes["Mail"].set_value(mail)
    app = press(app, "Create account")
    assert (world.users["newton"].email or "") == mail
    assert f"The account newton is made. {notice}" in said(app)
    assert "Tell the person the password" not in said(app)
    assert not app.code


def test_link_for_a_password_is_not_offered(admin: AppTest, world: World) -> None:
    for username in ("ada", "admin"):
        app = _choose(admin, username, world)
        assert "signs in with Keycloak" in said(app)
        assert "Disable" in labels(app)
        assert not {"Password reset link", "New invitation link"} & set(labels(app))


def test_account_page_has_no_password_tab(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "account")
    assert [tab.label for tab in app.tabs][:2] == ["Profile", "Password"]
    _only_provider(app, world)
    app = go_to(app, "account", part="Password")
    assert not app.exception
    assert [tab.label for tab in app.tabs] == ["Profile", "Sessions", "Tokens", "History"]
    assert "New password" not in [box.label for box in app.text_input]


def test_code_to_copy_asks_for_no_password(sign_in: Open, world: World) -> None:
    add_model(world, 3, [42], champion=1)
    app = sign_in("ada", "model", id="3", tab="Use it")
    assert any("Password: " in code.value for code in app.code)
    _only_provider(app, world)
    app = app.run()
    assert not any("Password: " in code.value for code in app.code)
    assert any("read -rsp 'Token: ' GOODFIT_TOKEN" in code.value for code in app.code)


def test_old_link_says_that_passwords_are_not_accepted(open_page: Open, world: World) -> None:
    _options(world, password=False, provider="Keycloak")
    world.accounts.add_link("gl_1", "invitation", "bob")
    app = open_page(invitation="gl_1")
    assert "Sign in with Keycloak." in said(app)
    assert not app.text_input
    assert "gl_1" in world.accounts.links


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        ({}, True),
        ({"provider": "Keycloak"}, False),
        ({"password": False, "provider": "Keycloak"}, False),
    ],
)
def test_password_is_asked_for_where_it_is_the_only_way_back(
    sign_in: Open, world: World, options: dict[str, Any], is_told: bool
) -> None:
    _options(world, **options)
    app = _without_password(sign_in, world)
    assert (NOTICE in said(app)) is is_told


def _without_password(sign_in: Open, world: World) -> AppTest:
    """As after a sign-in by the provider: a session, no password and no link."""
    options, world.accounts.options = (
        world.accounts.options,
        SignInOptions(password=True, registration="off", registration_domains=[], provider=None),
    )
    app = sign_in("ada", "fits")
    world.accounts.options = app.session_state["goodfit.sign_in_options"] = options
    ada = app.session_state["goodfit.user"].model_copy(update={"has_password": False})
    app.session_state["goodfit.user"] = ada
    return go_to(app, "")


def test_one_time_link_asks_for_a_password_beside_a_provider(open_page: Open, world: World) -> None:
    _options(world, provider="Keycloak")
    assert NOTICE in said(open_page(signin=LINK))


def test_account_without_a_way_in_is_not_set_up(sign_in: Open, world: World) -> None:
    world.add_user("root", Role.ADMIN)
    world.add_user("nightly", Role.MEMBER, has_password=False)
    world.users["nightly"] = world.users["nightly"].model_copy(update={"kind": "service"})
    app = sign_in("root", "admin")
    states = _states(app)
    assert (states["admin"], states["ada"], states["nightly"]) == ("not set up", "active", "active")
    app = press(press(_choose(app, "admin", world), "New invitation link"), "I have copied it")
    assert _states(app)["admin"] == "invited"
    app = press(press(app, "Withdraw the invitation"), "Withdraw it")
    assert _states(app)["admin"] == "not set up"
    _options(world, provider="Keycloak")
    app.session_state["goodfit.sign_in_options"] = world.accounts.options
    assert _states(app.run())["admin"] == "active"
