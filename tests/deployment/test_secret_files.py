"""A process can start with what compose sets for it, its secrets in files."""

import secrets
from pathlib import Path

import pytest
from pydantic import ValidationError

from backend.settings import Settings
from frontend.settings import DashboardSettings
from tests.deployment.test_compose import OURS, SERVICES


def _set_environment(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """As compose sets it, the secrets mounted in `folder`; answers their content by name."""
    contents = {}
    for secret in SERVICES[name]["secrets"]:
        is_url = secret.endswith("_url")
        contents[secret] = "postgresql://a:b@postgres/c" if is_url else secrets.token_urlsafe(32)
        (folder / secret).write_text(contents[secret] + "\n")
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, str(value).replace("/run/secrets", str(folder)))
    return contents


@pytest.mark.parametrize("name", sorted(OURS - {"dashboard"}))
def test_process_reads_its_secrets_from_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = _set_environment(name, tmp_path, monkeypatch)
    settings = Settings()
    assert settings.secrets.service_key.get_secret_value() == contents["service_key"]
    assert settings.host == "127.0.0.1"  # the image says 0.0.0.0
    database = "mlflow_database_url" if name == "mlflow" else "goodfit_database_url"
    assert settings.database.url.get_secret_value() == contents[database]


def test_api_alone_signs_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = _set_environment("api", tmp_path, monkeypatch)
    assert Settings().secrets.token_key.get_secret_value() == contents["token_key"]
    for name in OURS - {"api"}:
        assert "token_key" not in SERVICES[name]["secrets"]


def test_dashboard_reads_its_secrets_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = _set_environment("dashboard", tmp_path, monkeypatch)
    found = DashboardSettings().secrets
    assert found.service_key.get_secret_value() == contents["service_key"]
    assert found.cookie_key.get_secret_value() == contents["cookie_key"]


def test_misspelt_name_of_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_environment("worker", tmp_path, monkeypatch)
    (tmp_path / "size").write_text("5\n")
    monkeypatch.setenv("GOODFIT_DATABASE__POOL_SIZES_FILE", str(tmp_path / "size"))
    with pytest.raises(ValidationError, match="pool_sizes"):
        Settings()
