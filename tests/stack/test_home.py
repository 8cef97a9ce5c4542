"""Secrets, lock and state below the home."""

import json
import stat
from pathlib import Path

from backend.stack.home import HomeSecrets, load_secrets, make_home
from backend.stack.logs import ROTATE_BYTES, rotate, tail
from backend.stack.state import HomeLock, Owner, State


def test_secrets_are_made_once_differ_and_are_private(tmp_path: Path) -> None:
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first
    made = {first.token_key, first.service_key, first.cookie_key, first.database_password}
    assert len(made) == 4
    assert min(map(len, made)) >= 32
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert not any(secret in repr(first) for secret in made)


def test_secret_that_is_new_in_this_version_is_added_and_the_others_stay(tmp_path: Path) -> None:
    stored = {"token_key": "t" * 40, "retired": "x"}
    (tmp_path / "secrets.json").write_text(json.dumps(stored))
    loaded = load_secrets(tmp_path)
    assert loaded.token_key == "t" * 40
    assert isinstance(loaded, HomeSecrets)
    assert load_secrets(tmp_path) == loaded


def test_new_home_is_closed_to_others(tmp_path: Path) -> None:
    home = make_home(tmp_path / "a b" / "home")
    assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0
    assert stat.S_IMODE((home / "logs").stat().st_mode) == 0o700


def test_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    make_home(tmp_path)
    first, second = HomeLock(tmp_path), HomeLock(tmp_path)
    assert first.acquire()
    first.sign(Owner(pid=1234, mark="abc"))
    assert not second.acquire()
    assert second.holder() == Owner(pid=1234, mark="abc")
    first.release()
    assert second.holder() is None
    assert second.owner() == Owner(pid=1234, mark="abc")


def test_broken_state_counts_as_none(tmp_path: Path) -> None:
    assert State.read(tmp_path) is None
    (tmp_path / "state.json").write_text("{")
    assert State.read(tmp_path) is None
    State(urls={"api": "http://a"}, pids={"api": 1}).write(tmp_path)
    assert State.read(tmp_path) == State(urls={"api": "http://a"}, pids={"api": 1})


def test_large_log_is_set_aside_and_small_one_stays(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("a line\n")
    rotate(log)
    assert tail(log) == "    a line"
    log.write_bytes(b"x" * (ROTATE_BYTES + 1))
    rotate(log)
    assert not log.exists()
    assert (tmp_path / "api.log.1").stat().st_size == ROTATE_BYTES + 1
    assert tail(log) == ""
