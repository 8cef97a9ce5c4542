"""What is backed up or verified: three databases and two places for files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from backend.operations.backup.manifest import BackupError
from backend.settings import Settings

PRODUCT: Final = "goodfit"
MLFLOW: Final = "mlflow"
MLFLOW_AUTH: Final = "mlflow_auth"
FILES: Final = "files"
ARTIFACTS: Final = "mlflow-artifacts"


@dataclass(frozen=True, slots=True)
class Source:
    """Addresses, with passwords; never shown."""

    databases: Mapping[str, str]
    files_url: str
    artifacts_url: str

    @classmethod
    def of(cls, settings: Settings) -> "Source":
        """The product that the settings describe.

        Raises
        ------
        BackupError
            MLflow's databases are not among the settings.
        """
        tracking = settings.tracking
        return cls(
            databases={
                PRODUCT: settings.database.asyncpg_url(),
                MLFLOW: _address(tracking.database_url, "GOODFIT_TRACKING__DATABASE_URL"),
                MLFLOW_AUTH: _address(
                    tracking.auth_database_url, "GOODFIT_TRACKING__AUTH_DATABASE_URL"
                ),
            },
            files_url=settings.files_url,
            artifacts_url=settings.artifacts_url,
        )


def _address(url: SecretStr | None, variable: str) -> str:
    if url is None:
        raise BackupError(f"{variable}: is not set; a backup holds MLflow's databases, too")
    _, _, rest = url.get_secret_value().partition("://")
    return f"postgresql://{rest}"
