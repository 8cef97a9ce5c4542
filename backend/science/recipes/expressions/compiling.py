"""A checked tree of an expression as polars' expression, and as the Python text of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

import polars as pl

from backend.science.recipes.expressions import functions
from backend.science.recipes.expressions.parser import Call, Constant, Name, Node, parse
from backend.science.recipes.expressions.signatures import (
    COMPARED,
    EVERYTHING,
    FUNCTIONS,
    MOMENTS,
    NOUNS,
    OPERATORS,
    Signature,
)
from backend.science.recipes.expressions.tokens import ExpressionProblem
from backend.science.recipes.values import Kind, column, read_value

MOST_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression over columns of known kinds.

    Attributes
    ----------
    source
        Python that makes the same expression from `functions` and `values`.
    whole_if
        Columns that must hold whole numbers for the result to be whole; None if it never is.
    """

    expression: pl.Expr
    source: str
    kind: Kind
    whole_if: frozenset[str] | None = None


def compile_expression(text: str, kinds: Mapping[str, Kind]) -> Compiled:
    """Check an expression against the columns and build it.

    Parameters
    ----------
    text
        As `parser` reads it, such as ``log(price / rooms) > 2 and `house type` != 'flat'``.
    kinds
        Kind of each column of the table.

    Raises
    ------
    ExpressionProblem
        Bad syntax, unknown columns and functions, operands of the wrong kind.
    """
    return _Compiler(kinds).visit(parse(text))


class _Compiler:
    """Types and builds a tree from the leaves up."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._special: Mapping[str, Callable[[Call], Compiled]] = {
            **dict.fromkeys(COMPARED, self._comparison),
            "in": self._membership,
            "-": self._difference,
            "round": self._rounding,
        }

    def visit(self, node: Node) -> Compiled:
        """The node with all below it."""
        if isinstance(node, Constant):
            return _constant(node.value)
        if isinstance(node, Name):
            return self._name(node)
        special = self._special.get(node.function)
        if special is not None:
            return special(node)
        signature = OPERATORS.get(node.function) or FUNCTIONS.get(node.function)
        if signature is None:
            near = get_close_matches(node.function, FUNCTIONS, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(FUNCTIONS)}"
            raise ExpressionProblem(f"there is no function {node.function[:40]!r}{hint}", node.at)
        return self._apply(node, signature)

    def _name(self, node: Name) -> Compiled:
        kind = self._kinds.get(node.name)
        if kind is None:
            near = get_close_matches(node.name, self._kinds, n=1)
            hint = f"; did you mean {_written(near[0])}?" if near else ""
            raise ExpressionProblem(f"there is no column {node.name[:60]!r}{hint}", node.at)
        return Compiled(column(node.name), f"column({node.name!r})", kind, frozenset({node.name}))

    def _apply(self, node: Call, signature: Signature) -> Compiled:
        count, least = len(node.arguments), len(signature.takes)
        most = max(signature.most, least)
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            plural = "" if wanted == "1" else "s"
            raise ExpressionProblem(
                f"{node.function} takes {wanted} argument{plural}, not {count}", node.at
            )
        return self._typed(node, signature, [self.visit(one) for one in node.arguments])

    def _typed(self, node: Call, signature: Signature, made: list[Compiled]) -> Compiled:
        """The call with its arguments, each visited once: a tree is deep."""
        least = len(signature.takes)
        for at, argument in enumerate(node.arguments):
            takes = signature.takes[min(at, least - 1)]
            if made[at].kind not in takes:
                raise self._misfit(node.function, takes, argument, made[at].kind)
        if signature.gives is None:
            first = least - signature.takes.count(EVERYTHING)
            made[first:] = self._alike(node, made[first:], node.arguments[first:])
        return _called(signature, made)

    def _alike(
        self, node: Call, made: list[Compiled], arguments: tuple[Node, ...]
    ) -> list[Compiled]:
        """The arguments as one kind; text that is written in the expression may be a date."""
        moments = [one.kind for one in made if one.kind in MOMENTS]
        kind = moments[0] if moments else made[0].kind
        alike = [
            self._as_moment(argument, one, kind)
            for one, argument in zip(made, arguments, strict=True)
        ]
        for one, argument in zip(alike, arguments, strict=True):
            if one.kind != kind:
                raise self._misfit(node.function, frozenset({kind}), argument, one.kind)
        return alike

    def _comparison(self, node: Call) -> Compiled:
        left, right = node.arguments
        made = self._comparable(node, [left, right], node.function)
        if made[0].kind == "boolean" and node.function not in ("==", "!="):
            raise ExpressionProblem("true and false have no order", node.at)
        return _called(COMPARED[node.function], made)

    def _comparable(self, node: Call, nodes: list[Node], sign: str) -> list[Compiled]:
        return self._agreed(node, nodes, [self.visit(one) for one in nodes], sign)

    def _agreed(
        self, node: Call, nodes: list[Node], made: list[Compiled], sign: str
    ) -> list[Compiled]:
        """Operands that can be compared; written text may be a date."""
        moment = next((one.kind for one in made if one.kind in MOMENTS), None)
        if moment is not None:
            made = [
                self._as_moment(one, done, moment) for one, done in zip(nodes, made, strict=True)
            ]
        for one, done in zip(nodes[1:], made[1:], strict=True):
            both = {made[0].kind, done.kind}
            if len(both) > 1 and not both <= MOMENTS:
                first = f"{self._shown(nodes[0])} ({NOUNS[made[0].kind]})"
                other = f"{self._shown(one)} ({NOUNS[done.kind]})"
                kinds = f"{first} and {other}{self._hint(one)}"
                raise ExpressionProblem(
                    f"{sign} goes with values of one kind, not {kinds}", node.at
                )
        return made

    def _membership(self, node: Call) -> Compiled:
        made = self._comparable(node, list(node.arguments), "in")
        return _built(functions.among, made, "boolean")

    def _difference(self, node: Call) -> Compiled:
        """Of two dates in days, else of numbers."""
        made = [self.visit(argument) for argument in node.arguments]
        if any(one.kind in MOMENTS for one in made):
            made = self._agreed(node, list(node.arguments), made, "-")
            return _built(functions.days_between, made, "number")
        return self._typed(node, OPERATORS["-"], made)

    def _rounding(self, node: Call) -> Compiled:
        number, *rest = node.arguments or (None,)
        if number is None or len(rest) > 1:
            raise ExpressionProblem("round takes a number and perhaps digits", node.at)
        made = self.visit(number)
        done = self._typed(Call("round", (number,), node.at), FUNCTIONS["round"], [made])
        if not rest:
            return done
        digits = rest[0].value if isinstance(rest[0], Constant) else None
        if type(digits) is not int or not 0 <= digits <= MOST_DIGITS:
            raise ExpressionProblem(f"digits are a number from 0 to {MOST_DIGITS}", rest[0].at)
        return Compiled(
            functions.round_to(made.expression, digits),
            f"round_to({made.source}, {digits})",
            "number",
            frozenset() if digits == 0 else made.whole_if,
        )

    def _as_moment(self, node: Node, made: Compiled, kind: Kind) -> Compiled:
        if kind not in MOMENTS or not isinstance(node, Constant) or made.kind != "string":
            return made
        for reading in (kind, *sorted(MOMENTS - {kind})):
            try:
                return _constant(read_value(reading, node.value))
            except ValueError:
                continue
        raise ExpressionProblem(
            f"{node.value!r:.60} is no date such as 2024-05-17, nor a time", node.at
        )

    def _misfit(
        self, function: str, takes: frozenset[Kind], node: Node, kind: Kind
    ) -> ExpressionProblem:
        wanted = " or ".join(NOUNS[one] for one in NOUNS if one in takes)
        return ExpressionProblem(
            f"{function} takes {wanted}, {self._shown(node)} is {NOUNS[kind]}{self._hint(node)}",
            node.at,
        )

    def _shown(self, node: Node) -> str:
        if isinstance(node, Constant):
            return repr(node.value)[:60]
        return _written(node.name) if isinstance(node, Name) else f"the result of {node.function}"

    def _hint(self, node: Node) -> str:
        """Names in quotes are a common slip."""
        if isinstance(node, Constant) and node.value in self._kinds:
            return f"; the column is written `{node.value}`"
        return ""


def _written(name: str) -> str:
    return name if name.isidentifier() else f"`{name[:60]}`"


def _constant(value: bool | int | float | str | date | datetime) -> Compiled:
    kind: Kind = "number"
    if isinstance(value, bool):
        kind = "boolean"
    elif isinstance(value, str):
        kind = "string"
    elif isinstance(value, date):
        kind = "datetime" if isinstance(value, datetime) else "date"
    source = repr(value).removeprefix("datetime.")
    return Compiled(
        pl.lit(value), f"pl.lit({source})", kind, frozenset() if type(value) is int else None
    )


def _called(signature: Signature, made: list[Compiled]) -> Compiled:
    kind = signature.gives or made[-1].kind
    whole = None if signature.whole == "never" or kind != "number" else frozenset[str]()
    if whole is not None and signature.whole == "kept":
        counted = [one.whole_if for one in made if one.kind == "number"]
        known = [names for names in counted if names is not None]
        whole = frozenset().union(*known) if len(known) == len(counted) else None
    done = _built(signature.build, made, kind, sign=signature.sign)
    return Compiled(done.expression, done.source, kind, whole)


def _built(
    build: Callable[..., Any], made: list[Compiled], kind: Kind, *, sign: str | None = None
) -> Compiled:
    sources = [one.source for one in made]
    text = f"({sources[0]} {sign} {sources[1]})" if sign else None
    return Compiled(
        build(*(one.expression for one in made)),
        text or f"{build.__name__}({', '.join(sources)})",
        kind,
    )
