"""What the operators and functions of expressions do, on polars' expressions.

Arithmetic is done in double precision; what has no finite value, such as 1 / 0 and log(0), is
missing. Self-contained with `values`: exported scripts carry these functions.
"""

from functools import reduce
from operator import and_, or_

import polars as pl

from backend.science.recipes.values import is_among

SECONDS_OF_A_DAY = 86_400
# polars would take some names of columns for patterns.
PLAIN_NAME = "values"


def exact(number: pl.Expr) -> pl.Expr:
    """Numbers in double precision."""
    return number.cast(pl.Float64)


def finite(number: pl.Expr) -> pl.Expr:
    """The number; missing where it is infinite or none.

    Not by `when`, which holds its operand twice: nested, that is exponential.
    """
    return number.alias(PLAIN_NAME).map_batches(
        lambda numbers: numbers.set(~numbers.is_finite(), None),
        return_dtype=pl.Float64,
        is_elementwise=True,
    )


def add(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Sum."""
    return finite(exact(left) + exact(right))


def subtract(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Difference."""
    return finite(exact(left) - exact(right))


def days_between(later: pl.Expr, earlier: pl.Expr) -> pl.Expr:
    """Days from the right to the left."""
    stamps = [moment.cast(pl.Datetime("us")).dt.epoch("us") for moment in (later, earlier)]
    return (stamps[0] - stamps[1]).cast(pl.Float64) / (SECONDS_OF_A_DAY * 1_000_000)


def multiply(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Product."""
    return finite(exact(left) * exact(right))


def divide(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Quotient, never rounded."""
    return finite(exact(left) / exact(right))


def remainder(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Remainder with the sign of the divisor."""
    return finite(exact(left) % exact(right))


def power(base: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """Power."""
    return finite(exact(base) ** exact(exponent))


def negate(number: pl.Expr) -> pl.Expr:
    """The number with the other sign."""
    return subtract(pl.lit(0.0), number)


def log(number: pl.Expr) -> pl.Expr:
    """Natural logarithm."""
    return finite(exact(number).log())


def log10(number: pl.Expr) -> pl.Expr:
    """Decimal logarithm."""
    return finite(_logarithm(number, 10.0))


def log2(number: pl.Expr) -> pl.Expr:
    """Binary logarithm."""
    return finite(_logarithm(number, 2.0))


def _logarithm(number: pl.Expr, base: float) -> pl.Expr:
    return (
        exact(number)
        .alias(PLAIN_NAME)
        .map_batches(
            lambda numbers: _with_whole(numbers.log(base), numbers, base),
            return_dtype=pl.Float64,
            is_elementwise=True,
        )
    )


def _with_whole(logarithms: pl.Series, numbers: pl.Series, base: float) -> pl.Series:
    """Whole where the number is a power: polars is off by the last digit."""
    whole = logarithms.round()
    return whole.zip_with(base**whole == numbers, logarithms)


def log1p(number: pl.Expr) -> pl.Expr:
    """Natural logarithm of 1 more than the number."""
    return finite(exact(number).log1p())


def sqrt(number: pl.Expr) -> pl.Expr:
    """Square root."""
    return finite(exact(number).sqrt())


def exp(number: pl.Expr) -> pl.Expr:
    """Exponential function."""
    return finite(exact(number).exp())


def absolute(number: pl.Expr) -> pl.Expr:
    """The number without its sign."""
    return exact(number).abs()


def round_to(number: pl.Expr, digits: int = 0) -> pl.Expr:
    """Rounded; halves go to the even neighbour."""
    return exact(number).round(digits)


def floor(number: pl.Expr) -> pl.Expr:
    """The largest whole number that is not above."""
    return exact(number).floor()


def ceiling(number: pl.Expr) -> pl.Expr:
    """The smallest whole number that is not below."""
    return exact(number).ceil()


def least(*numbers: pl.Expr) -> pl.Expr:
    """The smallest of the known numbers of a row."""
    return pl.min_horizontal([exact(number) for number in numbers])


def greatest(*numbers: pl.Expr) -> pl.Expr:
    """The largest of the known numbers of a row."""
    return pl.max_horizontal([exact(number) for number in numbers])


def first_known(*values: pl.Expr) -> pl.Expr:
    """The first value of a row that is not missing."""
    return pl.coalesce(*values)


def choose(condition: pl.Expr, then: pl.Expr, otherwise: pl.Expr) -> pl.Expr:
    """One value where the condition is met, else the other."""
    return pl.when(condition).then(then).otherwise(otherwise)


def every(*conditions: pl.Expr) -> pl.Expr:
    """All are met; unknown where that depends on a missing value."""
    return reduce(and_, conditions)


def some(*conditions: pl.Expr) -> pl.Expr:
    """One is met; unknown where that depends on a missing value."""
    return reduce(or_, conditions)


def opposite(condition: pl.Expr) -> pl.Expr:
    """The condition is not met."""
    return ~condition


def among(value: pl.Expr, *values: pl.Expr) -> pl.Expr:
    """The value is one of the list; held once, as by `finite`."""
    return pl.map_batches(
        [value, *values],
        lambda all_of: is_among(all_of[0], [one.item() for one in all_of[1:]]),
        return_dtype=pl.Boolean,
        is_elementwise=True,
    )


def is_missing(value: pl.Expr) -> pl.Expr:
    """Whether there is no value."""
    return value.is_null()


def is_known(value: pl.Expr) -> pl.Expr:
    """Whether there is a value."""
    return value.is_not_null()


def lower(text: pl.Expr) -> pl.Expr:
    """In small letters."""
    return text.str.to_lowercase()


def upper(text: pl.Expr) -> pl.Expr:
    """In capital letters."""
    return text.str.to_uppercase()


def trim(text: pl.Expr) -> pl.Expr:
    """Without white space around it."""
    return text.str.strip_chars()


def length(text: pl.Expr) -> pl.Expr:
    """Count of characters."""
    return text.str.len_chars().cast(pl.Int64)


def contains(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    """Whether the part stands anywhere in the text, letter for letter."""
    return text.str.contains(part, literal=True)


def starts_with(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    """Whether the text begins with the part."""
    return text.str.starts_with(part)


def ends_with(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    """Whether the text ends with the part."""
    return text.str.ends_with(part)


def year(moment: pl.Expr) -> pl.Expr:
    """Year."""
    return moment.dt.year().cast(pl.Int64)


def quarter(moment: pl.Expr) -> pl.Expr:
    """Quarter of the year, from 1."""
    return moment.dt.quarter().cast(pl.Int64)


def month(moment: pl.Expr) -> pl.Expr:
    """Month, from 1."""
    return moment.dt.month().cast(pl.Int64)


def day(moment: pl.Expr) -> pl.Expr:
    """Day of the month, from 1."""
    return moment.dt.day().cast(pl.Int64)


def weekday(moment: pl.Expr) -> pl.Expr:
    """Day of the week: Monday is 1, Sunday 7."""
    return moment.dt.weekday().cast(pl.Int64)


def day_of_year(moment: pl.Expr) -> pl.Expr:
    """Day of the year, from 1."""
    return moment.dt.ordinal_day().cast(pl.Int64)


def hour(moment: pl.Expr) -> pl.Expr:
    """Hour, from 0."""
    return moment.dt.hour().cast(pl.Int64)


def minute(moment: pl.Expr) -> pl.Expr:
    """Minute, from 0."""
    return moment.dt.minute().cast(pl.Int64)


def second(moment: pl.Expr) -> pl.Expr:
    """Second, from 0."""
    return moment.dt.second().cast(pl.Int64)


def is_weekend(moment: pl.Expr) -> pl.Expr:
    """Saturday or Sunday."""
    return moment.dt.weekday() > 5  # Friday
