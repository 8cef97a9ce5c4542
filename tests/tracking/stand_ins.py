"""Other processes that MLflow's server and its recorder talk to: the API, and a bad network."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SERVICE_KEY = "a-service-key-for-tests-0123456789"
TICKET = "gt_fresh_ticket_0001"
SESSION = "gb_session_of_anna_0123456789"
IDENTITIES = {
    "gf_anna": ("anna", "member"),
    "gf_ben": ("ben", "member"),
    "gf_viewer": ("vera", "viewer"),
    "gf_admin": ("root", "admin"),
    "gf_impostor": ("goodfit-service", "member"),
    SESSION: ("anna", "member"),
    "gf_anna_reads": ("anna", "member"),
    "gf_anna_predicts": ("anna", "member"),
    "gf_anna_in_one_project": ("anna", "member"),
}
SCOPES = {"gf_anna_reads": "read", "gf_anna_predicts": "predict"}


class Api(ThreadingHTTPServer):
    """Answers the two questions of the gate as the platform's API does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ApiHandler)
        self.is_broken = False
        self.questions = 0
        self.tickets = {TICKET}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str, key: str | None, content: dict[str, str]) -> tuple[int, object]:
        if self.is_broken:
            return 500, {}
        if key != SERVICE_KEY:
            return 401, {}
        if path == "/api/v1/internal/introspect":
            self.questions += 1
            username, role = IDENTITIES.get(content["token"], (None, None))
            return 200, {
                "active": username is not None,
                "username": username,
                "role": role,
                "scope": SCOPES.get(content["token"], "write") if username else None,
                "project_id": 1 if content["token"] == "gf_anna_in_one_project" else None,
            }
        if path == "/api/v1/internal/tickets/redeem" and content["ticket"] in self.tickets:
            self.tickets.discard(content["ticket"])
            return 200, {"session": SESSION, "max_age": 600}
        return 401, {}


class _ApiHandler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answer(
            self.path, self.headers.get("X-Goodfit-Service-Key"), content
        )
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # the library's name
        pass


class LossyNetwork(ThreadingHTTPServer):
    """Forwards so many requests; then loses the next ones, or their answers, until told."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _LossyHandler)
        self.target = urlsplit(target).netloc
        self.budget = 0
        self.lose_answer = False
        self.lose_reads = True
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spend(self) -> bool:
        with self._lock:
            self.budget -= 1
            return self.budget >= 0

    def is_last_delivered(self) -> bool:
        return self.lose_answer and self.budget == -1


class _LossyHandler(BaseHTTPRequestHandler):
    server: LossyNetwork

    def _forward(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_free = self.command == "GET" and not self.server.lose_reads
        is_delivered = is_free or self.server.spend()
        if not is_delivered and not self.server.is_last_delivered():
            return
        connection = http.client.HTTPConnection(self.server.target, timeout=20)
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        connection.request(self.command, self.path, body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if not is_delivered:
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward

    def log_message(self, format: str, *args: object) -> None:  # the library's name
        pass


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve from a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
