"""Tables as CSV that a spreadsheet does not run: text that looks like a formula gets an apostrophe.

Reference: OWASP, CSV Injection.
"""

from typing import Final

import polars as pl

FORMULA: Final = r"^[=+\-@\t\r]"
NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


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
