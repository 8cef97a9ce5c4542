"""An image holds every package that its processes import."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("backend", "frontend", "migrations")
# Also what is imported by its name only: "backend.science.run:run".
BY_NAME = re.compile(r"^(?:backend|frontend)(?:\.\w+)+(?::\w+)?$")
ROOTS = {
    "app": [
        "backend/main.py",
        "backend/worker.py",
        "backend/migrate.py",
        "backend/bootstrap.py",
        "backend/science/**/*.py",
        "migrations/**/*.py",
    ],
    "mlflow": ["backend/tracking/gate/**/*.py"],
    "dashboard": ["frontend/**/*.py"],
}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _named(path: Path) -> Iterator[str]:
    """The modules that a module names, each also as a part of its package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and BY_NAME.match(str(node.value)):
            yield str(node.value).partition(":")[0]


def _files(module: str) -> Iterator[Path]:
    """The module's file, or that of the module which it is a name of, and its packages'."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:length])
        yield from (
            path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()
        )


@cache
def _third_party(image: str) -> frozenset[str]:
    waiting = [path for pattern in ROOTS[image] for path in ROOT.glob(pattern)]
    seen: set[Path] = set()
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in _named(path):
            top = module.partition(".")[0]
            if top in OURS:
                waiting.extend(_files(module))
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return frozenset(found)


@pytest.mark.parametrize("image", ROOTS)
def test_image_holds_what_its_processes_import(image: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = {
        _normal(re.split(r"[\[<>=!~; ]", text, maxsplit=1)[0])
        for texts in project.get("optional-dependencies", {}).values()
        for text in texts
    }
    lock = (ROOT / "locks" / f"image-{image}.lock").read_text()
    held = {_normal(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)} | optional
    known = packages_distributions()
    imported = _third_party(image)
    assert len(imported) > 5
    missing = {
        module
        for module in imported
        if not held & {_normal(name) for name in known.get(module, [module])}
    }
    assert missing == set()
