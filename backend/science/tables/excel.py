"""Excel workbooks to typed Parquet: one sheet, its cells typed as if they stood in a CSV file."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import pyarrow as pa
from python_calamine import (
    CalamineSheet,
    CalamineWorkbook,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from backend.science.tables.inference import NULL_TEXTS, Candidates
from backend.science.tables.parts import INSTANT, TableParts, check_names
from backend.science.tables.table_file import (
    ReadLimits,
    ReadOptions,
    Report,
    TableFile,
    TableSource,
    silent,
)
from backend.science.tables.workbook_check import check_workbook
from backend.science.text_check import TableProblem

PART_VALUES: Final = 500_000
# Greater whole numbers are written as floating-point numbers are.
EXACT_WHOLE: Final = 2**53
SHOWN_SHEETS: Final = 20
Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta
# With its number in the sheet, from 1.
Row = tuple[int, Sequence[Cell]]
T = TypeVar("T")


def read_excel(
    path: Path, options: ReadOptions, limits: ReadLimits, target: Path, report: Report = silent
) -> TableFile:
    """Read a sheet of an .xlsx workbook; its first row that is not empty holds the names.

    Parameters
    ----------
    path
        The file.
    options
        `sheet` names the sheet; by default it is the first one that is not empty.
    limits
        Bounds on columns, texts and the whole.
    target
        The typed file to write.
    report
        Told what is done.

    Raises
    ------
    TableProblem
        Another kind of workbook, damaged, encrypted, too large, no such sheet, or a sheet that
        is no table.
    """
    check_workbook(path, limits)
    report(0.1, "Opening the workbook")
    with _opened(path) as book:
        name, sheet = _chosen(book, options.sheet)
        sheets = [one.name for one in _worksheets(book)]
        others = [other for other in sheets if other != name]
        source = TableSource("excel", sheet=name, sheets=sheets)
        with TableParts(target.parent, limits, Candidates(), "Row") as parts:
            if others and options.sheet is None:
                parts.warn(f"Read from the sheet {name!r}; the others are {_listed(others)}")
            _Sheet(sheet, limits).add_to(parts, report)
            return parts.write(target, source, report)


@contextmanager
def _opened(path: Path) -> Iterator[CalamineWorkbook]:
    book = _undamaged(lambda: CalamineWorkbook.from_path(path))
    try:
        yield book
    finally:
        book.close()


def _undamaged(read: Callable[[], T]) -> T:
    """What the reader gives; all that it raises but want of memory means a damaged file."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception:  # the reader documents no errors: each layer of it raises its own
        raise TableProblem("The workbook is damaged.") from None
    except BaseException as error:
        # What Rust panics with is no Exception, and has no name that could be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise TableProblem("The workbook is damaged.") from None


def _worksheets(book: CalamineWorkbook) -> list[SheetMetadata]:
    """Sheets with cells, those that everybody sees first."""
    sheets = [one for one in book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    return sorted(sheets, key=lambda one: one.visible != SheetVisibleEnum.Visible)


def _chosen(book: CalamineWorkbook, wanted: str | None) -> tuple[str, CalamineSheet]:
    names = [one.name for one in _worksheets(book)]
    if wanted is not None and wanted not in names:
        raise TableProblem(f"There is no sheet {wanted!r}. The sheets are {_listed(names)}.")
    for name in names if wanted is None else [wanted]:
        sheet = _undamaged(partial(book.get_sheet_by_name, name))
        if sheet.height:
            return name, sheet
    if wanted is not None:
        raise TableProblem(f"The sheet {wanted!r} is empty.")
    raise TableProblem("The workbook is empty.")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:SHOWN_SHEETS])
    return f"{shown} …" if len(names) > SHOWN_SHEETS else shown


class _Sheet:
    """Rows of a sheet on their way to a table."""

    def __init__(self, sheet: CalamineSheet, limits: ReadLimits) -> None:
        self._last_row = max(1, sheet.total_height)
        self._rows = self._read(sheet)
        self._limits = limits

    def add_to(self, parts: TableParts, report: Report) -> None:
        """Type the rows below the names.

        Raises
        ------
        TableProblem
            Bad names, or values in a column that has none.
        """
        number, header = next(self._filled(), (1, ()))
        names = self._names(number, header)
        step = max(1, PART_VALUES // max(1, len(header)))
        lines: list[int] = []
        rows: list[Sequence[Cell]] = []
        for line, row in self._filled():
            if gap := line - (lines[-1] if lines else number) - 1:
                parts.warn(f"Row {line - 1:,} of the sheet is empty; such rows are kept")
            for blank in range(gap, -1, -1):
                lines.append(line - blank)
                rows.append(() if blank else row)
            if len(rows) >= step:
                self._add(parts, names, lines, rows)
                number, lines, rows = line, [], []
                report(0.1 + 0.4 * line / self._last_row, "Reading")
        if rows:
            self._add(parts, names, lines, rows)

    def _read(self, sheet: CalamineSheet) -> Iterator[Row]:
        rows = iter(_undamaged(sheet.iter_rows))
        number = 0
        while (row := _undamaged(lambda: next(rows, None))) is not None:
            number += 1
            yield number, row

    def _filled(self) -> Iterator[Row]:
        """The rows in which something stands."""
        return ((number, row) for number, row in self._rows if any(map(_is_filled, row)))

    def _names(self, line: int, header: Sequence[Cell]) -> Mapping[int, str]:
        """Names by position; a column without one must be empty."""
        texts = {at: _text(cell) for at, cell in enumerate(header)}
        named = {at: text for at, text in texts.items() if text.strip()}
        names = check_names(list(named.values()), self._limits, f"Row {line:,}: ")
        return dict(zip(named, names, strict=True))

    def _add(
        self,
        parts: TableParts,
        names: Mapping[int, str],
        lines: list[int],
        rows: list[Sequence[Cell]],
    ) -> None:
        width = max(map(len, rows))
        columns: dict[str, pa.Array] = {}
        for at in range(width):
            values = [row[at] if row else "" for row in rows]
            if at in names:
                columns[names[at]] = _column(names[at], values, parts)
                continue
            line = next(
                (line for line, cell in zip(lines, values, strict=True) if _is_filled(cell)), None
            )
            if line is not None:
                raise TableProblem(
                    f"Row {line:,}: column {at + 1:,} has a value but no name. The first row that "
                    "is not empty must hold the names.",
                    line=line,
                )
        parts.add(columns, len(rows), lines)


def _is_filled(cell: Cell) -> bool:
    return not isinstance(cell, str) or bool(cell.strip())


def _column(name: str, values: list[Cell], parts: TableParts) -> pa.Array:
    kinds = {type(value) for value in values if value != ""}
    if kinds and kinds <= {dt.date, dt.datetime}:
        if kinds == {dt.date}:
            return pa.array([value or None for value in values], pa.date32())
        return pa.array([_instant(value) for value in values], INSTANT)
    if dt.timedelta in kinds:
        parts.warn(f"{name}: durations are kept as seconds")
    texts = map(_text, values)
    return pa.array([None if text in NULL_TEXTS else text for text in texts], pa.string())


def _instant(cell: Cell) -> dt.datetime | None:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime.combine(cell, dt.time.min) if isinstance(cell, dt.date) else None


def _text(cell: Cell) -> str:
    """A cell as it would stand in a CSV file."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dt.timedelta):
        cell = cell.total_seconds()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_WHOLE else repr(cell)
    return str(cell) if isinstance(cell, int) else cell.isoformat()
