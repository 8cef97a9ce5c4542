"""The source of our own functions with all that they need, for a script without us."""

import ast
import importlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

OURS: Final = "backend."
# Remarks to linters mean nothing elsewhere.
_REMARKS: Final = re.compile(r"  # (?:noqa|type: ignore).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Module:
    """The top level of a module.

    Attributes
    ----------
    definitions
        Node and text of what it defines, by name.
    imports
        Module and name there of what it imports from us, by name here.
    statements
        Import statements of everything else, by name here.
    """

    definitions: dict[str, tuple[ast.AST, str]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Carried:
    """Definitions in an order in which they can be run, and the imports that they need."""

    definitions: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    _homes: dict[str, str] = field(default_factory=dict)

    def add(self, module: str, name: str) -> None:
        """Take a definition with all that it uses.

        Raises
        ------
        ValueError
            Two of our modules define the name differently.
        """
        source = _read(module)
        if name not in source.definitions:
            self.add_once(*source.imports[name])
            return
        home = self._homes.setdefault(name, module)
        if home != module:
            raise ValueError(f"{name} is defined by {home} and by {module}")
        node, text = source.definitions[name]
        if isinstance(node, ast.Assign | ast.AnnAssign) and (
            value := _computed(node, module, name)
        ):
            self.definitions.append(f"{name} = {value}")
            return
        used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - {name}
        for other in sorted(used):
            if other in source.definitions:
                self.add_once(module, other)
            elif other in source.imports:
                self.add_once(*source.imports[other])
            elif other in source.statements:
                self.imports.add(source.statements[other])
        self.definitions.append(text)

    def add_used(self, source: str, modules: Sequence[str]) -> None:
        """Take what an expression of Python names, from the modules that define it."""
        for node in ast.walk(ast.parse(source, mode="eval")):
            for module in modules:
                if isinstance(node, ast.Name) and node.id in _read(module).definitions:
                    self.add_once(module, node.id)

    def add_once(self, module: str, name: str) -> None:
        """As `add`, but nothing where it is taken already."""
        if self._homes.get(name) != module:
            self.add(module, name)


@cache
def _read(name: str) -> _Module:
    text = inspect.getsource(importlib.import_module(name))
    lines = text.splitlines()
    found = _Module()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module, here = node.module or "", alias.asname or alias.name
                if module.startswith(OURS):
                    found.imports[here] = (module, alias.name)
                else:
                    found.statements[here] = f"from {module} import {ast.unparse(alias)}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found.statements[alias.asname or alias.name] = f"import {ast.unparse(alias)}"
        else:
            for defined in _names(node):
                found.definitions[defined] = (node, _text(node, lines))
    return found


def _computed(node: ast.Assign | ast.AnnAssign, module: str, name: str) -> str | None:
    """The literal of a constant that is made of others; how it is made does not matter there."""
    literal = repr(getattr(importlib.import_module(module), name))
    if node.value is None or _is_literal(ast.unparse(node.value)) or not _is_literal(literal):
        return None
    return literal


def _is_literal(source: str) -> bool:
    try:
        ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return False
    return True


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _text(node: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return _REMARKS.sub("", "\n".join(lines[first - 1 : node.end_lineno]))
