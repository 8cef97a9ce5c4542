"""Text of an expression to a tree: columns, values, operators and known functions, nothing else.

Grammar, the loosest first; comparisons do not chain, words are case-insensitive:

    either     = both {"or" both}
    both       = opposite {"and" opposite}
    opposite   = "not" opposite | comparison
    comparison = sum [("==" | "!=" | "<" | "<=" | ">" | ">=") sum
                     | ["not"] "in" "(" value {"," value} ")"
                     | "is" ["not"] ("null" | "missing")]
    sum        = product {("+" | "-") product}
    product    = signed {("*" | "/" | "%") signed}
    signed     = "-" signed | power
    power      = atom ["**" signed]
    atom       = number | text | "true" | "false" | name | function "(" … ")" | "(" either ")"
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.science.column_names import clean_name
from backend.science.recipes.expressions.tokens import ExpressionProblem, Token, split
from backend.science.recipes.fields import GREATEST_WHOLE

DEEPEST: Final = 40
# Chains within brackets within chains: all that visits a tree recurses.
DEEPEST_TREE: Final = 100
MOST_NODES: Final = 500
WORDS: Final = frozenset({"and", "or", "not", "in", "is", "null", "missing", "true", "false"})
COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Constant:
    """A value as it was written."""

    value: bool | int | float | str
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function on arguments; operators go by their sign or word."""

    function: str
    arguments: tuple["Node", ...]
    at: int
    # Of the tree below, itself included.
    depth: int = 1


Node = Constant | Name | Call


def parse(text: str) -> Node:
    """The tree of an expression.

    Raises
    ------
    ExpressionProblem
        Says the position and what was expected.
    """
    return _Parser(text).parse()


class _Parser:
    """Recursive descent, one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = list(split(text))
        self._next = 0
        self._depth = 0
        self._nodes = 0

    def parse(self) -> Node:
        """The tree of the whole text."""
        node = self._either()
        if self._token.kind != "end":
            raise self._expected("an operator or the end")
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _expected(self, what: str) -> ExpressionProblem:
        return ExpressionProblem(f"{what} is expected, not {self._token}", self._token.at)

    def _is_word(self, *words: str, ahead: int = 0) -> bool:
        token = self._tokens[min(self._next + ahead, len(self._tokens) - 1)]
        return token.kind == "name" and token.content.lower() in words

    def _is_sign(self, *signs: str) -> bool:
        return self._token.kind == "sign" and self._token.content in signs

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _take_sign(self, sign: str) -> None:
        if not self._is_sign(sign):
            raise self._expected(repr(sign))
        self._take()

    def _call(self, function: str, at: int, *arguments: Node) -> Call:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise ExpressionProblem(f"more than {MOST_NODES} operations", at)
        depth = 1 + max((one.depth for one in arguments if isinstance(one, Call)), default=0)
        if depth > DEEPEST_TREE:
            raise ExpressionProblem("too many operations on each other's results", at)
        return Call(function, arguments, at, depth)

    def _nested(self, rule: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionProblem(f"nested more than {DEEPEST} deep", self._token.at)
        node = rule()
        self._depth -= 1
        return node

    def _either(self) -> Node:
        return self._joined("or", self._both)

    def _both(self) -> Node:
        return self._joined("and", self._opposite)

    def _joined(self, word: str, rule: Callable[[], Node]) -> Node:
        """One node for a chain of any length, which keeps the tree shallow."""
        parts, at = [rule()], self._token.at
        while self._is_word(word):
            self._take()
            parts.append(rule())
        return parts[0] if len(parts) == 1 else self._call(word, at, *parts)

    def _opposite(self) -> Node:
        if self._is_word("not"):
            at = self._take().at
            return self._call("not", at, self._nested(self._opposite))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        at = self._token.at
        if self._is_sign(*COMPARISONS):
            sign = self._take().content
            node: Node = self._call(sign, at, left, self._sum())
        elif self._is_word("in") or (self._is_word("not") and self._is_word("in", ahead=1)):
            node = self._membership(left)
        elif self._is_word("is"):
            node = self._missing(left)
        else:
            return left
        if self._is_sign(*COMPARISONS) or self._is_word("in", "is"):
            raise ExpressionProblem(
                "comparisons do not chain; write a < b and b < c", self._token.at
            )
        return node

    def _membership(self, left: Node) -> Node:
        at = self._token.at
        negated = self._is_word("not")
        self._next += 2 if negated else 1
        self._take_sign("(")
        values = [self._value()]
        while self._is_sign(","):
            self._take()
            values.append(self._value())
        self._take_sign(")")
        self._nodes += len(values)
        node = self._call("in", at, left, *values)
        return self._call("not", at, node) if negated else node

    def _value(self) -> Node:
        """A constant, perhaps with a minus."""
        if self._is_sign("-"):
            at = self._take().at
            if self._token.kind != "number":
                raise self._expected("a number")
            return Constant(-_number(self._take()), at)
        node = self._atom()
        if not isinstance(node, Constant):
            raise ExpressionProblem("a value is expected in the list", node.at)
        return node

    def _missing(self, left: Node) -> Node:
        at = self._take().at
        negated = self._is_word("not")
        if negated:
            self._take()
        if not self._is_word("null", "missing"):
            raise self._expected("`null`")
        self._take()
        return self._call("is known" if negated else "is missing", at, left)

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/", "%"), self._signed)

    def _chain(self, signs: tuple[str, ...], rule: Callable[[], Node]) -> Node:
        node, links = rule(), 0
        while self._is_sign(*signs):
            sign = self._take()
            links += 1
            if links > DEEPEST:
                raise ExpressionProblem(f"more than {DEEPEST} in a row; use brackets", sign.at)
            node = self._call(sign.content, sign.at, node, rule())
        return node

    def _signed(self) -> Node:
        if not self._is_sign("-", "+"):
            return self._power()
        sign = self._take()
        inner = self._nested(self._signed)
        if sign.content == "+":
            return inner
        if isinstance(inner, Constant) and type(inner.value) in (int, float):
            return Constant(-inner.value, sign.at)  # type: ignore[operator]  # a number
        return self._call("minus", sign.at, inner)

    def _power(self) -> Node:
        base = self._atom()
        if not self._is_sign("**"):
            return base
        at = self._take().at
        return self._call("**", at, base, self._nested(self._signed))

    def _atom(self) -> Node:
        token = self._token
        if token.kind == "number":
            return Constant(_number(self._take()), token.at)
        if token.kind == "text":
            return Constant(self._take().content, token.at)
        if token.kind == "quoted_name":
            return Name(clean_name(self._take().content), token.at)
        if token.kind == "name":
            return self._word()
        if self._is_sign("("):
            self._take()
            inner = self._nested(self._either)
            self._take_sign(")")
            return inner
        raise self._expected("a column, a value or (")

    def _word(self) -> Node:
        lowered = self._token.content.lower()
        if lowered in ("true", "false"):
            return Constant(lowered == "true", self._take().at)
        if lowered in ("null", "missing"):
            raise ExpressionProblem(f"{lowered} stands after `is` only: a is null", self._token.at)
        if lowered in WORDS:
            raise self._expected("a column, a value or (")
        token = self._take()
        if not self._is_sign("("):
            return Name(clean_name(token.content), token.at)
        self._take()
        arguments: list[Node] = []
        while not self._is_sign(")"):
            if arguments:
                self._take_sign(",")
            arguments.append(self._nested(self._either))
        self._take_sign(")")
        return self._call(lowered, token.at, *arguments)


def _number(token: Token) -> int | float:
    word = token.content
    if word.isascii() and word.isdigit():
        # Digits beyond what any column holds are refused before they are read.
        if len(word) <= len(str(GREATEST_WHOLE)) and int(word) <= GREATEST_WHOLE:
            return int(word)
        raise ExpressionProblem("whole numbers have at most 64 bits", token.at)
    value = float(word)
    if not math.isfinite(value):
        raise ExpressionProblem("the number is too large", token.at)
    return value
