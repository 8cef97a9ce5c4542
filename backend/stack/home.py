"""The folder that holds everything the embedded stack keeps, and the secrets made in it."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

SECRETS_FILE: Final = "secrets.json"
SECRET_BYTES: Final = 48


def _new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


@dataclass(frozen=True)
class HomeSecrets:
    """What is generated once per home; never shown in a repr or a log."""

    token_key: str = field(default_factory=_new_secret, repr=False)
    service_key: str = field(default_factory=_new_secret, repr=False)
    cookie_key: str = field(default_factory=_new_secret, repr=False)
    database_password: str = field(default_factory=_new_secret, repr=False)


def make_home(home: Path) -> Path:
    """Creates the folder for its owner only and answers its absolute path.

    Root's PostgreSQL runs as another account, which must be able to pass through (not to list).
    """
    home = home.expanduser().resolve()
    existed = home.is_dir()
    home.mkdir(parents=True, exist_ok=True)
    if not existed:
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    for name in ("logs", "run"):
        (home / name).mkdir(mode=0o700, exist_ok=True)
    return home


def write_private(path: Path, text: str) -> None:
    """Replaces the file in one step; nobody but its owner can read it at any moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_secrets(home: Path) -> HomeSecrets:
    """The home's secrets; those that are missing are made and kept."""
    path = home / SECRETS_FILE
    known = {entry.name for entry in fields(HomeSecrets)}
    stored: dict[str, str] = {}
    if path.exists():
        stored = {
            name: text for name, text in json.loads(path.read_text()).items() if name in known
        }
    loaded = HomeSecrets(**stored)
    if stored.keys() != known:
        write_private(path, json.dumps(asdict(loaded), indent=1) + "\n")
    return loaded
