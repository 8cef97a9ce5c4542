"""What the dashboard needs to know, read from `GOODFIT_*` (nested with `__`) or `GOODFIT_*_FILE`.

The names are those of the whole product; the dashboard reads few of them, and no database's.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX: Final = "GOODFIT_"
MINIMUM_SECRET_LENGTH: Final = 32


def _names(text: str) -> list[str]:
    """The names in a comma separated setting."""
    return [name.strip() for name in text.split(",") if name.strip()]


class _Area(BaseModel):
    # Settings of the other processes stand in the same environment.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Secrets(_Area):
    """Calls to the API's internal routes, and Streamlit's own cookies."""

    service_key: SecretStr = Field(min_length=MINIMUM_SECRET_LENGTH)
    cookie_key: SecretStr = Field(min_length=MINIMUM_SECRET_LENGTH)


class Urls(_Area):
    """Addresses as people see them, and the API as this process reaches it."""

    api: str = "http://127.0.0.1:8000"
    dashboard: str = "http://127.0.0.1:8501"
    mlflow: str = "http://127.0.0.1:5000"
    api_internal: str | None = None

    @property
    def api_for_processes(self) -> str:
        return (self.api_internal or self.api).rstrip("/")


class Auth(_Area):
    """The cookie that keeps a browser signed in."""

    cookie_name: str = "goodfit_session"
    cookie_secure: bool | None = None
    trusted_proxies: str | None = None


class _FileValues(PydanticBaseSettingsSource):
    """`GOODFIT_X_FILE=/run/secrets/x` stands for `GOODFIT_X=<content of that file>`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise AssertionError(f"not asked field by field: {field_name} {field}")

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, path in os.environ.items():
            if not (name.startswith(ENV_PREFIX) and name.endswith("_FILE") and path):
                continue
            *parents, leaf = name.removeprefix(ENV_PREFIX).removesuffix("_FILE").lower().split("__")
            if "__".join([*parents, leaf]) not in ("secrets__service_key", "secrets__cookie_key"):
                continue
            target = values
            for parent in parents:
                target = target.setdefault(parent, {})
            target[leaf] = Path(path).read_text().strip()
        return values


class DashboardSettings(BaseSettings):
    """The dashboard's part of the product's settings."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True
    )

    secrets: Secrets
    urls: Urls = Urls()
    auth: Auth = Auth()
    host: str = "127.0.0.1"
    dashboard_port: int = Field(8501, ge=1, le=65535)
    allowed_hosts: str = "127.0.0.1,localhost"
    log_level: str = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment beats its `_FILE` form; no dotenv, no secrets folder."""
        return init_settings, env_settings, _FileValues(settings_cls)

    @property
    def cookie_secure(self) -> bool:
        """Whether cookies travel by HTTPS only: as set, else as the public address says."""
        if self.auth.cookie_secure is not None:
            return self.auth.cookie_secure
        return self.urls.dashboard.startswith("https://")

    @property
    def host_names(self) -> list[str]:
        return _names(self.allowed_hosts)

    @property
    def trusted_proxies(self) -> list[str]:
        return _names(self.auth.trusted_proxies or "")


@cache
def dashboard_settings() -> DashboardSettings:
    """The settings of this process, read once."""
    return DashboardSettings()
