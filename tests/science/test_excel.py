"""Excel workbooks: a sheet is typed as its CSV file would be, and nothing in them is trusted."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from backend.science.tables.delimited import read_delimited
from backend.science.tables.excel import read_excel
from backend.science.text_check import TableProblem
from tests.science.table_files import LIMITS, read, typed, workbook

DAY = dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12)  # noqa: DTZ001  # tables hold no zones
SHEET = "xl/worksheets/sheet1.xml"


def cells(*rows: list[object]) -> bytes:
    return workbook({"Sheet1": pd.DataFrame(list(rows), dtype=object)}, header=False)


def changed(content: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The same zip with other parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return sink.getvalue()


def test_same_table_has_the_digest_of_its_csv_file(tmp_path: Path) -> None:
    csv = Path("tests/data/penguins.csv").read_bytes()
    sheet = workbook({"Sheet1": pd.read_csv(io.BytesIO(csv))})
    one, other = read(read_delimited, csv, tmp_path), read(read_excel, sheet, tmp_path)
    assert (one.content_digest, one.names) == (other.content_digest, other.names)
    assert other.warnings == []
    assert other.source is not None
    assert (other.source.sheet, other.source.sheets) == ("Sheet1", ["Sheet1"])


def test_cells_are_typed_as_text_of_a_csv_file(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["whole", "number", "flag", "day", "mixed days", "code", "text number", "odd", "clock"],
        [1, 0.1, True, DAY, DAY, "007", "5", 3, dt.time(12, 30)],
        [2, None, False, None, NOON, "08", "6", "?", None],
        [None, 1e300, None, DAY, None, None, "NA", True, dt.time(1)],
    ]
    frame = typed(read(read_excel, cells(*rows), tmp_path))
    assert frame.to_dict(as_series=False) == {
        "whole": [1, 2, None],
        "number": [0.1, None, 1e300],
        "flag": [True, False, None],
        "day": [DAY, None, DAY],
        "mixed days": [dt.datetime(2024, 2, 29), NOON, None],  # noqa: DTZ001  # stored times are naive
        "code": ["007", "08", None],
        "text number": [5, 6, None],
        "odd": ["3", "?", "true"],
        "clock": ["12:30:00", None, "01:00:00"],
    }
    assert frame["day"].dtype == pl.Date


def test_sheet_is_chosen_and_the_others_are_named(tmp_path: Path) -> None:
    sheets = {"empty": [], "first": [1], "second": ["a", "b"]}
    content = workbook({name: pd.DataFrame({"x": values}) for name, values in sheets.items()})
    content = changed(
        content, lambda parts: parts.update({SHEET: b"<worksheet><sheetData/></worksheet>"})
    )
    found = read(read_excel, content, tmp_path)
    assert typed(found)["x"].to_list() == [1]
    assert found.warnings == ["Read from the sheet 'first'; the others are 'empty', 'second'"]
    wanted = read(read_excel, content, tmp_path, sheet="second")
    assert typed(wanted)["x"].to_list() == ["a", "b"]
    assert wanted.warnings == []
    with pytest.raises(TableProblem, match=r"no sheet 'Third'\. The sheets are 'empty', 'first'"):
        read(read_excel, content, tmp_path, sheet="Third")
    with pytest.raises(TableProblem, match="The sheet 'empty' is empty"):
        read(read_excel, content, tmp_path, sheet="empty")


def test_empty_rows_and_columns_around_the_table_are_left_out(tmp_path: Path) -> None:
    blank: list[object] = [None] * 5
    rows: list[list[object]] = [
        blank,
        [None, "a", "b", None, " "],
        [None, 1, 2, None, None],
        blank,
        [None, None, 4, None, None],
        blank,
    ]
    table = read(read_excel, cells(*rows), tmp_path)
    assert typed(table).rows() == [(1, 2), (None, None), (None, 4)]
    assert table.warnings == ["Row 4 of the sheet is empty; such rows are kept"]


def test_dates_and_text_may_meet_in_later_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.science.tables.excel.PART_VALUES", 2)
    rows = cells(["a", "b"], [DAY, DAY], [NOON, "?"], [DAY, DAY])
    frame = typed(read(read_excel, rows, tmp_path))
    midnight = dt.datetime(2024, 2, 29)  # noqa: DTZ001  # stored times are naive
    assert frame["a"].to_list() == [midnight, NOON, midnight]
    assert frame["b"].to_list() == ["2024-02-29", "?", "2024-02-29"]


def far_cell(parts: dict[str, bytes]) -> None:
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    parts[SHEET] = parts[SHEET].replace(b"</sheetData>", far)


def declared(parts: dict[str, bytes]) -> None:
    name = "xl/sharedStrings.xml"
    head, rest = parts[name].split(b"?>", 1)
    parts[name] = head + b'?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + rest


def renamed(parts: dict[str, bytes], name: str) -> None:
    parts[name] = parts.pop("xl/workbook.xml")


def encrypted() -> bytes:
    content = bytearray(GOOD)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    return bytes(content)


GOOD = cells(["a", "b"], [1, 2])
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
BAD: list[tuple[Callable[[], bytes], str]] = [
    (lambda: GOOD[:200], "damaged: it is no zip"),
    (lambda: OLE, "old Excel file"),
    (lambda: OLE + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
    (encrypted, "encrypted"),
    (lambda: changed(GOOD, far_cell), "reaches over 17,179,869,184 cells, at most 20,000,000"),
    (lambda: changed(GOOD, declared), "declares a document type or an entity"),
    (lambda: changed(GOOD, lambda p: renamed(p, "xl/workbook.bin")), "Only Excel's .xlsx"),
    (lambda: changed(GOOD, lambda p: renamed(p, "content.xml")), "Only Excel's .xlsx"),
    (lambda: changed(GOOD, lambda p: renamed(p, "x.xml")), "holds no workbook"),
    (
        lambda: changed(GOOD, lambda p: p.update({"xl/externalLinks/externalLink1.xml": b"<x/>"})),
        "takes values from other workbooks",
    ),
    (lambda: changed(GOOD, lambda p: p.update({"x": b"0" * 11_000_000})), "more than 200 times"),
    (lambda: changed(GOOD, lambda p: p.update({SHEET: b"\xff\xfe<\0"})), "cannot be read"),
    (lambda: changed(GOOD, lambda p: p.update({SHEET: b"<worksheet><c"})), "damaged|empty"),
    (lambda: changed(GOOD, lambda p: p.update({str(n): b"" for n in range(10_000)})), "parts"),
    (lambda: cells([None]), "The workbook is empty"),
    (lambda: cells(["a", "b"]), "no rows"),
    (lambda: cells(["a", "A "], [1, 2]), "Row 1: The column name 'A' stands twice .as 'a'"),
    (lambda: cells(["a", None], [1, 2]), "Row 2: column 2 has a value but no name"),
    (lambda: cells(["Sales of 2024", None], ["a", "b"], [1, 2]), "Row 2: column 2 .* no name"),
    (lambda: cells([str(n) for n in range(51)], [1] * 51), "Row 1: 51 columns, at most 50"),
    (lambda: cells(["a"], ["x" * 1_001]), "Row 2: a: the text is longer than 1,000 bytes"),
]


@pytest.mark.parametrize(("make", "words"), BAD)
def test_bad_workbook_is_refused_with_the_reason(
    make: Callable[[], bytes], words: str, tmp_path: Path
) -> None:
    with pytest.raises(TableProblem, match=words):
        read(read_excel, make(), tmp_path)


def test_bound_on_the_whole_counts_while_inflating(tmp_path: Path) -> None:
    content = changed(GOOD, lambda parts: parts.update({"x": b"0123456789" * 100_000}))
    with pytest.raises(TableProblem, match="holds more than 500,000 bytes"):
        read(read_excel, content, tmp_path, replace(LIMITS, max_inflated_bytes=500_000))
