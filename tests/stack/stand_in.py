"""Small programs in place of the product's processes, so that the stack is tested by itself.

`python -m tests.stack.stand_in up HOME` runs the real `up` over them; `... api` is one of them.
Each child of theirs, and each environment, can be found by the tests.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from backend.stack.product import HEARTBEAT_FILE
from backend.stack.up import up


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def program(name: str) -> list[str]:
    """How the stack starts a stand-in."""
    return [sys.executable, "-m", "tests.stack.stand_in", name]


def _serve(name: str) -> None:
    home = Path(os.environ["GOODFIT_HOME"])
    (home / f"{name}.environment.json").write_text(json.dumps(dict(os.environ)))
    if os.environ.get("STAND_IN_FAILS") == name:
        sys.stderr.write("this stand-in cannot start\n")
        sys.exit(1)
    # A grandchild in a session of its own, as a fit's process may be.
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    if os.environ.get("STAND_IN_STUBBORN") == name:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if name == "worker":
        while True:
            (home / HEARTBEAT_FILE).touch()
            time.sleep(0.2)
    port = int(os.environ[f"GOODFIT_{name.upper()}_PORT"])
    with contextlib.suppress(KeyboardInterrupt):
        HTTPServer(("127.0.0.1", port), _Answer).serve_forever()


def main() -> int:
    name = sys.argv[1]
    if name == "up":
        return up(Path(sys.argv[2]), report=_say, program=program)
    if name == "prepare":
        _say("http://127.0.0.1/?signin=stand-in")
        home = Path(os.environ["GOODFIT_HOME"])
        (home / "prepare.environment.json").write_text(json.dumps(dict(os.environ)))
        return 0
    _serve(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
