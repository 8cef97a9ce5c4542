"""Brings the database to the schema of this code."""

from alembic import command
from alembic.config import Config

from backend.core.schema_check import MIGRATIONS, ROOT
from backend.settings import Settings


def alembic_config() -> Config:
    """Alembic's configuration, found beside the package; wherever the process was started."""
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(settings: Settings) -> None:
    """Run the missing migrations; several processes may try at once, one does it."""
    config = alembic_config()
    config.attributes["url"] = settings.database.url.get_secret_value()
    command.upgrade(config, "head")
