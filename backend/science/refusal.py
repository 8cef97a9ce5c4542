"""When a fit cannot be done and its owner can change that; what is passed on of other errors."""

import re
from typing import Final

# Of a path with at least one folder; addresses of pages and units like km/h are none.
_FOLDERS: Final = re.compile(r"(?<![\w./])~?/(?:[^\s/:'\"]+/)+")
LONGEST_REASON: Final = 500


class FitRefused(ValueError):
    """The data or the request do not allow this fit.

    Attributes
    ----------
    column
        Name of the column that is to blame, where one is.
    """

    is_refusal = True

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


def in_short(kind: str, message: str) -> str:
    """The kind of a library's error and the first line of its message, without folders."""
    lines = message.strip().splitlines()
    line = _FOLDERS.sub("", lines[0][: 2 * LONGEST_REASON]) if lines else ""
    return f"{kind}: {line}"[:LONGEST_REASON] if line else kind
