"""The own account: profile, password, sessions, tokens."""

from datetime import UTC, datetime, timedelta

from streamlit.testing.v1 import AppTest

from frontend.text import device_name
from tests.frontend.conftest import Open, labels, press, texts
from tests.frontend.world import PASSWORD, World

SENTENCE = "a new sentence is a good password"


def _fill(app: AppTest, label: str, value: str) -> None:
    next(box for box in app.text_input if box.label == label).set_value(value)


def _said(app: AppTest) -> str:
    return texts(app).replace("\\", "")


def test_profile_is_saved(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "account")
    assert "Your role is member: uploads, fits and registers." in texts(app)
    _fill(app, "Display name", " Ada Lovelace ")
    _fill(app, "Mail", "ada@example.org")
    app = press(app, "Save")
    ada = world.users["ada"]
    assert (ada.display_name, ada.email) == ("Ada Lovelace", "ada@example.org")
    assert "Your profile is saved" in texts(app)
    assert "Not verified." in texts(app)


def test_taken_mail_is_said_and_what_was_typed_is_kept(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "account")
    _fill(app, "Mail", "taken@example.org")
    app = press(app, "Save")
    assert "Another account has this mail address" in texts(app)
    assert next(box for box in app.text_input if box.label == "Mail").value == "taken@example.org"
    assert world.users["ada"].email is None


def test_password_needs_the_old_one_and_twice_the_new_one(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "account", part="Password")
    _fill(app, "New password", SENTENCE)
    app = press(app, "Change password")
    assert "Type the present password." in _said(app)
    _fill(app, "Present password", "wrong")
    app = press(app, "Change password")
    assert "The two passwords differ." in _said(app)
    _fill(app, "New password again", SENTENCE)
    app = press(app, "Change password")
    assert "this is not the present password" in texts(app)
    _fill(app, "Present password", PASSWORD)
    app = press(app, "Change password")
    assert world.passwords["ada"] == SENTENCE
    assert "Everywhere else you are signed out" in texts(app)


def test_sessions_tell_device_and_address(sign_in: Open) -> None:
    app = sign_in("ada", "account", part="Sessions")
    assert "2 sessions" in texts(app)
    assert "from 127.0.0.1" in _said(app)
    assert labels(app).count("End") == 1


def test_sign_out_everywhere_asks_and_leads_to_the_form(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "account", part="Sessions"), "Sign out everywhere")
    assert "API tokens go on working" in texts(app)
    assert "ada" in world.tokens.values()
    confirm = next(button for button in app.button if button.key == "everywhere.confirm")
    app = confirm.click().run()
    assert "ada" not in world.tokens.values()
    assert "You are signed out everywhere." in texts(app)
    assert "Password" in [box.label for box in app.text_input]
    assert "goodfit.user" not in app.session_state


def test_token_is_shown_once_with_lines_to_copy(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "account", part="Tokens")
    assert "No tokens." in texts(app)
    app = press(app, "New token")
    _fill(app, "Name", "laptop")
    app = press(app, "Make the token")
    (token,) = world.accounts.tokens.values()
    secret, curl, mlflow = (code.value for code in app.code)
    assert secret == f"gf_secret_{token.id}"
    assert curl.startswith(f"curl -H 'Authorization: Bearer {secret}' http://")
    assert mlflow == (
        f"export MLFLOW_TRACKING_URI=http://mlflow.test\nexport MLFLOW_TRACKING_TOKEN={secret}"
    )
    app = press(app, "I have copied it")
    assert not app.code
    assert list(app.dataframe[0].value["Name"]) == ["laptop"]
    assert app.session_state["goodfit.shown"] is None


def test_token_has_the_chosen_scope_project_and_end(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "account", part="Tokens"), "New token")
    _fill(app, "Name", "shop")
    choices = {"It may": "predict", "It reaches": world.users["ada"].id, "It ends after": "7 days"}
    for box in app.selectbox:
        box.set_value(choices[str(box.label)])
    app = press(app, "Make the token")
    sent = world.accounts.sent[-1]
    assert (sent["scope"], sent["project_id"]) == ("predict", world.users["ada"].id)
    left = sent["expires_at"] - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert len(app.code) == 2  # MLflow knows no tokens of this kind


def test_token_may_never_end(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "account", part="Tokens"), "New token")
    _fill(app, "Name", "shop")
    next(box for box in app.selectbox if box.label == "It ends after").set_value("never")
    app = press(app, "Make the token")
    assert world.accounts.sent[-1]["expires_at"] is None
    assert "never ends" in texts(app)


def test_token_without_a_name_is_refused_beside_the_field(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "account", part="Tokens"), "New token")
    app = press(app, "Make the token")
    assert "Give it a name by which you know it again" in texts(app)
    assert not world.accounts.tokens
    assert "Make the token" in labels(app)


def test_token_is_revoked_after_a_question(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "account", part="Tokens"), "New token")
    _fill(app, "Name", "laptop")
    app = press(press(app, "Make the token"), "I have copied it")
    app = press(app, "Revoke")
    assert world.accounts.tokens
    app = press(app, "Revoke it")
    assert not world.accounts.tokens
    assert "The token laptop is revoked" in texts(app)


def test_device_is_named_in_words() -> None:
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36"
    assert device_name(chrome) == "Chrome on Windows"
    assert device_name("curl/8.5.0") == "curl"
    assert device_name(None) == "Unknown program"
