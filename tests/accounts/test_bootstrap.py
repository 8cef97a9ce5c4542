"""The first administrator: one, however many processes start; no way in that everybody knows."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from pydantic import SecretStr

from backend.bootstrap import create_admin, first_signin_link
from backend.cli import main
from backend.core.errors import AppError
from backend.settings import Settings
from tests.accounts.accounts import NEW_PASSWORD
from tests.conftest import PASSWORD

_numbers = itertools.count(1)


@pytest.fixture
def empty(make_database: Callable[[str], Settings]) -> Settings:
    return make_database(f"bootstrap{next(_numbers)}")


def _query(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database.url.get_secret_value()) as connection:
        return connection.execute(statement.encode()).fetchall()


def _execute(settings: Settings, statement: str) -> None:
    with psycopg.connect(settings.database.url.get_secret_value()) as connection:
        connection.execute(statement.encode())


def test_fifty_parallel_starts_make_one_administrator_and_one_open_link(empty: Settings) -> None:
    with ThreadPoolExecutor(50) as pool:
        links = list(pool.map(lambda _: first_signin_link(empty), range(50)))
    assert len(set(links)) == 50
    assert all(link is not None and "/?signin=gl_" in link for link in links)
    assert _query(empty, "SELECT username, role, password_hash FROM users") == [
        ("admin", "admin", None)
    ]
    opened = "SELECT count(*) FROM signin_links WHERE used_at IS NULL"
    assert _query(empty, opened) == [(1,)]
    made = "SELECT actor_name, object_name FROM audit_events WHERE action = 'user.created'"
    assert _query(empty, made) == [("system", "admin")]


def test_start_prints_no_link_once_an_administrator_can_sign_in(empty: Settings) -> None:
    create_admin(empty, "root", PASSWORD)
    assert first_signin_link(empty) is None
    _execute(empty, "UPDATE users SET disabled_at = now()")
    assert first_signin_link(empty) is not None
    names = _query(empty, "SELECT username FROM users ORDER BY id")
    assert names == [("root",), ("admin",)]


def test_first_administrator_is_nobody_who_has_or_had_the_usual_name(empty: Settings) -> None:
    _execute(
        empty,
        "INSERT INTO users (username, username_key, role, deleted_at)"
        " VALUES ('Admin', 'admin', 'member', now())",
    )
    assert first_signin_link(empty) is not None
    found = _query(empty, "SELECT username FROM users WHERE role = 'admin'")
    assert found == [("admin-2",)]


@pytest.mark.parametrize("password", ["short", "password1234", " " * 12])
def test_administrator_with_a_common_password_is_not_made(empty: Settings, password: str) -> None:
    with pytest.raises((AppError, ValueError), match=r"(?s)password|blank|common|guess"):
        create_admin(empty, "root", password)
    named = empty.model_copy(
        update={"admin_username": "root", "admin_password": SecretStr(password)}
    )
    with pytest.raises((AppError, ValueError)):
        first_signin_link(named)
    assert _query(empty, "SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize("command", ["create-admin", "prepare"])
def test_command_line_names_the_setting_of_a_refused_password(
    empty: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    keys = empty.secrets
    for name, value in {
        "DATABASE__URL": empty.database.url.get_secret_value(),
        "SECRETS__TOKEN_KEY": keys.token_key.get_secret_value(),
        "SECRETS__SERVICE_KEY": keys.service_key.get_secret_value(),
        "SECRETS__COOKIE_KEY": keys.cookie_key.get_secret_value(),
        "HOME": str(empty.home),
        "ADMIN_USERNAME": "root",
        "ADMIN_PASSWORD": "password1234",
    }.items():
        monkeypatch.setenv(f"GOODFIT_{name}", value)
    assert main([command]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("goodfit: GOODFIT_ADMIN_PASSWORD (or typed): This is")
    assert said.err.count("\n") == 1
    assert "password1234" not in said.err + said.out


def test_named_administrator_is_made_once_and_then_left_alone(empty: Settings) -> None:
    named = empty.model_copy(
        update={"admin_username": "root", "admin_password": SecretStr(PASSWORD)}
    )
    assert first_signin_link(named) is None
    create_admin(empty, "other", NEW_PASSWORD)
    _execute(empty, "UPDATE users SET deleted_at = now() WHERE username = 'root'")
    assert first_signin_link(named) is None
    found = _query(empty, "SELECT username FROM users WHERE deleted_at IS NULL")
    assert found == [("other",)]


def test_create_admin_brings_an_administrator_back(empty: Settings) -> None:
    create_admin(empty, "root", PASSWORD)
    _execute(empty, "UPDATE users SET disabled_at = now(), role = 'member'")
    create_admin(empty, "ROOT", NEW_PASSWORD)
    found = _query(empty, "SELECT username, role, disabled_at FROM users")
    assert found == [("root", "admin", None)]
    done = "SELECT action, actor_name, object_name, details FROM audit_events ORDER BY id"
    assert _query(empty, done)[2:] == [
        ("user.role_changed", "system", "root", {"from": "member", "to": "admin"}),
        ("user.enabled", "system", "root", {}),
        ("user.password_changed", "system", "root", {}),
    ]


def test_link_for_an_administrator_who_cannot_sign_in_is_audited(empty: Settings) -> None:
    create_admin(empty, "root", PASSWORD)
    auth = empty.auth.model_copy(update={"password_login": False})
    assert first_signin_link(empty.model_copy(update={"auth": auth})) is not None
    noted = "SELECT actor_name, object_name, details FROM audit_events WHERE action = %s"
    noted = noted.replace("%s", "'user.invited'")
    assert _query(empty, noted) == [("system", "root", {"purpose": "sign_in"})]
