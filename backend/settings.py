"""Every setting of every process, read from `GOODFIT_*` (nested with `__`) or `GOODFIT_*_FILE`.

Built once by a composition root and passed on; inner modules never read the environment.
`docs/settings.md` lists each field, which a test checks.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX: Final = "GOODFIT_"
MINIMUM_SECRET_BYTES: Final = 32
ORIGIN: Final = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?"
)
# Values from tutorials and samples: long enough for the length rule, known to everybody.
KNOWN_SECRETS: Final = frozenset(
    {
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "changethischangethischangethischangethis",
        "your-secret-key-your-secret-key-your-secret-key",
    }
)


def _strong(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if len(value.encode()) < MINIMUM_SECRET_BYTES:
        raise ValueError(f"a secret needs at least {MINIMUM_SECRET_BYTES} bytes")
    if value in KNOWN_SECRETS or len(set(value)) < 8:
        raise ValueError("this secret is publicly known or trivial; generate one")
    return secret


def names(text: str | None) -> tuple[str, ...]:
    """The names in a comma separated setting."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def is_confidential(address: str) -> bool:
    """Whether what is sent there is seen by nobody on the way: HTTPS, or this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    on_this_machine = host in ("localhost", "127.0.0.1", "::1")
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and on_this_machine))


StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]


class _Area(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_file_forms(cls, values: Any) -> Any:
        """`URL_FILE` is no misspelt field: `_FileValues` has read it, under the name `URL`."""
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if not name.endswith("_file")}


class DatabaseSettings(_Area):
    """Where the source of truth lives."""

    url: SecretStr = Field(description="PostgreSQL >= 14, `postgresql://user:password@host/name`")
    pool_size: int = Field(5, ge=1, le=100, description="Connections that each process keeps")
    pool_overflow: int = Field(10, ge=0, le=100, description="Connections above that under load")

    def asyncpg_url(self) -> str:
        """The address for asyncpg itself, without SQLAlchemy's driver suffix."""
        scheme, _, rest = self.url.get_secret_value().partition("://")
        return f"{scheme.partition('+')[0]}://{rest}"

    def sqlalchemy_url(self) -> str:
        """The address for SQLAlchemy's async engine."""
        return self.asyncpg_url().replace("://", "+asyncpg://", 1)


class SecretSettings(_Area):
    """Three independent secrets: signing tokens, calls between processes, Streamlit's cookies."""

    token_key: StrongSecret = Field(description="Signs access tokens and page cursors")
    previous_token_key: StrongSecret | None = Field(
        None, description="The key before a change of `token_key`: what it signed still counts"
    )
    service_key: StrongSecret = Field(description="Lets dashboard and MLflow ask the API who calls")
    cookie_key: StrongSecret = Field(description="Signs Streamlit's own cookies")

    @property
    def token_keys(self) -> tuple[str, ...]:
        """The key that signs, and after it the one whose signatures still count."""
        keys = (self.token_key, self.previous_token_key)
        return tuple(key.get_secret_value() for key in keys if key is not None)


class UrlSettings(_Area):
    """Addresses as people see them, and as the processes reach each other."""

    api: str = "http://127.0.0.1:8000"
    dashboard: str = "http://127.0.0.1:8501"
    mlflow: str = "http://127.0.0.1:5000"
    api_internal: str | None = Field(None, description="The API for processes; default: `api`")
    mlflow_internal: str | None = Field(None, description="MLflow for processes; default: `mlflow`")

    @property
    def api_for_processes(self) -> str:
        return self.api_internal or self.api

    @property
    def mlflow_for_processes(self) -> str:
        return self.mlflow_internal or self.mlflow


class AuthSettings(_Area):
    """Lifetimes and limits of signing in."""

    access_token_lifetime: timedelta = timedelta(minutes=10)
    session_lifetime: timedelta = timedelta(hours=12)
    ticket_lifetime: timedelta = timedelta(seconds=60)
    signin_link_lifetime: timedelta = timedelta(hours=1)
    invitation_lifetime: timedelta = timedelta(days=7)
    password_reset_lifetime: timedelta = timedelta(days=1)
    api_token_lifetime: timedelta = Field(
        timedelta(days=90), description="Of personal tokens whose maker names no expiry"
    )
    password_login: bool = Field(True, description="False: only by provider, token or link")
    registration: Literal["off", "on", "domains"] = Field(
        "off", description="Who may make an account: nobody, everybody, or by mail domain"
    )
    registration_domains: str | None = Field(None, description="Mail domains, comma separated")
    attempt_window: timedelta = timedelta(minutes=15)
    attempts_per_account: int = Field(10, ge=1)
    attempts_per_address: int = Field(100, ge=1)
    cookie_name: str = "goodfit_session"
    cookie_secure: bool | None = Field(
        None, description="Cookies travel by HTTPS only; default: as the dashboard's address says"
    )
    trusted_proxies: str | None = Field(
        None, description="Proxies whose X-Forwarded-For counts, comma separated"
    )


class OidcSettings(_Area):
    """Signing in with an account at an OpenID provider; on where `issuer` is set."""

    issuer: str | None = Field(None, description="Its address, under which it describes itself")
    client_id: str | None = None
    client_secret: SecretStr | None = None
    name: str = Field("single sign-on", description="What the sign-in page calls it")
    scopes: str = "openid profile email"
    groups_claim: str = Field("groups", description="The claim that lists a person's groups")
    admin_groups: str | None = Field(None, description="Groups whose people are administrators")
    member_groups: str | None = Field(None, description="Groups whose people are members")
    viewer_groups: str | None = Field(None, description="Groups whose people only read")
    default_role: Literal["member", "viewer", "none"] = Field(
        "member", description="Role of people in none of these groups; none: refused"
    )
    create_accounts: bool = Field(True, description="Whether strangers get an account")
    flow_lifetime: timedelta = Field(
        timedelta(minutes=10), description="How long somebody may take at the provider"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> "OidcSettings":
        if self.issuer is not None and self.client_id is None:
            raise ValueError("an issuer needs a client_id")
        if self.issuer is not None and not is_confidential(self.issuer):
            raise ValueError("an issuer needs https")
        return self

    @property
    def maps_groups(self) -> bool:
        """Whether the provider's groups decide on roles."""
        return any((self.admin_groups, self.member_groups, self.viewer_groups))


class FileSettings(_Area):
    """Where blobs live."""

    url: str | None = Field(None, description="fsspec address; default: `files` in the home")


class UploadSettings(_Area):
    """Bounds on what a user may send."""

    max_bytes: int = Field(2_000_000_000, ge=1_000)
    max_columns: int = Field(2_000, ge=1)
    max_cell_bytes: int = Field(1_000_000, ge=1_000)
    max_prediction_bytes: int = Field(
        50_000_000, ge=1_000, description="Largest file to predict for"
    )
    max_image_bytes: int = Field(10_000_000, ge=1_000, description="Largest image to predict for")
    max_images: int = Field(10_000, ge=1, le=50_000, description="Most images in one archive")
    max_archive_bytes: int = Field(
        1_000_000_000, ge=1_000, description="Most bytes in an archive, and of its images' pixels"
    )
    max_json_bytes: int = Field(10_000_000, ge=1_000, description="Largest JSON request body")
    max_inflated_bytes: int = Field(
        8_000_000_000, ge=1_000, description="Most bytes in a compressed file"
    )
    max_memory_bytes: int = Field(
        3_000_000_000, ge=500_000_000, description="Memory of one process that reads tables"
    )
    max_seconds: int = Field(900, ge=1, description="Longest that one process may work on a table")
    quota_bytes: int = Field(
        20_000_000_000, ge=1_000, description="Most bytes that one user may keep in versions"
    )
    link_lifetime: timedelta = Field(
        timedelta(minutes=10),
        ge=timedelta(seconds=10),
        le=timedelta(days=1),
        description="How long a link to a version's file works",
    )


class FitSettings(_Area):
    """How the worker runs fits."""

    concurrency: int = Field(2, ge=1, le=64, description="Fits that one worker runs at a time")
    max_attempts: int = Field(3, ge=1, le=10, description="Attempts before `worker lost`")
    time_limit: timedelta = timedelta(hours=1)
    lost_after: timedelta = Field(timedelta(seconds=4), description="Silence that means: lost")
    max_active_per_user: int = Field(100, ge=1, description="Queued and running fits of one user")


class TrackingSettings(_Area):
    """MLflow's own store."""

    database_url: SecretStr | None = Field(None, description="MLflow's database, for its server")
    auth_database_url: SecretStr | None = Field(None, description="Its permissions, for its server")
    artifacts_url: str | None = Field(None, description="Default: `mlflow-artifacts` in the home")
    timeout: timedelta = timedelta(seconds=20)


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
            target = values
            for parent in parents:
                target = target.setdefault(parent, {})
            target[leaf] = Path(path).read_text().strip()
        return values


class Settings(BaseSettings):
    """What one process needs to know."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True
    )

    home: Path = Field(Path("var"), description="Everything the embedded stack keeps")
    database: DatabaseSettings
    secrets: SecretSettings
    urls: UrlSettings = UrlSettings()
    auth: AuthSettings = AuthSettings()
    oidc: OidcSettings = OidcSettings()
    files: FileSettings = FileSettings()
    uploads: UploadSettings = UploadSettings()
    fits: FitSettings = FitSettings()
    tracking: TrackingSettings = TrackingSettings()
    host: str = Field("127.0.0.1", description="Address that each server listens on")
    api_port: int = Field(8000, ge=1, le=65535)
    dashboard_port: int = Field(8501, ge=1, le=65535)
    mlflow_port: int = Field(5000, ge=1, le=65535)
    allowed_hosts: str = Field("127.0.0.1,localhost", description="Host names, comma separated")
    cors_origins: str | None = Field(
        None, description="Sites whose pages may call the API, comma separated"
    )
    docs: bool = Field(True, description="Whether /docs and /openapi.json are served")
    log_level: str = "INFO"
    metrics_token: StrongSecret | None = Field(None, description="Lets Prometheus read /metrics")
    admin_username: str | None = Field(None, description="First administrator, made at start")
    admin_password: SecretStr | None = Field(None, description="Its password")

    @model_validator(mode="after")
    def _origins_are_named(self) -> "Settings":
        for origin in names(self.cors_origins):
            if not ORIGIN.fullmatch(origin):
                raise ValueError("cors_origins are like https://lab.example.org, and never *")
        return self

    @model_validator(mode="after")
    def _admin_is_whole(self) -> "Settings":
        if (self.admin_username is None) != (self.admin_password is None):
            raise ValueError("GOODFIT_ADMIN_USERNAME and GOODFIT_ADMIN_PASSWORD go together")
        return self

    @model_validator(mode="after")
    def _somebody_can_sign_in(self) -> "Settings":
        if not self.auth.password_login and self.oidc.issuer is None:
            raise ValueError("without password_login there must be an oidc issuer")
        return self

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
        if self.auth.cookie_secure is not None:
            return self.auth.cookie_secure
        return self.urls.dashboard.startswith("https://")

    @property
    def files_url(self) -> str:
        return self.files.url or f"file://{self.home.resolve() / 'files'}"

    @property
    def artifacts_url(self) -> str:
        return self.tracking.artifacts_url or (self.home.resolve() / "mlflow-artifacts").as_uri()
