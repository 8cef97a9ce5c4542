"""Optional parts of the installation: which modules they bring, and how to get them."""

import importlib.util
from typing import Final, Literal

Extra = Literal["torch"]
MODULES: Final[dict[Extra, tuple[str, ...]]] = {"torch": ("torch", "skorch")}


class ExtraMissing(RuntimeError):
    """What was asked for needs an optional part that is not installed here."""

    is_refusal = True
    column = None

    def __init__(self, extra: Extra) -> None:
        super().__init__(f"PyTorch is not installed here. Install it with {install_command(extra)}")


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
