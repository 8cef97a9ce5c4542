"""The gate: who comes in, what everybody else is told."""

import pytest

from frontend.state import SessionState
from tests.frontend.conftest import (
    Open,
    go_to,
    labels,
    press,
    stop_answering,
    submit_sign_in,
    texts,
)
from tests.frontend.world import LINK, PASSWORD, World


def test_anonymous_sees_login_form_and_nothing_else(open_page: Open, world: World) -> None:
    app = open_page("fits")
    assert [field.label for field in app.text_input] == ["User name", "Password"]
    assert not app.dataframe
    assert not any("/fits" in call for call in world.calls)


def test_password_opens_home(sign_in: Open) -> None:
    app = sign_in("ada")
    assert not app.exception
    assert [title.value for title in app.title] == ["Home"]
    assert "Signed in as **ada**" in texts(app)


def test_wrong_password_gets_one_text_for_all(open_page: Open) -> None:
    for username in ("ada", "nobody"):
        app = submit_sign_in(open_page(), username, "wrong")
        assert "Wrong user name or password." in texts(app)


def test_password_keeps_its_blanks(open_page: Open, world: World) -> None:
    world.passwords["ada"] = f" {PASSWORD} "
    app = submit_sign_in(open_page(), "ada", f" {PASSWORD} ")
    assert [title.value for title in app.title] == ["Home"]


def test_too_many_tries_tell_how_long_to_wait(open_page: Open) -> None:
    app = submit_sign_in(open_page(), "locked")
    assert "Try again in 5 min" in texts(app).replace("\\", "")


def test_deep_link_survives_sign_in(open_page: Open) -> None:
    app = open_page("fit", id="42")
    assert "You asked for fit 42; you go there next." in texts(app)
    app = submit_sign_in(app, "ada")
    assert "Fit 42" in texts(app)


def test_silent_server_is_not_a_sign_out(sign_in: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = sign_in("ada", "fits")
    kept = app.session_state["goodfit.tokens"]
    stop_answering(monkeypatch)
    app.run()
    assert "The server does not answer. Your form is kept. Try again." in texts(app)
    assert "Password" not in [field.label for field in app.text_input]
    assert app.session_state["goodfit.tokens"] == kept


def test_one_time_link_signs_in_and_leaves_the_address(open_page: Open, world: World) -> None:
    app = open_page(signin=LINK)
    assert [title.value for title in app.title] == ["Home"]
    assert "signin" not in app.query_params
    assert world.link_spent
    assert "Set a password so that you can sign in again" in texts(app)


def test_spent_link_leads_to_the_form(open_page: Open, world: World) -> None:
    world.link_spent = True
    app = open_page(signin=LINK)
    assert "was used already" in texts(app)
    assert "Sign in" in labels(app)


def test_first_password_needs_no_old_one(open_page: Open, world: World) -> None:
    app = go_to(open_page(signin=LINK), "account", part="Password")
    assert [field.label for field in app.text_input] == ["New password", "New password again"]
    for field in app.text_input:
        field.set_value("a sentence is a good password")
    app = press(app, "Set password")
    assert world.passwords["admin"] == "a sentence is a good password"
    assert "The password is set" in texts(app)
    assert "Present password" in [field.label for field in app.text_input]


def test_sign_out_ends_the_session_and_forgets_everything(sign_in: Open, world: World) -> None:
    app = go_to(sign_in("ada"), "fit", id="42")
    token = app.session_state["goodfit.tokens"].access
    app = press(app, "Sign out")
    assert "Password" in [field.label for field in app.text_input]
    assert token not in world.tokens
    kept = {"cookie_job", "sign_in_notice", "sign_in_options", "pages"}
    for name in vars(SessionState).keys() - kept:
        assert f"goodfit.{name}" not in app.session_state
    scripts = [element.proto.body for element in app.get("html")]
    assert sum("'/goodfit/signout'" in script for script in scripts) == 1


def test_session_that_ended_elsewhere_leads_to_the_form(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "fits")
    world.sign_out_everywhere("ada")
    app = app.run()
    assert "Your session has ended" in texts(app)
    assert "Password" in [field.label for field in app.text_input]


def test_expired_access_token_is_renewed_without_a_word(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "fits")
    tokens = app.session_state["goodfit.tokens"]
    del world.tokens[tokens.access]
    app.session_state["goodfit.tokens"] = type(tokens)(tokens.access, tokens.refresh, 0.0)
    app = app.run()
    assert not app.error
    assert app.session_state["goodfit.tokens"].refresh != tokens.refresh


def test_second_user_in_the_same_tab_finds_nothing_of_the_first(
    sign_in: Open, world: World
) -> None:
    app = sign_in("ada", "fit", id="42")
    world.sign_out_everywhere("ada")
    app.run()
    app = submit_sign_in(app, "bob")
    said = texts(app)
    assert "No fit 42, or it is not shared with you." in said
    assert "Ordinary least squares" not in said


def test_mlflow_visitor_is_led_back_to_the_wanted_page(open_page: Open) -> None:
    app = open_page(next="mlflow", path="/?page=2")
    assert "You asked for MLflow" in texts(app)
    app = submit_sign_in(app, "ada")
    links = [element.proto.url for element in app.get("link_button")]
    assert "/goodfit/mlflow?path=/%3Fpage%3D2" in links


def test_cookie_is_asked_for_until_it_was_fetched(sign_in: Open) -> None:
    app = sign_in("ada")
    scripts = [element.proto.body for element in app.get("html")]
    assert any("'/goodfit/session'" in script for script in scripts)
    ticket = app.session_state["goodfit.cookie_ticket"]
    assert any(ticket in script for script in scripts)
    again = [element.proto.body for element in app.run().get("html")]
    assert any(ticket in script for script in again)
