"""Ways in for people without an account or a password."""

import pytest
from streamlit.testing.v1 import AppTest

from backend.accounts.schemas import SignInOptions
from tests.frontend.conftest import Open, labels, press, stop_answering, submit_sign_in, texts
from tests.frontend.world import World

SENTENCE = "a new sentence is a good password"


def _options(world: World, **more: object) -> None:
    now = world.accounts.options.model_dump()
    world.accounts.options = SignInOptions.model_validate({**now, **more})


def _fill(app: AppTest, **values: str) -> None:
    for label, value in values.items():
        wanted = label.replace("_", " ")
        next(box for box in app.text_input if box.label == wanted).set_value(value)


def _set(app: AppTest, password: str, again: str | None = None) -> AppTest:
    _fill(app, New_password=password, New_password_again=again or password)
    return press(app, "Set the password and sign in")


def test_registration_is_offered_only_where_it_is_on(open_page: Open, world: World) -> None:
    assert "Make an account" not in labels(open_page())
    _options(world, registration="on")
    assert "Make an account" in labels(open_page())
    _options(world, password=False)
    app = open_page()
    assert "Make an account" not in labels(app)
    assert not app.text_input
    assert "Signing in by password is switched off" in texts(app)


def test_account_of_ones_own_is_made_and_signed_in(open_page: Open, world: World) -> None:
    _options(world, registration="on")
    app = press(open_page("fit", id="42"), "Make an account")
    _fill(app, User_name=" newton ", Password=SENTENCE, Password_again="another one")
    app = press(app, "Make the account")
    assert "The two passwords differ" in texts(app)
    _fill(app, Password_again=SENTENCE)
    app = press(app, "Make the account")
    assert world.passwords["newton"] == SENTENCE
    assert "Signed in as **newton**" in texts(app)
    assert "No fit 42, or it is not shared with you." in texts(app)


def test_refused_registration_says_why_beside_the_field(open_page: Open, world: World) -> None:
    _options(world, registration="domains", registration_domains=["example.org"])
    app = press(open_page(), "Make an account")
    assert "At example" in texts(app)
    _fill(app, User_name="newton", Password="aaaaaaaaaaaaaa", Password_again="aaaaaaaaaaaaaa")
    app = press(app, "Make the account")
    assert "This password is easy to guess" in texts(app)
    _fill(app, User_name="ada", Password=SENTENCE, Password_again=SENTENCE)
    app = press(app, "Make the account")
    assert "This user name is taken" in texts(app)
    app = press(app, "I have an account")
    assert "Sign in" in labels(app)


def test_invitation_tells_whose_it_is_and_leads_home(open_page: Open, world: World) -> None:
    world.accounts.add_link("gl_1", "invitation", "bob")
    app = open_page(invitation="gl_1")
    assert "invitation" not in app.query_params
    assert "sets the password of **bob**" in texts(app)
    ends = world.accounts.links["gl_1"].expires_at
    assert f"ends on {ends:%-d %B %Y, %H:%M}" in texts(app)
    app = _set(app, SENTENCE, "another one")
    assert "The two passwords differ" in texts(app)
    app = _set(app, "aaaaaaaaaaaaaa")
    assert "This password is easy to guess" in texts(app)
    checks = [call for call in world.calls if "links/check" in call]
    assert len(checks) == 1
    app = _set(app, SENTENCE)
    assert world.passwords["bob"] == SENTENCE
    assert [title.value for title in app.title] == ["Home"]
    assert "Signed in as **bob**" in texts(app)


@pytest.mark.parametrize("parameter", ["invitation", "reset"])
def test_spent_link_says_so_and_leads_to_the_form(open_page: Open, parameter: str) -> None:
    app = open_page(**{parameter: "gl_9"})
    assert parameter not in app.query_params
    assert "This link was used already, or it has expired." in texts(app)
    app = press(app, "To the sign-in")
    assert "Sign in" in labels(app)


def test_link_that_was_spent_meanwhile_sets_nothing(open_page: Open, world: World) -> None:
    world.accounts.add_link("gl_1", "password_reset", "bob")
    app = open_page(reset="gl_1")
    before = world.passwords["bob"]
    world.accounts.links.clear()
    app = _set(app, SENTENCE)
    assert "This link was used already" in texts(app)
    assert world.passwords["bob"] == before


def test_link_for_another_account_says_who_is_signed_in(sign_in: Open, world: World) -> None:
    world.accounts.add_link("gl_1", "password_reset", "bob")
    app = sign_in("ada", "fits")
    app.session_state["goodfit.password_link"] = "gl_1"
    app = app.run()
    assert "This browser is signed in as ada" in texts(app)
    app = _set(app, SENTENCE)
    assert "Signed in as **bob**" in texts(app)
    assert "goodfit.password_link" not in app.session_state


def test_silent_server_keeps_the_link(
    open_page: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.accounts.add_link("gl_1", "invitation", "bob")
    stop_answering(monkeypatch)
    app = open_page(invitation="gl_1")
    assert "The server does not answer" in texts(app)
    assert app.session_state["goodfit.password_link"] == "gl_1"
    assert "Try again" in labels(app)


def test_typed_name_stays_when_the_server_falls_silent(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page()
    stop_answering(monkeypatch)
    app = submit_sign_in(app, "ada")
    assert "The server does not answer" in texts(app)
