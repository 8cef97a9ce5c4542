"""Takes secrets out of what is about to be logged, wherever in the text they stand."""

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[hidden]"
# Names under which nothing is ever written out.
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|(api|service|cookie|private)[-_]?key",
    re.IGNORECASE,
)
# From the beginning of a word only: tried at each of its letters, a long one would take minutes.
_NAMED: Final = re.compile(
    r"""(?P<name>(?<![\w-])
        (?=[\w-]*?(?:pass(?:word|wd|phrase)|secret|token|(?:api|service|cookie|private)[-_]key))
        [\w-]++)(?P<between>['"]?\s*[:=]\s*b?)
        (?P<value>'[^'\n]*'|"[^"\n]*"|[^\s'",;&)\]}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
# A header as text, as a pair of bytes, as an entry of a dictionary: to the end of its value.
_HEADER: Final = re.compile(
    r"""(?P<name>(?:proxy-)?authorization|(?:set-)?cookie)(?P<between>['"]?\s*[:=,]\s*b?)
        (?P<value>'[^'\n]*'|"[^"\n]*"|[^'"\n]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_SCHEME: Final = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
# Refresh, browser and personal tokens, tickets, links to sign in and to download, by their first
# letters; then JWTs.
_OWN_TOKEN: Final = re.compile(r"\bg[frbtld]_[A-Za-z0-9_-]{6,}")
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{6,1000}+\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,3}")
_URL_PASSWORD: Final = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")


def redacted(text: str) -> str:
    """The text without tokens, passwords, cookies and other secrets."""
    text = _OWN_TOKEN.sub(HIDDEN, text)
    text = _JWT.sub(HIDDEN, text)
    text = _URL_PASSWORD.sub(rf"\g<1>{HIDDEN}@", text)
    text = _HEADER.sub(rf"\g<name>\g<between>{HIDDEN}", text)
    text = _SCHEME.sub(rf"\g<1> {HIDDEN}", text)
    return _NAMED.sub(rf"\g<name>\g<between>{HIDDEN}", text)


def redacted_value(value: Any, *, name: str = "") -> Any:
    """A value as it may stand in a log; what its name gives away is hidden whatever it is."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            redacted(str(key)): redacted_value(inner, name=str(key)) for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted_value(inner) for inner in value]
    return redacted(str(value))
