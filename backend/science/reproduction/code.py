"""Objects as the Python code that makes them: what a script has to write down."""

import inspect
import math
from collections.abc import Iterable, Mapping
from functools import cache
from operator import attrgetter, methodcaller
from types import FunctionType, ModuleType
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold

WIDTH: Final = 88
INDENT: Final = "    "
# Modules whose usual short name is used.
ALIASES: Final = {"numpy": "np", "pandas": "pd"}


class NoCode(TypeError):
    """There is no code that makes this object."""


class Code:
    """Writes objects as code, and gathers the imports that it needs."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        self._modules: set[str] = set()

    def imports(self) -> list[str]:
        """The lines that stand before the code, sorted."""
        plain = [
            f"import {name} as {ALIASES[name]}" if name in ALIASES else f"import {name}"
            for name in sorted(self._modules)
        ]
        named = [
            f"from {module} import {', '.join(sorted(names))}"
            for module, names in sorted(self._names.items())
        ]
        return [*plain, *named]

    def use(self, module: str, name: str) -> str:
        """The name, imported from its module."""
        self._names.setdefault(module, set()).add(name)
        return name

    def use_module(self, name: str) -> str:
        """A whole module, by its usual name."""
        self._modules.add(name)
        return ALIASES.get(name, name)

    def write(self, value: Any, *, depth: int = 0) -> str:
        """One expression that makes an equal object.

        Parameters
        ----------
        value
            Plain data, arrays, functions of modules, or unfitted scikit-learn estimators.
        depth
            How far the expression is indented.

        Raises
        ------
        NoCode
            The object is none of these.
        """
        if isinstance(value, BaseEstimator) or hasattr(value, "get_params"):
            return self._estimator(value, depth)
        if isinstance(value, Mapping):
            items = [
                f"{self.write(k, depth=depth + 1)}: {self.write(v, depth=depth + 1)}"
                for k, v in value.items()
            ]
            return enclose("{", items, "}", depth)
        if isinstance(value, list | tuple):
            return self._sequence(value, depth)
        return self._atom(value, depth)

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> str:
        items = [self.write(item, depth=depth + 1) for item in value]
        if isinstance(value, list):
            return enclose("[", items, "]", depth)
        if len(items) == 1:
            return f"({items[0]},)"
        return enclose("(", items, ")", depth)

    def _atom(self, value: Any, depth: int) -> str:
        if isinstance(value, np.ndarray):
            items = self.write(value.tolist(), depth=depth)
            return f"{self.use_module('numpy')}.array({items}, dtype={str(value.dtype)!r})"
        if isinstance(value, np.generic):
            return self._atom(value.item(), depth)
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({str(value)!r})"
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        if isinstance(value, np.ufunc):
            return f"{self.use_module('numpy')}.{value.__name__}"
        if isinstance(value, FunctionType | type) and not isinstance(value, ModuleType):
            if "<" in value.__qualname__:
                raise NoCode(f"{value.__qualname__} has no name to import")
            return self.use(public_module(value.__module__), value.__qualname__)
        if isinstance(value, attrgetter | methodcaller):
            return self._call(type(value), value.__reduce__()[1], {}, depth)
        if isinstance(value, KFold):
            return self._call(KFold, (), vars(value), depth)
        raise NoCode(f"no code makes a {type(value).__name__}")

    def _call(self, kind: type, given: Iterable[Any], named: Mapping[str, Any], depth: int) -> str:
        items = [self.write(value, depth=depth + 1) for value in given]
        items += [f"{key}={self.write(value, depth=depth + 1)}" for key, value in named.items()]
        name = self.use(public_module(kind.__module__), kind.__name__)
        return enclose(f"{name}(", items, ")", depth)

    def _estimator(self, value: Any, depth: int) -> str:
        kind = type(value)
        name = self.use(public_module(kind.__module__), kind.__name__)
        params = changed_params(value)
        items = [f"{key}={self.write(given, depth=depth + 1)}" for key, given in params.items()]
        made = enclose(f"{name}(", items, ")", depth)
        # What it puts out is no parameter; only `set_output` sets it.
        output = vars(value).get("_sklearn_output_config", {}).get("transform")
        return made if output is None else f"{made}.set_output(transform={output!r})"


def enclose(opening: str, items: Iterable[str], closing: str, depth: int) -> str:
    """The items on one line where they fit, else one per line."""
    parts = list(items)
    line = f"{opening}{', '.join(parts)}{closing}"
    if "\n" not in line and len(line) + depth * len(INDENT) <= WIDTH:
        return line
    inner = "".join(f"{INDENT * (depth + 1)}{part},\n" for part in parts)
    return f"{opening}\n{inner}{INDENT * depth}{closing}"


def changed_params(estimator: Any) -> dict[str, Any]:
    """The parameters that differ from what the class takes by itself.

    Parameters
    ----------
    estimator
        With `get_params`, as scikit-learn's, XGBoost's and LightGBM's have.
    """
    usual = {
        name: parameter.default
        for kind in reversed(type(estimator).__mro__)
        for name, parameter in _signature(kind)
    }
    return {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if not _is_usual(value, usual.get(name))
    }


@cache
def _signature(kind: type) -> list[tuple[str, inspect.Parameter]]:
    if "__init__" not in vars(kind):
        return []
    return list(inspect.signature(vars(kind)["__init__"]).parameters.items())


def _is_usual(value: Any, usual: Any) -> bool:
    if value is usual:
        return True
    if isinstance(value, float) and isinstance(usual, float) and math.isnan(value):
        return math.isnan(usual)
    return type(value) is type(usual) and bool(np.all(value == usual))


def public_module(name: str) -> str:
    """The module as it is imported: `sklearn.linear_model` for `sklearn.linear_model._base`."""
    parts = name.split(".")
    private = next((place for place, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[:private])
