"""Each setting stands in `.env.example`, with its default, and in `docs/settings.md`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from backend.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[2]
EXAMPLE_LINE = re.compile(r"^#(GOODFIT_[A-Z0-9_]+)=(.*)$", re.MULTILINE)
DOCUMENTED_ROW = re.compile(r"^\| `(GOODFIT_[A-Z0-9_]+)` \| (.+?) \|", re.MULTILINE)
# Read by the embedded stack itself, before there are settings.
STACK_ONLY = {"GOODFIT_PG_BIN"}


def _fields(
    area: type[BaseModel], parents: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for name, field in area.model_fields.items():
        path = (*parents, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, path)
        else:
            yield ENV_PREFIX + "__".join(path).upper(), path, field.default


FIELDS = list(_fields(Settings))
EXAMPLES = dict(EXAMPLE_LINE.findall((ROOT / ".env.example").read_text()))
DOCUMENTED = dict(DOCUMENTED_ROW.findall((ROOT / "docs" / "settings.md").read_text()))


def test_the_settings_have_nested_areas() -> None:
    assert "GOODFIT_SECRETS__TOKEN_KEY" in {name for name, _, _ in FIELDS}


def test_example_lists_exactly_the_settings() -> None:
    assert set(EXAMPLES) == {name for name, _, _ in FIELDS}


def test_docs_list_exactly_the_settings() -> None:
    assert set(DOCUMENTED) - STACK_ONLY == {name for name, _, _ in FIELDS}


@pytest.mark.parametrize(("name", "default"), [(name, default) for name, _, default in FIELDS])
def test_docs_mark_what_is_required(name: str, default: object) -> None:
    assert (DOCUMENTED[name] == "**required**") == (default is PydanticUndefined)


def test_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    required = {name for name, _, default in FIELDS if default is PydanticUndefined}
    for name in required:
        monkeypatch.setenv(name, "postgresql://somebody:something@127.0.0.1/" + name.lower())
    for name, text in EXAMPLES.items():
        if text:
            assert name not in required, "a secret has no default"
            monkeypatch.setenv(name, text)
    settings = Settings()
    for name, path, default in FIELDS:
        loaded: Any = settings
        for part in path:
            loaded = getattr(loaded, part)
        if name not in required:
            assert loaded == default, name
            shown = EXAMPLES[name] or None
            assert (shown is None) == (default is None or isinstance(default, SecretStr)), name


@pytest.mark.parametrize("name", [name for name, text in EXAMPLES.items() if text])
def test_docs_and_example_agree(name: str) -> None:
    assert DOCUMENTED[name] == f"`{EXAMPLES[name]}`"
