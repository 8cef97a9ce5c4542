"""How administrators govern accounts."""

import pytest
from streamlit.testing.v1 import AppTest

from backend.accounts.schemas import HoldingOut
from backend.core.access import Role
from tests.frontend.conftest import Open, labels, press, texts
from tests.frontend.world import PASSWORD, World

HOLDING = HoldingOut(
    project_id=1, name="whales", personal=False, members=3, datasets=2, fits=1, models=0
)


@pytest.fixture
def admin(world: World) -> World:
    """A world with two administrators, of whom only `root` has a password."""
    world.add_user("root", Role.ADMIN)
    return world


def _fill(app: AppTest, label: str, value: str) -> None:
    next(box for box in app.text_input if box.label == label).set_value(value)


def _choose(app: AppTest, username: str, admin: World) -> AppTest:
    box = next(box for box in app.selectbox if box.label == "Account")
    return box.set_value(admin.users[username].id).run()


def test_accounts_are_filtered_by_the_server(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "admin")
    assert len(app.dataframe[0].value) == len(admin.users)
    app = app.text_input(key="user_contains").set_value("AD").run()
    assert set(app.dataframe[0].value["User name"]) == {"ada", "admin"}
    app = app.selectbox(key="user_role").set_value("viewer").run()
    assert "No account matches these filters." in texts(app)


def test_account_without_password_is_an_invitation_shown_once(sign_in: Open, admin: World) -> None:
    app = press(sign_in("root", "admin"), "New account")
    _fill(app, "User name", "newton")
    app = press(app, "Create account")
    assert not admin.users["newton"].has_password
    links = [code.value for code in app.code]
    assert links == [f"http://dashboard.test/?invitation={next(iter(admin.accounts.links))}"]
    assert "It lets **newton** choose a password" in texts(app)
    app = press(app, "I have copied it")
    assert not app.code
    assert "Tell the person the password" not in texts(app)
    assert "newton" in set(app.dataframe[0].value["User name"])


def test_account_with_password_needs_no_link(sign_in: Open, admin: World) -> None:
    app = press(sign_in("root", "admin"), "New account")
    _fill(app, "User name", "newton")
    _fill(app, "First password, if no link is wanted", "aaaaaaaaaaaaaa")
    app = press(app, "Create account")
    assert "This password is easy to guess" in texts(app)
    assert next(box for box in app.text_input if box.label == "User name").value == "newton"
    _fill(app, "First password, if no link is wanted", PASSWORD)
    app = press(app, "Create account")
    assert admin.users["newton"].has_password
    assert not app.code
    assert "Tell the person the password" in texts(app)


def test_only_what_was_changed_is_sent(sign_in: Open, admin: World) -> None:
    app = _choose(sign_in("root", "admin"), "ada", admin)
    role = next(box for box in app.selectbox if box.label == "Role" and box.key != "user_role")
    role.set_value("viewer")
    app = press(app, "Save")
    assert admin.accounts.sent[-1] == {"role": "viewer"}
    assert admin.users["ada"].role is Role.VIEWER
    assert "ada is saved" in texts(app)


def test_account_is_disabled_and_enabled(sign_in: Open, admin: World) -> None:
    app = _choose(sign_in("root", "admin"), "ada", admin)
    app = press(app, "Disable")
    assert "signed out at once" in texts(app)
    assert not admin.users["ada"].disabled
    app = press(app, "Disable it")
    assert admin.users["ada"].disabled
    app = press(_choose(app, "ada", admin), "Enable")
    assert not admin.users["ada"].disabled


def test_own_row_offers_nothing_that_locks_oneself_out(sign_in: Open, admin: World) -> None:
    app = _choose(sign_in("root", "admin"), "root", admin)
    assert "This is you" in texts(app)
    assert not {"Disable", "Delete", "Password reset link"} & set(labels(app))
    assert [box.key for box in app.selectbox if box.label == "Role"] == ["user_role"]


def test_last_other_administrator_is_kept(sign_in: Open, admin: World) -> None:
    app = _choose(sign_in("root", "admin"), "admin", admin)
    assert "Delete" in labels(app)
    admin.users["root"] = admin.users["root"].model_copy(update={"kind": "service"})
    app = app.run()
    assert "only administrator who can sign in" in texts(app)
    assert not {"Disable", "Delete"} & set(labels(app))


def test_reset_link_ends_the_sessions_and_is_shown_once(sign_in: Open, admin: World) -> None:
    app = _choose(sign_in("root", "admin"), "ada", admin)
    app = press(press(app, "Password reset link"), "Make the link")
    assert app.code[0].value.startswith("http://dashboard.test/?reset=gl_")
    assert not press(app, "I have copied it").code


def test_invitation_is_made_anew_and_withdrawn(sign_in: Open, admin: World) -> None:
    app = _choose(sign_in("root", "admin"), "admin", admin)
    app = press(press(app, "New invitation link"), "I have copied it")
    assert admin.users["admin"].invited_until is not None
    app = press(press(app, "Withdraw the invitation"), "Withdraw it")
    assert admin.users["admin"].invited_until is None
    assert "Withdraw the invitation" not in labels(app)


def test_deletion_asks_for_an_heir_and_names_what_is_left(sign_in: Open, admin: World) -> None:
    admin.accounts.holdings["ada"] = [HOLDING]
    app = press(_choose(sign_in("root", "admin"), "ada", admin), "Delete")
    shown = [element.value for element in app.text]
    assert "whales: 2 datasets, 1 fit, 0 models, shared with 2 people" in shown
    app = press(app, "Delete the account")
    assert "Choose who gets it, or the trash." in texts(app)
    assert "ada" in admin.users
    heirs = app.selectbox(key="delete_user.heir")
    assert "ada" not in heirs.options
    assert "vic" not in heirs.options
    heirs.set_value("bob")
    app = press(app, "Delete the account")
    assert admin.accounts.sent[-1] == {"heir": "bob"}
    assert "ada" not in admin.users
    assert "The account ada is deleted" in texts(app)


def test_deletion_may_trash_what_is_left(sign_in: Open, admin: World) -> None:
    admin.accounts.holdings["ada"] = [HOLDING]
    app = press(_choose(sign_in("root", "admin"), "ada", admin), "Delete")
    app = app.radio(key="delete_user.way").set_value("Move it to the trash").run()
    press(app, "Delete the account")
    assert admin.accounts.sent[-1] == {"trash": "true"}


def test_deletion_of_who_owns_nothing_needs_no_heir(sign_in: Open, admin: World) -> None:
    app = press(_choose(sign_in("root", "admin"), "ada", admin), "Delete")
    press(app, "Delete the account")
    assert admin.accounts.sent[-1] == {}
    assert "ada" not in admin.users


def test_service_account_gets_and_loses_a_token(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "admin", section="Service accounts")
    assert "No service accounts." in texts(app)
    app = press(app, "New service account")
    _fill(app, "User name", "nightly")
    app = press(app, "Create the account")
    assert admin.users["nightly"].kind == "service"
    app = press(app, "New token")
    _fill(app, "Name", "etl")
    app = press(app, "Make the token")
    (token,) = admin.accounts.tokens.values()
    assert (token.username, token.created_by) == ("nightly", "root")
    assert app.code[0].value == f"gf_secret_{token.id}"
    app = press(press(app, "I have copied it"), "Revoke")
    app = press(app, "Revoke it")
    assert not admin.accounts.tokens
    assert "No tokens." in texts(app)
    assert not {"Password reset link", "New invitation link"} & set(labels(app))
