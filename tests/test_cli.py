"""The command line as a person meets it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "hunter2-hunter2-hunter2"
COMPLETE = {
    "GOODFIT_DATABASE__URL": "postgresql://user:password@127.0.0.1:1/name",
    "GOODFIT_SECRETS__TOKEN_KEY": "token-key-0123456789-abcdefghijklmnop",
    "GOODFIT_SECRETS__SERVICE_KEY": "service-key-0123456789-abcdefghijklm",
    "GOODFIT_SECRETS__COOKIE_KEY": "cookie-key-0123456789-abcdefghijklmn",
}


def _goodfit(
    *arguments: str, text: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOODFIT_")}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "backend.cli", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**kept, **environment},
    )


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in COMPLETE.items() if key != name}


def test_help_lists_every_command() -> None:
    answer = _goodfit("--help")
    assert answer.returncode == 0
    for name in (
        "up", "down", "status", "api", "worker", "mlflow", "dashboard", "migrate", "create-admin"
    ):  # fmt: skip
        assert f"\n    {name}" in answer.stdout


@pytest.mark.parametrize("arguments", [(), ("upp",), ("up", "--fast")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    answer = _goodfit(*arguments)
    assert answer.returncode == 2
    assert "usage: goodfit" in answer.stderr


@pytest.mark.parametrize("command", ["api", "worker", "mlflow", "migrate"])
@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_missing_setting_is_one_line_that_names_it(command: str, name: str, tmp_path: Path) -> None:
    answer = _goodfit(command, **_without(name), GOODFIT_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr == f"goodfit: {name}: is not set\n"
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOODFIT_SECRETS__TOKEN_KEY", SECRET),
        ("GOODFIT_SECRETS__COOKIE_KEY", "a" * 40),
        ("GOODFIT_DATABASE__POOL_SIZE", SECRET),
        ("GOODFIT_AUTH__SESSION_LIFETIME", SECRET),
        ("GOODFIT_API_PORT", "70000"),
    ],
)
def test_wrong_setting_is_one_line_without_its_value(name: str, value: str) -> None:
    answer = _goodfit("api", **{**COMPLETE, name: value})
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"goodfit: {name}: ")
    assert answer.stderr.count("\n") == 1
    assert value not in answer.stderr


def test_area_that_is_set_as_a_whole_is_explained() -> None:
    answer = _goodfit("api", **COMPLETE, GOODFIT_FITS=SECRET)
    assert answer.returncode == 2
    assert answer.stderr.startswith("goodfit: GOODFIT_FITS: ")
    assert SECRET not in answer.stderr


def test_file_of_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    name = "GOODFIT_SECRETS__TOKEN_KEY"
    answer = _goodfit("api", **_without(name), **{f"{name}_FILE": str(tmp_path / "absent")})
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"goodfit: {name}_FILE: cannot read the file")


def test_dashboard_alone_names_the_setting_that_it_misses() -> None:
    answer = _goodfit("dashboard", **_without("GOODFIT_SECRETS__COOKIE_KEY"))
    assert answer.returncode == 2
    assert answer.stderr == "goodfit: GOODFIT_SECRETS__COOKIE_KEY: is not set\n"


@pytest.mark.parametrize("command", ["create-admin", "signin-link"])
def test_command_for_a_running_stack_says_that_none_runs(command: str, tmp_path: Path) -> None:
    answer = _goodfit(command, GOODFIT_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert answer.stderr == (
        f"goodfit: GOODFIT_DATABASE__URL: is not set, and no stack runs in {tmp_path}\n"
    )


def test_half_an_administrator_is_refused() -> None:
    answer = _goodfit("migrate", **COMPLETE, GOODFIT_ADMIN_PASSWORD=SECRET)
    assert answer.returncode == 2
    assert "GOODFIT_ADMIN_USERNAME" in answer.stderr
    assert SECRET not in answer.stderr


def test_database_that_does_not_answer_is_one_line() -> None:
    answer = _goodfit("migrate", **COMPLETE)
    assert answer.returncode == 1
    assert answer.stderr.startswith("goodfit: GOODFIT_DATABASE__URL: cannot reach it")
    assert answer.stderr.count("\n") == 1
    assert "password" not in answer.stderr


def test_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    answer = _goodfit("up", "--home", str(occupied / "home"))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"goodfit: {occupied}")
    assert answer.stderr.count("\n") == 1


def test_status_and_down_of_a_home_that_is_not_there_make_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert _goodfit("status", GOODFIT_HOME=str(home)).returncode == 3
    assert _goodfit("down", GOODFIT_HOME=str(home)).returncode == 0
    assert not home.exists()


def test_command_line_is_light_until_it_knows_what_to_do() -> None:
    program = (
        "import sys, backend.cli\n"
        "import backend.stack.up, backend.stack.control\n"
        "heavy = {'sqlalchemy', 'fastapi', 'pydantic', 'asyncpg', 'psycopg', 'numpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    answer = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
