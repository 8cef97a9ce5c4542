"""`goodfit`: the whole product in one command, or each of its processes alone.

Nothing heavy is imported before it is known what to do: `up` and `status` need no database driver.
"""

import argparse
import getpass
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

HOME_VARIABLE: Final = "GOODFIT_HOME"
DEFAULT_HOME: Final = "var"
ERROR: Final = 1
SETTINGS_ERROR: Final = 2
INTERRUPTED: Final = 130
# Each takes the settings and returns when its process is to end.
SERVERS: Final = {
    "api": ("backend.main:serve", "serve the HTTP API"),
    "worker": ("backend.worker:serve", "take jobs from the queue and run them"),
    "mlflow": ("backend.tracking.gate.server:serve", "serve MLflow behind the common login"),
}
DASHBOARD: Final = "frontend.serve:serve"
DATABASE_VARIABLES: Final = ("GOODFIT_DATABASE__URL", "GOODFIT_DATABASE__URL_FILE")
OPERATION_ERRORS: Final = (
    "backend.operations.backup.manifest:BackupError",
    "backend.stack.binaries:PostgresError",
    "backend.stack.child:StackError",
    "psycopg:Error",
    "builtins:OSError",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand; answers the exit code: 0 well, 1 failed, 2 wrong settings or usage."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except _CommandFailed as error:
        _complain(str(error))
        return error.exit_code


class _CommandFailed(Exception):
    def __init__(self, message: str, exit_code: int = ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="goodfit", description="A shared lab for model fits.", epilog="See docs/settings.md."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:])
        command.set_defaults(run=run, command=name)
        return command

    up = add("up", _up, "start everything on this machine, until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="return when it is ready, leave it on")
    up.add_argument("--background", action="store_true", help=argparse.SUPPRESS)
    down = add("down", _down, "stop what `up` started")
    status = add("status", _status, "tell what runs (exit code 3: not running)")
    for name, (_target, text) in SERVERS.items():
        add(name, _serve, text)
    add("dashboard", _dashboard, "serve the dashboard")
    add("migrate", _migrate, "bring the database to this version's schema")
    add("prepare", _prepare, "migrate, then print the one-time link: the first step of `up`")
    create = add("create-admin", _create_admin, "make an administrator, or reset one's password")
    create.add_argument("username", nargs="?", help="default: GOODFIT_ADMIN_USERNAME")
    link = add("signin-link", _signin_link, "print a one-time link while no admin can sign in")
    backup = add("backup", _backup, "copy databases and files into an empty folder, while it runs")
    backup.add_argument("folder", type=Path, metavar="DIR")
    restore = add("restore", _restore, "make an empty home from a backup, while it does not run")
    restore.add_argument("folder", type=Path, metavar="DIR")
    verify = add("verify", _verify, "check a backup, or without DIR the home's own files")
    verify.add_argument("folder", type=Path, metavar="DIR", nargs="?")
    for command in (up, down, status, create, link, backup, restore, verify):
        command.add_argument(
            "--home", help=f"the stack's folder (default: {HOME_VARIABLE}, else {DEFAULT_HOME}/)"
        )
    return parser


def _home(options: argparse.Namespace) -> Path:
    return Path(options.home or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)


def _up(options: argparse.Namespace) -> int:
    if options.detach:
        return _stack("backend.stack.control:up_in_background", options)
    if not options.background:
        return _stack("backend.stack.up:up", options, on_ready=_say_ready)
    home = _home(options)

    def on_ready(text: str) -> None:
        _say(f"{text}\n`goodfit down` ends it")
        pkgutil.resolve_name("backend.stack.control:leave_terminal")(home)

    return _stack("backend.stack.up:up", options, on_ready=on_ready)


def _say_ready(text: str) -> None:
    _say(f"{text}\nCtrl-C ends it")


def _down(options: argparse.Namespace) -> int:
    return _stack("backend.stack.control:down", options)


def _status(options: argparse.Namespace) -> int:
    return _stack("backend.stack.control:status", options)


def _stack(target: str, options: argparse.Namespace, **more: Callable[[str], None]) -> int:
    stack_error = pkgutil.resolve_name("backend.stack.child:StackError")
    try:
        return int(pkgutil.resolve_name(target)(_home(options), report=_say, **more))
    except stack_error as error:
        raise _CommandFailed(str(error), error.exit_code) from error
    except OSError as error:
        raise _CommandFailed(f"{_home(options)}: {error}") from error


def _serve(options: argparse.Namespace) -> int:
    settings = _settings()
    target, _text = SERVERS[options.command]
    return int(pkgutil.resolve_name(target)(settings))


def _dashboard(_options: argparse.Namespace) -> int:
    invalid = pkgutil.resolve_name("pydantic:ValidationError")
    try:
        return int(pkgutil.resolve_name(DASHBOARD)())  # reads its settings itself
    except invalid as error:
        describe = pkgutil.resolve_name("backend.stack.settings_report:describe")
        settings_type = pkgutil.resolve_name("frontend.settings:DashboardSettings")
        raise _CommandFailed("; ".join(describe(error, settings_type)), SETTINGS_ERROR) from None


def _migrate(_options: argparse.Namespace) -> int:
    settings = _settings()
    with _database_errors():
        _bring_schema_to_head(settings)
    return 0


def _prepare(_options: argparse.Namespace) -> int:
    """One process for both, since most of the time of either goes into imports."""
    settings = _settings()
    with _database_errors():
        _bring_schema_to_head(settings)
        _print_link(settings)
    return 0


def _bring_schema_to_head(settings: Any) -> None:
    if not pkgutil.resolve_name("backend.bootstrap:is_current")(settings):
        pkgutil.resolve_name("backend.migrate:upgrade")(settings)


def _print_link(settings: Any) -> None:
    link = pkgutil.resolve_name("backend.bootstrap:first_signin_link")(settings)
    if link is not None:
        _say(link)


def _create_admin(options: argparse.Namespace) -> int:
    _borrow_running_stack(options)
    settings = _settings()
    username = options.username or settings.admin_username
    if not username:
        raise _CommandFailed("GOODFIT_ADMIN_USERNAME: is not set, nor is a name given")
    if settings.admin_password is not None:
        password = settings.admin_password.get_secret_value()
    else:
        password = _ask_password()
    with _database_errors():
        pkgutil.resolve_name("backend.bootstrap:create_admin")(settings, username, password)
    _say(f"{username} is an administrator")
    return 0


def _signin_link(options: argparse.Namespace) -> int:
    _borrow_running_stack(options)
    settings = _settings()
    with _database_errors():
        _print_link(settings)
    return 0


def _backup(options: argparse.Namespace) -> int:
    make = pkgutil.resolve_name("backend.operations.backup.command:make")
    with _operation_errors(), _reachable_product(options) as settings:
        return int(make(settings, options.folder, report=_say))


def _restore(options: argparse.Namespace) -> int:
    commands = pkgutil.resolve_name("backend.operations.backup.command")
    with _operation_errors():
        if not options.home and any(name in os.environ for name in DATABASE_VARIABLES):
            return int(commands.bring_back_elsewhere(_settings(), options.folder, report=_say))
        home = _home(options).expanduser().resolve()
        return int(commands.bring_back(options.folder, home, report=_say))


def _verify(options: argparse.Namespace) -> int:
    commands = pkgutil.resolve_name("backend.operations.backup.command")
    with _operation_errors():
        if options.folder is not None:
            return int(commands.verify_backup(options.folder, report=_say))
        with _reachable_product(options) as settings:
            return int(commands.verify_product(settings, report=_say))


@contextmanager
def _reachable_product(options: argparse.Namespace) -> Iterator[Any]:
    """The settings of the product meant: those of the environment, else those of the home."""
    if any(name in os.environ for name in DATABASE_VARIABLES):
        yield _settings()
        return
    with pkgutil.resolve_name("backend.stack.reach:databases_of")(_home(options)) as found:
        for name, text in found.items():
            os.environ.setdefault(name, text)
        yield _settings()


@contextmanager
def _operation_errors() -> Iterator[None]:
    """What a person can do something about becomes a line instead of a traceback."""
    expected = tuple(pkgutil.resolve_name(name) for name in OPERATION_ERRORS)
    # Like Ctrl-C: what was half done is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except expected as error:
        raise _CommandFailed(str(error)) from error


@contextmanager
def _database_errors() -> Iterator[None]:
    """What a person can do something about becomes a line instead of a traceback."""
    app_error = pkgutil.resolve_name("backend.core.errors:AppError")
    invalid = pkgutil.resolve_name("pydantic:ValidationError")
    try:
        yield
    except invalid as error:
        raise _refused_administrator(error.errors()) from None
    except app_error as error:
        if error.errors:
            raise _refused_administrator(error.errors) from None
        raise _CommandFailed(error.detail) from None
    except OSError as error:
        raise _CommandFailed(f"GOODFIT_DATABASE__URL: cannot reach it ({error})") from error


def _refused_administrator(problems: Iterable[Mapping[str, Any]]) -> _CommandFailed:
    """A name or password that the rules refuse; it is never shown."""
    rules = [(str(one["loc"][-1]) if one["loc"] else "it", one["msg"]) for one in problems]
    text = "; ".join(f"GOODFIT_ADMIN_{name.upper()} (or typed): {rule}" for name, rule in rules)
    return _CommandFailed(text, SETTINGS_ERROR)


def _ask_password() -> str:
    """From the terminal without echo, else one line of the standard input; never an argument."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise _CommandFailed("the two passwords differ")
    return password


def _borrow_running_stack(options: argparse.Namespace) -> None:
    """Without a database in the environment, the running stack's own is meant."""
    if any(name in os.environ for name in DATABASE_VARIABLES):
        return
    find = pkgutil.resolve_name("backend.stack.control:environment_of_running")
    found = find(_home(options))
    if not found:
        raise _CommandFailed(
            f"GOODFIT_DATABASE__URL: is not set, and no stack runs in {_home(options).resolve()}",
            SETTINGS_ERROR,
        )
    for name, text in found.items():
        os.environ.setdefault(name, text)


def _settings() -> Any:
    """The settings, or one line on what is wrong with them; a value is never shown."""
    settings_type = pkgutil.resolve_name("backend.settings:Settings")
    try:
        return settings_type()
    except (ValueError, OSError) as error:
        describe = pkgutil.resolve_name("backend.stack.settings_report:describe")
        raise _CommandFailed("; ".join(describe(error, settings_type)), SETTINGS_ERROR) from None


def _say(text: str) -> None:
    """Prints; a terminal that is gone must not end the stack."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        # Else the interpreter tries again at its end, and fails.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(text: str) -> None:
    for line in text.splitlines():
        sys.stderr.write(f"goodfit: {line}\n" if not line.startswith("    ") else f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
