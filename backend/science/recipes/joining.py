"""The step that brings columns of another table."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import polars as pl

from backend.science.column_names import name_key
from backend.science.recipes.deriving import with_new
from backend.science.recipes.problem import Blame, StepProblem, refuse
from backend.science.recipes.values import kind_of, require_columns

# A join may make this many rows of each, and always so many in all.
MOST_ROWS_OF_ONE: Final = 10
ALWAYS_ALLOWED_ROWS: Final = 1_000_000


def join(
    frame: pl.DataFrame,
    *,
    other: pl.DataFrame,
    on: Mapping[str, str],
    how: Literal["left", "inner"] = "left",
    columns: Sequence[str] | None = None,
    suffix: str = "_right",
    many: bool = False,
) -> pl.DataFrame:
    """Columns of the other table where the keys are equal; a missing key equals none.

    Rows keep their order. With `how="left"` all of them stay.

    Parameters
    ----------
    on
        Names of the keys, here and there.
    columns
        Of the other table; without it, all but its keys.
    suffix
        Added to names that stand in both.
    many
        Whether several rows of the other table may have the same key.
    """
    _require_keys(frame, other, on)
    named = joined_names(frame.columns, other.columns, on, columns, suffix)
    missing = [name for name in named if name not in other.columns]
    if missing:
        at = list(columns or ()).index(missing[0])
        raise refuse(f"the other table has no column {missing[0]!r}", "columns", at)
    here = _keys([frame[name] for name in on], [other[name] for name in on.values()])
    there = _keys([other[name] for name in on.values()], [frame[name] for name in on])
    names = here.columns
    _require_few(here, there, names, many=many)
    pairs = here.with_row_index("row").join(
        there.with_row_index("other_row"), on=names, how=how, maintain_order="left_right"
    )
    made = [other[name].gather(pairs["other_row"]).alias(new) for name, new in named.items()]
    return with_new(frame[pairs["row"]], made, "suffix")


def joined_names(
    names: Sequence[str],
    other: Sequence[str],
    on: Mapping[str, str],
    columns: Sequence[str] | None,
    suffix: str,
) -> dict[str, str]:
    """The columns that a join brings, and what they are called then."""
    keys = set(on.values())
    wanted = [name for name in other if name not in keys] if columns is None else columns
    taken = {name_key(name) for name in names}
    return {name: name + suffix if name_key(name) in taken else name for name in wanted}


def _require_keys(frame: pl.DataFrame, other: pl.DataFrame, on: Mapping[str, str]) -> None:
    require_columns(frame, {name: ("on", name) for name in on})
    blames = [
        Blame(f"the other table has no column {theirs!r}", ("on", ours))
        for ours, theirs in on.items()
        if theirs not in other.columns
    ]
    blames = blames or [
        Blame(f"{ours} and {theirs} of the other table are of different kinds", ("on", ours))
        for ours, theirs in on.items()
        if kind_of(frame.schema[ours]) != kind_of(other.schema[theirs])
    ]
    if blames:
        raise StepProblem(*blames)


def _keys(ours: Sequence[pl.Series], theirs: Sequence[pl.Series]) -> pl.DataFrame:
    """The keys under neutral names, as the type that both sides share."""
    pairs = enumerate(zip(ours, theirs, strict=True))
    return pl.DataFrame(
        [
            (one if one.dtype == two.dtype else one.cast(pl.Float64)).alias(f"key {at}")
            for at, (one, two) in pairs
        ]
    )


def _require_few(
    here: pl.DataFrame, there: pl.DataFrame, names: Sequence[str], *, many: bool
) -> None:
    """No repeated keys unless they are wanted, and no explosion of rows."""
    counts = there.drop_nulls().group_by(names).agg(pl.len().alias("rows"))
    repeated = counts.filter(pl.col("rows") > 1)
    if repeated.height and not many:
        example = ", ".join(str(value)[:60] for value in repeated.sort(names).row(0)[:-1])
        raise refuse(
            f"{repeated.height:,} keys stand in several rows of the other table, such as "
            f"{example}; say `many` to take them all",
            "many",
        )
    matches = here.join(counts, on=names, how="left", maintain_order="left")["rows"]
    rows = int(matches.fill_null(1).sum())
    if rows > max(ALWAYS_ALLOWED_ROWS, MOST_ROWS_OF_ONE * here.height):
        raise refuse(f"{rows:,} rows would come of {here.height:,}", "on")
