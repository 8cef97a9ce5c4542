"""A table from JSON: typed as JSON says, one type per column; only dates are told from text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from backend.science.tables.doubts import find_doubts
from backend.science.tables.json_values import CellProblem, array_of, kind_of
from backend.science.tables.parts import TableParts
from backend.science.tables.table_file import ReadLimits, TableFile, TableSource


class CellProblems(ValueError):
    """The first problem of each column that has one."""

    def __init__(self, problems: Sequence[CellProblem]) -> None:
        more = f" ({len(problems):,} columns have problems)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = problems


def write_inline(
    columns: Mapping[str, Sequence[Any]], limits: ReadLimits, target: Path
) -> TableFile:
    """Write a typed table.

    Parameters
    ----------
    columns
        Values by column name, all n long: numbers, booleans, text, and None for missing.
    limits
        Bounds on texts.
    target
        The typed file to write.

    Raises
    ------
    CellProblems
        The first value of each column that has another kind than the ones before it, is no
        scalar, is not finite or cannot be stored.
    """
    arrays: dict[str, pa.Array] = {}
    problems: list[CellProblem] = []
    with TableParts(target.parent, limits) as parts:
        for name, values in columns.items():
            try:
                kind = kind_of(name, values)
                arrays[name] = array_of(name, values, kind, limits.max_cell_bytes, parts.warn)
            except CellProblem as problem:
                problems.append(problem)
        if problems:
            raise CellProblems(problems)
        parts.add(arrays, len(next(iter(columns.values()))))
        table = parts.write(target, TableSource("json", encoding="utf-8"))
    return replace(table, doubts=find_doubts(target))
