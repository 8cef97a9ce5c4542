"""Optional parts of the installation: which modules they bring, and how to get them."""

import importlib.util
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Literal

Extra = Literal["torch", "boosting"]
MODULES: Final[dict[Extra, tuple[str, ...]]] = {
    "torch": ("torch", "skorch"),
    "boosting": ("xgboost", "lightgbm"),
}
# Distributions that bring a module and are not named after it.
DISTRIBUTIONS: Final[dict[str, tuple[str, ...]]] = {"xgboost": ("xgboost", "xgboost-cpu")}
MISSING: Final[dict[Extra, str]] = {
    "torch": "PyTorch is not installed here.",
    "boosting": "XGBoost and LightGBM are not installed here.",
}


class ExtraMissing(RuntimeError):
    """What was asked for needs an optional part that is not installed here."""

    is_refusal = True
    column = None

    def __init__(self, extra: Extra) -> None:
        super().__init__(f"{MISSING[extra]} Install with {install_command(extra)}")


def is_installed(extra: Extra) -> bool:
    """Whether all modules of the extra are there; imports none of them."""
    return all(importlib.util.find_spec(module) is not None for module in MODULES[extra])


def require(extra: Extra) -> None:
    """Check that the extra is there.

    Raises
    ------
    ExtraMissing
        It is not; the text says how to install it.
    """
    if not is_installed(extra):
        raise ExtraMissing(extra)


def install_command(extra: Extra) -> str:
    """What to type in the folder of the source."""
    return f".venv/bin/python -m pip install -e '.[{extra}]'"


def installed_versions(modules: Sequence[str]) -> dict[str, str]:
    """Versions of the distributions that bring these modules; absent ones are left out."""
    found: dict[str, str] = {}
    for module in modules:
        for name in DISTRIBUTIONS.get(module, (module,)):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
            break
    return found
