"""Rules of the dashboard that a linter does not know."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
SOURCES = sorted(FRONTEND.rglob("*.py"))
STATE_MODULES = {"state.py", "identity.py"}
# Their text arguments are read as Markdown.
MARKDOWN_READERS = {
    *("markdown", "caption", "title", "header", "subheader", "error", "warning", "info", "success"),
    *("button", "link_button", "link", "metric", "badge", "expander", "toast", "progress"),
    *("page_title", "spinner", "toggle", "checkbox", "radio", "tabs"),
}
USER_TEXT = {
    *("name", "dataset_name", "target", "detail", "file_name", "message", "column", "username"),
    *("created_by", "verdict", "advice", "description", "left_out_because", "reason", "summary"),
    *("progress_message", "address", "user_agent", "title"),
}
# Schemas, and how all processes write their logs.
BACKEND_IMPORT = re.compile(
    r"backend\.\w+\.(\w+_)?schemas|backend\.core\.(logs|actions|local_paths)"
)
HEAVY = ("sklearn", "matplotlib", "sqlalchemy", "polars", "mlflow", "statsmodels", "fastapi")


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def _streamlit_attributes(path: Path) -> set[str]:
    return {
        node.attr
        for node in _nodes(path)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "st"
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_module_uses_only_what_it_may_of_streamlit(path: Path) -> None:
    used = _streamlit_attributes(path)
    assert not used & {"image", "cache_resource", "write"}
    if path.name != "caching.py":
        assert "cache_data" not in used
    if path.name not in STATE_MODULES:
        assert "session_state" not in used


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_module_draws_no_html_of_users(path: Path) -> None:
    keywords = {node.arg for node in _nodes(path) if isinstance(node, ast.keyword)}
    assert "unsafe_allow_html" not in keywords
    if path.name != "identity.py":
        assert "unsafe_allow_javascript" not in keywords


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_user_text_is_escaped_where_markdown_is_read(path: Path) -> None:
    for node in _nodes(path):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name not in MARKDOWN_READERS:
            continue
        named = [word.value for word in node.keywords if word.arg in ("help", "text", "label")]
        for argument in [*node.args, *named]:
            raw = {found for found in _bare_attributes(argument) if found in USER_TEXT}
            assert not raw, f"{path.name}:{node.lineno} shows {raw} as Markdown"


def _bare_attributes(argument: ast.expr) -> Iterator[str]:
    """Attributes whose value is shown as it is: the argument itself, or a part of an f-string."""
    if isinstance(argument, ast.Attribute):
        yield argument.attr
    elif isinstance(argument, ast.JoinedStr):
        for part in argument.values:
            if isinstance(part, ast.FormattedValue):
                yield from _bare_attributes(part.value)
    elif isinstance(argument, ast.BinOp):
        yield from _bare_attributes(argument.left)
        yield from _bare_attributes(argument.right)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_module_imports_nothing_of_the_backend_but_schemas(path: Path) -> None:
    for node in _nodes(path):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == "backend":
                assert BACKEND_IMPORT.fullmatch(name), f"{path.name} imports {name}"


def test_dashboard_loads_no_heavy_library() -> None:
    modules = ", ".join(
        "frontend.views." + path.stem for path in (FRONTEND / "views").glob("[a-z]*.py")
    )
    program = (
        f"import sys, frontend.serve, {modules}\n"
        f"sys.stdout.write(' '.join(n for n in {HEAVY!r} if n in sys.modules))"
    )
    done = subprocess.run(  # noqa: S603  # our own program text
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
