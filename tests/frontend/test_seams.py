"""The places where streamlit-authenticator is taken apart: a new version must not move them."""

import inspect
from importlib.metadata import version

from streamlit import config
from streamlit_authenticator import Authenticate
from streamlit_authenticator.controllers import AuthenticationController, CookieController
from streamlit_authenticator.models import AuthenticationModel

from frontend.identity import BackendModel, BrowserCookie
from frontend.serve import streamlit_options
from frontend.settings import DashboardSettings, Secrets


def test_library_is_the_version_that_was_read() -> None:
    assert version("streamlit-authenticator") == "0.4.2"


def test_model_takes_what_the_librarys_takes() -> None:
    ours, theirs = (
        list(inspect.signature(model.login).parameters)
        for model in (BackendModel, AuthenticationModel)
    )
    assert ours == theirs


def test_cookie_has_the_methods_that_the_widgets_call() -> None:
    source = inspect.getsource(Authenticate)
    for name in ("get_cookie", "set_cookie", "delete_cookie"):
        assert hasattr(CookieController, name)
        assert hasattr(BrowserCookie, name)
        assert f"self.cookie_controller.{name}()" in source


def test_widgets_use_the_controllers_and_attributes_that_are_replaced() -> None:
    login = inspect.getsource(Authenticate.login)
    assert "self.attrs.get('login_sleep_time'" in login
    assert "self.authentication_controller.login(token=token)" in login
    assert "self.authentication_model.logout(callback)" in inspect.getsource(
        AuthenticationController.logout
    )


def test_every_streamlit_option_exists_and_is_safe() -> None:
    key = "k" * 40
    settings = DashboardSettings(
        secrets=Secrets.model_validate({"service_key": key, "cookie_key": key})
    )
    options = streamlit_options(settings)
    assert options.keys() <= config._config_options_template.keys()
    assert options["client.showErrorDetails"] == "none"
    assert options["browser.gatherUsageStats"] is False
    assert options["server.enableXsrfProtection"] is True
