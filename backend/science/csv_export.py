"""Tables as CSV that a spreadsheet does not run: what looks like a formula gets an apostrophe."""

import polars as pl

from backend.science.formulas import FORMULA, NUMBER


def injection_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """The same table with an apostrophe before text cells and names that begin like a formula.

    Parameters
    ----------
    frame
        Any table; numbers, also those written as text, stay as they are.
    """
    texts = pl.selectors.string()
    risky = texts.str.contains(FORMULA) & ~texts.str.contains(NUMBER)
    safe = frame.with_columns(pl.when(risky).then("'" + texts).otherwise(texts).name.keep())
    names = pl.Series(frame.columns, dtype=pl.String)
    safe.columns = [
        f"'{name}" if is_risky else name
        for name, is_risky in zip(names, names.str.contains(FORMULA), strict=True)
    ]
    return safe
