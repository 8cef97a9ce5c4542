"""The language of expressions: what it computes, what it refuses, and that it never breaks."""

from datetime import date, datetime
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.science.recipes.apply import outline_of
from backend.science.recipes.expressions.compiling import Compiled, compile_expression
from backend.science.recipes.expressions.signatures import FUNCTIONS, OPERATORS
from backend.science.recipes.expressions.tokens import ExpressionProblem

TABLE: Final = pl.DataFrame(
    {
        "n": [1, 2, None, -7],
        "x": [1.5, 0.0, -2.0, None],
        "s": ["ab", " É", None, "a.c"],
        "b": [True, None, False, True],
        "d": [date(2024, 1, 5), date(2023, 1, 31), None, date(2020, 2, 29)],
        "t": [datetime(2024, 1, 5, 3, 4, 6)] * 4,  # noqa: DTZ001  # stored times are naive
        "bill length": [1, 2, 3, 4],
        "^n.*$": [9, 9, 9, 9],
        "sepal.width": [5, 5, 5, 5],
    }
)
KINDS: Final = {name: one.kind for name, one in outline_of(TABLE).items()}


def compiled(text: str) -> Compiled:
    return compile_expression(text, KINDS)


def values(text: str) -> list[Any]:
    return TABLE.with_columns(compiled(text).expression.alias("made"))["made"].to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n + 1", [2, 3, None, -6]),
        ("n / 2", [0.5, 1, None, -3.5]),
        ("n % 3", [1, 2, None, 2]),
        ("2 ** n", [2, 4, None, 2**-7]),
        ("-n ** 2", [-1, -4, None, -49]),
        ("2 + 3 * 4 - (1 - 1)", [14] * 4),
        ("1 / x", [1 / 1.5, None, -0.5, None]),
        ("sqrt(x)", [1.5**0.5, 0, None, None]),
        ("log10(n * 0 + 1000)", [3, 3, None, 3]),
        ("floor(log10(0.001))", [-3] * 4),
        ("log2(2 ** 29) == 29", [True] * 4),
        ("log1p(x * 0)", [0, 0, 0, None]),
        ("exp(1000)", [None] * 4),
        ("abs(n)", [1, 2, None, 7]),
        ("round(x)", [2, 0, -2, None]),
        ("round(x / 4, 2)", [0.38, 0, -0.5, None]),
        ("floor(x)", [1, 0, -2, None]),
        ("ceil(x)", [2, 0, -2, None]),
        ("min(n, x)", [1, 0, -2, -7]),
        ("max(n, x, 0)", [1.5, 2, 0, 0]),
        ("coalesce(n, 0)", [1, 2, 0, -7]),
        ("if(n > 1, 'many', s)", ["ab", "many", None, "a.c"]),
        ("upper(s)", ["AB", " É", None, "A.C"]),
        ("lower(trim(s))", ["ab", "é", None, "a.c"]),
        ("length(s)", [2, 2, None, 3]),
        ("contains(s, '.')", [False, False, None, True]),
        ("starts_with(s, 'a') and ends_with(s, \"b\")", [True, False, None, False]),
        ("year(d)", [2024, 2023, None, 2020]),
        ("month(d) * 100 + day(d)", [105, 131, None, 229]),
        ("weekday(t)", [5] * 4),
        ("hour(t) * 60 + minute(t)", [184] * 4),
        ("d - '2024-01-01'", [4, -335, None, -1402]),
        ("t - '2024-01-05'", [(3 * 3600 + 246) / 86400] * 4),
        ("d >= '2023-01-31' AND d < '2024-01-05'", [False, True, None, False]),
        ("t > d", [True, True, None, True]),
        ("n is null or x is not null", [True, True, True, False]),
        ("n in (1, -7)", [True, False, None, True]),
        ("x in (0, 1.5, 9007199254740993)", [True, True, False, None]),
        ("d in ('2024-01-05', '2020-02-29T00:00')", [True, False, None, True]),
        ("s not in ('ab', 'x')", [False, True, None, True]),
        ("not b", [False, None, True, False]),
        ("b == true", [True, None, False, True]),
        ("b and n == 1", [True, False, False, False]),
        ("`bill length` * 2", [2, 4, 6, 8]),
        ("`^n.*$` + sepal.width", [14] * 4),
        ("'it''s'", ["it's"] * 4),
        ("9007199254740993 == 9007199254740993", [True] * 4),
    ],
)
def test_expression_is_computed(text: str, expected: list[Any]) -> None:
    found = values(text)
    for one, wanted in zip(found, expected, strict=True):
        assert one == (pytest.approx(wanted) if isinstance(wanted, float) else wanted)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "at position 1: a column, a value or ( is expected, not the end"),
        ("n +", "at position 4: a column, a value or ( is expected, not the end"),
        ("n = 1", "at position 3: '=' is no part of an expression; write == to compare"),
        ("n == 1 && b", "at position 8: '&' is no part of an expression; write and"),
        ("(n", "at position 3: ')' is expected, not the end"),
        ("'x", "; the text has no closing '"),
        ("nn + 1", "there is no column 'nn'; did you mean n?"),
        ("lg(x)", "there is no function 'lg'; did you mean log?"),
        ("__import__('os')", "there is no function '__import__'"),
        ("log(s)", "at position 5: log takes numbers, s is text"),
        ("1 < n < 3", "at position 7: comparisons do not chain"),
        ("s > 3", "> goes with values of one kind, not s (text) and 3 (numbers)"),
        ("'bill length' > 4", "values of one kind"),
        ("n > 'x'", "values of one kind"),
        ("n == 's'", "the column is written `s`"),
        ("d > 'soon'", "at position 5: 'soon' is no date such as 2024-05-17"),
        ("b < true", "true and false have no order"),
        ("n in (x)", "a value is expected in the list"),
        ("n == null", "null stands after `is` only"),
        ("n is 3", "`null` is expected, not '3'"),
        ("if(n, 1, 2)", "if takes true and false, n is numbers"),
        ("if(b, 1, 'x')", "if takes numbers, 'x' is text"),
        ("log()", "log takes 1 argument, not 0"),
        ("round(x, n)", "digits are a number from 0 to 15"),
        ("hour(d)", "hour takes times, d is dates"),
        ("1e999", "the number is too large"),
        ("99999999999999999999", "at most 64 bits"),
        ("(" * 50 + "n" + ")" * 50, "nested more than 40 deep"),
        ("n" + " + n" * 50, "more than 40 in a row"),
        (" or ".join(["n == 1"] * 600), "more than 500 operations"),
    ],
)
def test_bad_expression_is_refused_by_position(text: str, says: str) -> None:
    with pytest.raises(ExpressionProblem) as refusal:
        compiled(text)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n" + " - n" * 39, [-38, -76, None, 266]),
        ("-(" * 19 + "n" + ")" * 19, [-1, -2, None, 7]),
        ("round(" * 39 + "x" + ", 1)" * 39, [1.5, 0, -2, None]),
        ("log(" * 39 + "x" + ")" * 39, [None] * 4),
        ("log10(" * 39 + "x" + ")" * 39, [None] * 4),
        ("coalesce(" * 39 + "x" + ", 1)" * 39, [1.5, 0, -2, 1]),
        ("(" * 39 + "(n > 0)" + " in (true))" * 39, [True, True, None, False]),
    ],
)
def test_deep_expression_takes_no_longer_than_its_length(text: str, expected: list[Any]) -> None:
    """Each operand is visited and held once: twice would take years."""
    assert values(text) == expected
    assert len(compiled(text).source) < 2_000


def test_chains_in_brackets_are_refused_before_python_gives_up() -> None:
    text = "n"
    for _ in range(12):
        text = f"({text}{' + n' * 39})"
    with pytest.raises(ExpressionProblem, match="too many operations on each other's results"):
        compiled(text)


SIGNS: Final = ("(", ")", ",", "==", "<", "**", "-", "`", "'", ".", "true", "null", "in", "is")
WORDS: Final = st.sampled_from(
    [*TABLE.columns[:6], *FUNCTIONS, *OPERATORS, *SIGNS, "`bill length`", "1", "'2024-01-01'"]
)
ATOMS: Final = st.sampled_from(["n", "x", "s", "b", "d", "t", "1", "0", "2.5", "'a'", "true"])


def larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Syntactically whole expressions, mostly of the wrong kinds."""
    signs = st.sampled_from(["+", "-", "*", "/", "%", "**", "==", "<", "and", "or"])
    two = st.builds(lambda a, sign, b: f"({a} {sign} {b})", parts, signs, parts)
    calls = st.builds(
        lambda name, given: f"{name}({', '.join(given)})",
        st.sampled_from(sorted(FUNCTIONS)),
        st.lists(parts, min_size=1, max_size=3),
    )
    return two | calls | parts.map(lambda a: f"(not {a})") | parts.map(lambda a: f"({a} is null)")


@settings(deadline=None, max_examples=400)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=14).map(" ".join))
@example("\x00")
@example("1" * 3_000)
@example("-" * 1_000 + "1")
@example("not " * 1_000 + "b")
@example("log(" * 1_000)
@example("2" + "**2" * 500)
def test_any_text_is_compiled_or_refused(text: str) -> None:
    try:
        made = compiled(text)
    except ExpressionProblem as problem:
        position = problem.position
    else:
        position = 1
        assert TABLE.with_columns(made.expression.alias("made")).height == TABLE.height
    assert 1 <= position <= len(text) + 1


@settings(deadline=None, max_examples=300)
@given(st.recursive(ATOMS, larger, max_leaves=8))
def test_what_compiles_is_computed_as_the_kind_it_claims(text: str) -> None:
    try:
        made = compiled(text)
    except ExpressionProblem:
        return
    found = TABLE.with_columns(made.expression.alias("made"))
    assert outline_of(found)["made"].kind == made.kind
