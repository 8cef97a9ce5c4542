"""The `mlflow` process: what it needs, and what it says when that is missing."""

import os
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType

import pytest
from pydantic import SecretStr

from backend.settings import (
    DatabaseSettings,
    SecretSettings,
    Settings,
    TrackingSettings,
)
from backend.stack.postgres import free_port
from backend.tracking.gate.callers import SERVICE_USERNAME
from backend.tracking.gate.environment import TrackingNotConfigured, database_url
from tests.tracking.conftest import SECRET, MlflowServer

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "backend" / "tracking" / "gate" / "auth.ini"


def make_settings(url: str | None) -> Settings:
    address = None if url is None else SecretStr(url)
    return Settings(
        database=DatabaseSettings(url=SecretStr("postgresql://u:p@127.0.0.1/goodfit")),
        secrets=SecretSettings(
            token_key=SecretStr(SECRET), service_key=SecretStr(SECRET), cookie_key=SecretStr(SECRET)
        ),
        tracking=TrackingSettings(database_url=address, auth_database_url=address),
    )


def run_server(changes: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOODFIT_")},
        "GOODFIT_DATABASE__URL": "postgresql://u:p@127.0.0.1/goodfit",
        "GOODFIT_SECRETS__SERVICE_KEY": SECRET,
        "GOODFIT_SECRETS__TOKEN_KEY": SECRET,
        "GOODFIT_SECRETS__COOKIE_KEY": SECRET,
        **changes,
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "backend.cli", "mlflow"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("password", "reason"),
    [("pass%25word", "cannot reach the database"), ("pass%word", "not a well-formed address")],
)
def test_an_absent_database_is_one_clear_line(password: str, reason: str) -> None:
    url = f"postgresql://goodfit:{password}@127.0.0.1:{free_port()}/mlflow"
    done = run_server(
        {"GOODFIT_TRACKING__DATABASE_URL": url, "GOODFIT_TRACKING__AUTH_DATABASE_URL": url}
    )
    assert done.returncode == 1
    assert f"goodfit: GOODFIT_TRACKING__DATABASE_URL: {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    for form in (password, "pass%word"):
        assert form not in done.stdout + done.stderr


def test_a_missing_setting_is_one_clear_line() -> None:
    done = run_server({})
    assert done.returncode == 2
    assert "goodfit: GOODFIT_TRACKING__DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_the_installed_driver_is_named(scheme: str) -> None:
    # Without a driver's name SQLAlchemy takes another one, depending on its version.
    made = database_url(make_settings(f"{scheme}://u:p@h/mlflow"))
    assert made == "postgresql+psycopg://u:p@h/mlflow"


@pytest.mark.parametrize("url", [None, "sqlite:///mlflow.db", "mlflow"])
def test_another_database_is_refused(url: str | None) -> None:
    with pytest.raises(TrackingNotConfigured, match="GOODFIT_TRACKING__DATABASE_URL"):
        database_url(make_settings(url))


def test_no_secret_stands_in_a_file(mlflow_server: MlflowServer) -> None:
    written = [path for path in mlflow_server.home.rglob("*") if path.is_file()]
    assert mlflow_server.home / "mlflow.log" in written
    for path in [*written, CONFIGURATION]:
        for secret in mlflow_server.passwords:
            assert secret.encode() not in path.read_bytes(), path


def test_the_configuration_denies_by_default() -> None:
    text = CONFIGURATION.read_text()
    assert "default_permission = NO_PERMISSIONS\n" in text
    assert "authorization_function = backend.tracking.gate.authorization:authenticate\n" in text
    assert f"admin_username = {SERVICE_USERNAME}\n" in text


def test_mlflows_own_command_finds_the_gate() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    target = project["project"]["entry-points"]["mlflow.app"]["goodfit"]
    assert isinstance(pkgutil.resolve_name(target), FunctionType)


def test_no_secret_stands_on_the_command_line(mlflow_server: MlflowServer) -> None:
    line = Path(f"/proc/{mlflow_server.pid}/cmdline")
    if not line.exists():
        pytest.skip("this system shows command lines elsewhere")
    arguments = line.read_text()
    assert "mlflow" in arguments
    for secret in mlflow_server.passwords:
        assert secret not in arguments
