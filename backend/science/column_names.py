"""What may be the name of a column, the same for files, JSON and renaming."""

import unicodedata
from collections.abc import Sequence
from typing import Final

# Names stand in requests, where they are bounded.
LONGEST_NAME: Final = 500
# Invisible, so that names with and without them look alike.
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


def clean_name(name: str) -> str:
    """A name as it is kept: composed, without white space around it."""
    return unicodedata.normalize("NFC", name).strip()


def name_key(name: str) -> str:
    """Equal for names that look alike."""
    return unicodedata.normalize("NFKC", name).translate(_INVISIBLE).casefold()


def find_bad_name(names: Sequence[str]) -> tuple[int, str] | None:
    """The first name that is empty, too long, a pattern or stands twice, and what is wrong with it.

    Parameters
    ----------
    names
        Cleaned names in the order of the columns.
    """
    seen: dict[str, str] = {}
    for position, name in enumerate(names):
        if not name:
            return position, f"column {position + 1:,} has no name"
        if len(name) > LONGEST_NAME:
            message = f"the name of column {position + 1:,} has more than {LONGEST_NAME} characters"
            return position, message
        if name.startswith("^") and name.endswith("$"):
            # polars would take it for the names that match.
            return position, f"the column name {name!r} has ^ before and $ behind it"
        other = seen.get(name_key(name))
        if other is not None:
            alike = "" if other == name else f" (as {other!r})"
            return position, f"the column name {name!r} stands twice{alike}"
        seen[name_key(name)] = name
    return None
