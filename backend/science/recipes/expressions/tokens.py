"""The words of an expression, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

TokenKind = Literal["number", "text", "name", "quoted_name", "sign", "end"]
_TOKENS: Final = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<quoted_name>`(?:[^`]|``)+`)
    | (?P<name>[^\W\d][\w.]*)
    | (?P<sign>\*\*|==|!=|<=|>=|[-+*/%<>(),])
    """,
    re.VERBOSE,
)
_HINTS: Final = {
    "=": "write == to compare",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != to compare",
    "~": "write not",
    "^": "write ** for powers",
    "`": "the name has no closing `",
    "'": "the text has no closing '",
    '"': 'the text has no closing "',
}


class ExpressionProblem(ValueError):
    """What is wrong with an expression.

    Attributes
    ----------
    position
        Counts characters from 1.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(f"at position {at + 1}: {message}")
        self.position = at + 1


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `content` is without its quotes, `at` counts characters from 0."""

    kind: TokenKind
    content: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.content[:40])


def split(text: str) -> Iterator[Token]:
    """The words of an expression, and its end.

    Raises
    ------
    ExpressionProblem
        A character that begins no word.
    """
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            hint = _HINTS.get(text[at], "a name, number, text or sign is expected")
            raise ExpressionProblem(f"{text[at]!r} is no part of an expression; {hint}", at)
        kind, word = found.lastgroup, found.group()
        if kind in ("text", "quoted_name"):
            quote = word[0]
            word = word[1:-1].replace(quote * 2, quote)
        if kind in ("number", "text", "name", "quoted_name", "sign"):
            yield Token(kind, word, at)  # type: ignore[arg-type]  # narrowed to the groups' names
        at = found.end()
    yield Token("end", "", len(text))
