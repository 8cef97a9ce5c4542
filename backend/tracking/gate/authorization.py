"""MLflow's view of the caller: its authorization function, and its own table of users."""

import json
import secrets
import threading
import time
from contextvars import ContextVar
from typing import Final, Protocol

from flask import Response
from werkzeug.datastructures import Authorization

from backend.tracking.gate.callers import Caller

# Set by the gate for the task of one request; threads and tasks that serve it inherit it.
current_caller: Final[ContextVar[Caller | None]] = ContextVar("current_caller", default=None)
_SYNCHRONISED_SECONDS: Final = 30.0


def authenticate() -> Authorization | Response:
    """MLflow's `authorization_function`: the caller whom the gate let in, else 401."""
    caller = current_caller.get()
    if caller is None:
        body = json.dumps({"error_code": "UNAUTHENTICATED", "message": "Sign in first."})
        # Never Basic: the browser would ask for a password that nobody has.
        headers = {"WWW-Authenticate": "Bearer"}
        return Response(body, 401, headers, content_type="application/json")
    return Authorization("basic", {"username": caller.username, "password": ""})


class MlflowUser(Protocol):
    """What is read of MLflow's entity."""

    is_admin: bool


class MlflowUserStore(Protocol):
    """What is used of MLflow's store of users."""

    def has_user(self, username: str) -> bool: ...

    def get_user(self, username: str) -> MlflowUser: ...

    def create_user(self, username: str, password: str, is_admin: bool = False) -> object: ...

    def update_user(self, username: str, *, is_admin: bool) -> object: ...


class MlflowAccounts:
    """Keeps MLflow's users in step with the callers that the platform lets in."""

    def __init__(self, store: MlflowUserStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._synchronised: dict[str, tuple[float, bool]] = {}

    def is_synchronised(self, caller: Caller) -> bool:
        """Whether nothing is to be done for a while."""
        until, is_admin = self._synchronised.get(caller.username, (0.0, False))
        return until > time.monotonic() and is_admin == caller.is_admin

    def synchronise(self, caller: Caller) -> None:
        """Make the caller's MLflow user and set its admin flag; blocks on MLflow's database."""
        with self._lock:
            if self.is_synchronised(caller):
                return
            if not self._store.has_user(caller.username):
                self._create(caller)
            if self._store.get_user(caller.username).is_admin != caller.is_admin:
                self._store.update_user(caller.username, is_admin=caller.is_admin)
            until = time.monotonic() + _SYNCHRONISED_SECONDS
            self._synchronised[caller.username] = (until, caller.is_admin)

    def _create(self, caller: Caller) -> None:
        password = secrets.token_urlsafe(32)  # never used: MLflow's own sign-in is off
        try:
            self._store.create_user(caller.username, password, is_admin=caller.is_admin)
        except Exception:
            # The recording of a fit may have made the user meanwhile.
            if not self._store.has_user(caller.username):
                raise
