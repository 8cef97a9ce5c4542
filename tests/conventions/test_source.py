"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("backend", "frontend", "tests", "bench")
    for path in (ROOT / folder).rglob("*.py")
)
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
VAGUE_NAMES = {"utils", "helpers", "common", "misc", "util", "helper"}


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE
    long = [
        node.name
        for node in _functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_module_has_a_vague_name() -> None:
    assert [path for path in SOURCES if path.stem in VAGUE_NAMES] == []


def test_there_is_one_commit_site() -> None:
    commits = [
        path.relative_to(ROOT)
        for path in SOURCES
        if path.is_relative_to(ROOT / "backend")
        for line in path.read_text().splitlines()
        if re.search(r"\.commit\(", line)
    ]
    assert set(commits) == {Path("backend/core/db.py")}


def test_the_session_dependency_is_declared_once_with_function_scope() -> None:
    uses = [
        (path.relative_to(ROOT), line.strip())
        for path in SOURCES
        if path.is_relative_to(ROOT / "backend")
        for line in path.read_text().splitlines()
        if "Depends(get_session" in line and not line.strip().startswith("#")
    ]
    assert [path for path, _ in uses] == [Path("backend/core/deps.py")]
    assert 'scope="function"' in uses[0][1]


def test_every_public_function_of_science_says_what_it_does() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / "backend" / "science")
        for node in _functions(path)
        if not node.name.startswith("_") and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_migrations_do_not_import_the_application() -> None:
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        assert not re.search(r"^(from|import) (backend|frontend)", path.read_text(), re.MULTILINE)


def test_locks_name_no_registry() -> None:
    locks = list((ROOT / "locks").glob("*.lock"))
    assert locks
    for path in locks:
        assert "://" not in path.read_text()
