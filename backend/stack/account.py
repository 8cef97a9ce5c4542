"""The operating-system account that PostgreSQL's server runs as.

The server refuses to run as root, so root hands it to the unprivileged `nobody`.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

UNPRIVILEGED: Final = "nobody"
# Nothing of the caller's environment, which holds secrets, reaches the server.
SERVER_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class PopenIdentity(TypedDict, total=False):
    """Arguments of `subprocess` that change who runs the program."""

    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True)
class ServerAccount:
    """Whom the server's files belong to, and how its programs are run."""

    uid: int
    gid: int
    identity: PopenIdentity

    @classmethod
    def choose(cls) -> "ServerAccount":
        """The caller itself, or `nobody` when the caller is root."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), PopenIdentity())
        entry = pwd.getpwnam(UNPRIVILEGED)
        identity = PopenIdentity(user=entry.pw_uid, group=entry.pw_gid, extra_groups=())
        return cls(entry.pw_uid, entry.pw_gid, identity)

    def run(
        self, arguments: Sequence[str | Path], *, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program as this account to its end, its two outputs merged."""
        return subprocess.run(  # noqa: S603 - programs of the server, arguments are not a shell's
            [str(argument) for argument in arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            start_new_session=True,  # Ctrl-C must not end it half-way
            env={**SERVER_ENVIRONMENT, **environment},
            **self.identity,
        )

    def own(self, path: Path, *, mode: int) -> None:
        """Makes the path this account's own."""
        path.chmod(mode)
        if self.identity:
            os.chown(path, self.uid, self.gid)

    def can_use(self, folder: Path) -> bool:
        """Whether this account can enter the folder, write into it, and counts as its owner."""
        probe = 'cd "$1" && : >.probe && rm .probe'
        if folder.stat().st_uid != self.uid:
            return False
        return self.run(["/bin/sh", "-c", probe, "sh", folder]).returncode == 0
