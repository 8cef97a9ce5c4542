"""What a backup says about itself; it is written last, so a backup without it is not whole."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1


class BackupError(RuntimeError):
    """It cannot be done; the message is for the person in front of it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Entry):
    """One file of the backup; its path is relative to the backup's folder."""

    path: str
    bytes: int
    sha256: str


class DatabaseEntry(_Entry):
    """One dump, and how many rows each of its tables had in the same snapshot."""

    name: str
    path: str
    revision: str | None
    rows: dict[str, int]


class Manifest(_Entry):
    """Everything that a whole backup consists of."""

    format: Literal[1] = FORMAT
    product_version: str = version("goodfit")
    created_at: AwareDatetime
    postgres_version: str
    databases: list[DatabaseEntry]
    files: list[FileEntry]
    # What the database named and the store did not have, or had damaged.
    missing_blobs: list[str]

    @property
    def total_bytes(self) -> int:
        return sum(entry.bytes for entry in self.files)

    def rows(self) -> dict[str, int]:
        """Rows by database and table."""
        return {
            f"{database.name}.{table}": count
            for database in self.databases
            for table, count in database.rows.items()
        }

    def write(self, folder: Path) -> None:
        """Make the backup whole; everything else is on the disk before."""
        os.sync()
        temporary = folder / f".{MANIFEST}"
        temporary.write_text(self.model_dump_json(indent=1) + "\n")
        temporary.chmod(0o600)
        temporary.replace(folder / MANIFEST)
        os.sync()

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a backup.

        Raises
        ------
        BackupError
            There is none, or it was made by a newer version.
        """
        try:
            return cls.model_validate_json((folder / MANIFEST).read_text())
        except FileNotFoundError:
            raise BackupError(
                f"{folder}: no {MANIFEST}; not a backup, or one that broke off"
            ) from None
        except (ValidationError, OSError, UnicodeDecodeError) as error:
            reason = str(error).partition("\n")[0]
            raise BackupError(f"{folder / MANIFEST} cannot be read: {reason}") from error
