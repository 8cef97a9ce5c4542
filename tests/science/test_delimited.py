"""Delimited text: types over the whole file, exact shapes, one outcome however it is cut up."""

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.science.tables.blocks import Irregular, Shape
from backend.science.tables.inference import (
    NULL_TEXTS,
    Candidates,
    as_kind,
    column_warnings,
    narrow,
)
from backend.science.tables.read import read_table
from backend.science.tables.records import read_header
from backend.science.tables.regular_text import RegularText
from backend.science.tables.table_file import ReadLimits, ReadOptions, TableFile
from backend.science.text_check import TableProblem
from tests.conftest import DATA
from tests.science.tables import read_file

LIMITS = ReadLimits(max_columns=2_000, max_cell_bytes=1_000_000, max_inflated_bytes=50_000_000)


def read(folder: Path, content: bytes, **options: str) -> TableFile:
    path = folder / "sent"
    path.write_bytes(content)
    return read_table(path, ReadOptions(**options), LIMITS, folder / "typed.parquet")  # type: ignore[arg-type]  # from parameters


def frame(folder: Path, content: bytes, **options: str) -> pl.DataFrame:
    return pl.read_parquet(read(folder, content, **options).path)


NUMBERS = st.sampled_from(["1", "-7", "+5", " 3", "4 ", "0", "-0", "12", "9007199254740993"])
DECIMALS = st.sampled_from(["1.5", ".5", "1e5", "-2.25", "inf", "1e999", " 0.1"])
LARGE = st.sampled_from(["99999999999999999999", "-99999999999999999999", "7"])
CODES = st.sampled_from(["007", "01", " 05", "\t08", "12", "00.5", "0"])
WORDS = st.sampled_from(["true", "FALSE", "True ", " false"])
TIMES = st.sampled_from(["2024-01-31", "2024-01-31T10:00:00", "2024-01-31 05:00", "2024-02-30"])
TEXTS = st.sampled_from(
    ["a", "b c", 'say "hi"', "x,y", "two\nlines", "é", "\u00a05", " ", "a\r\nb", ";"]
)
NULLS = st.sampled_from(["", "NA", "NaN", "NAN", "null", " NA "])
COLUMNS = st.sampled_from([
    NUMBERS, DECIMALS, NUMBERS | DECIMALS, LARGE, CODES, WORDS, TIMES, TEXTS, NUMBERS | CODES,
    NUMBERS | TEXTS, WORDS | NUMBERS, NUMBERS | LARGE, TIMES | TEXTS,
])  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Columns that are mostly of one kind, with odd values anywhere."""
    height = draw(st.integers(1, 30))
    width = draw(st.integers(1, 4))
    columns = []
    for _ in range(width):
        cells = draw(COLUMNS) | NULLS if draw(st.booleans()) else draw(COLUMNS)
        columns.append(draw(st.lists(cells, min_size=height, max_size=height)))
    return [list(row) for row in zip(*columns, strict=True)]


def _as_written(rows: list[list[str]], quoting: int, line_end: str) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type]  # an int from the csv module
    writer.writerow([f"c{i}" for i in range(len(rows[0]))])
    writer.writerows(rows)
    return sink.getvalue().encode()


def _expected(rows: list[list[str]]) -> tuple[pl.DataFrame, list[str]]:
    """By whole columns at once, from the cells as they are."""
    cells = [pl.Series(f"c{i}", one, pl.String) for i, one in enumerate(zip(*rows, strict=True))]
    texts = [text.set(text.is_in(list(NULL_TEXTS)), None) for text in cells]
    found = [narrow(text, Candidates()) for text in texts]
    typed = [as_kind(text, each.kind) for text, each in zip(texts, found, strict=True)]
    warnings = column_warnings(zip((text.name for text in texts), found, strict=True))
    return pl.DataFrame(typed).with_columns(pl.selectors.float().fill_nan(None)), warnings


@given(
    rows=tables(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    block_bytes=st.integers(20, 400),
    sample_rows=st.integers(1, 5),
)
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_blocks_and_samples_change_nothing(
    tmp_path: Path,
    rows: list[list[str]],
    quoting: int,
    line_end: str,
    block_bytes: int,
    sample_rows: int,
) -> None:
    content = _as_written(rows, quoting, line_end)
    table, warnings = _expected(rows)
    assert frame(tmp_path, content).equals(table)
    path = tmp_path / "sent"
    header = read_header(path, ",", LIMITS)
    text = RegularText(
        path,
        header,
        Shape(",", len(header.names), 1_000),
        block_bytes=block_bytes,
        sample_rows=sample_rows,
    )
    try:
        _, said = text.write(tmp_path / "blocks.parquet")
    except Irregular:
        return
    written = pl.read_parquet(tmp_path / "blocks.parquet")
    assert written.schema == table.schema
    assert written.equals(table)
    assert said == warnings


@given(content=st.binary(max_size=60) | st.text('ab01,;"\n\r \t.é', max_size=60).map(str.encode))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_a_table_or_a_problem(tmp_path: Path, content: bytes) -> None:
    try:
        table = read(tmp_path, content, format="csv", delimiter=",")
    except TableProblem:
        return
    records = [
        record
        for record in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if record
    ]
    assert table.rows == len(records) - 1
    assert all(len(record) == len(table.names) for record in records)
    written = pl.read_parquet(table.path)
    assert written.columns == list(table.names)
    assert written.height == table.rows


@pytest.mark.parametrize(
    ("content", "words", "line"),
    [
        (b"", "empty", 1),
        (b"\n\n", "empty", 1),
        (b"a,b\n", "no rows", 1),
        (b"a,b\n\n\n", "no rows", 3),
        (b"a,b\n1,2\n3\n", "Line 3 has 1 field, expected 2", 3),
        (b"a,b\n1,2,3\n4\n", "Line 2 has 3 fields, expected 2", 2),
        (b'a,b\n"x\ny",2\n1\n', "Line 4 has 1 field", 4),
        (b"a,b,a\n1,2,3\n", "'a' stands twice", 1),
        (b"a,A\n1,2\n", "'A' stands twice", 1),
        (b"a,\n1,2\n", "column 2 has no name", 1),
        (b"a,b\n1,\x00\n", "Line 2 contains a NUL byte", 2),
        (b"a,\x00b\n1,2\n", "Line 1 contains a NUL byte", 1),
        (b"a,b\n1,2\n\xff,3\n", "not UTF-8 (line 3, byte 9)", 3),
        (b"a,b\n1,caf\xe9\n", "send it again with encoding=windows-1252", 2),
        ("a,b\n1,2\n".encode("utf-16-le"), "send it again with encoding=utf-16-le", 1),
        (b'a,b\n"1,2\n', "within quotes", 2),
        (b'a,b\n"1"x,2\n', "after its closing quote", 2),
        (",".join(f"c{i}" for i in range(2_001)).encode() + b"\n1\n", "2,001 columns, at most", 1),
        (b"a,b\n1," + b"x" * 1_000_001 + b"\n", "Line 2: a cell is longer", 2),
        (b"PK\x03\x04rest", "zip archive without a workbook", None),
        (b"%PDF-1.7\n", "a PDF document", None),
        (b"PAR1\x15\x04\x15\x00", "Parquet file is damaged", None),
        (b"FEA1" + b"\0" * 20, "Feather version 1", None),
        (b"BZh91AY&SY", "compressed with bzip2", None),
        (b"a,^b$\n1,2\n", "Line 1: the column name '^b$' has ^ before and $ behind it", 1),
    ],
)
def test_bad_file_is_named_with_its_line(
    tmp_path: Path, content: bytes, words: str, line: int | None
) -> None:
    with pytest.raises(TableProblem) as caught:
        read(tmp_path, content)
    assert words in str(caught.value)
    assert caught.value.line == line
    assert {path.name for path in tmp_path.iterdir()} <= {"sent", "typed.parquet"}


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n", [(1, 2), (3, 4)]),
        (b"a\tb\n1\t2\n3\t4\n", [(1, 2), (3, 4)]),
        (b"a;b\n1,5;2\n2,5;3\n", [("1,5", 2), ("2,5", 3)]),
        (b"name, first|b\nx|1\ny|2\n", [("x", 1), ("y", 2)]),
        (b"a\n1\n\n2\n", [(1,), (2,)]),
        (b"a,b\r1,2\r3,4\r", [(1, 2), (3, 4)]),
        (b'a,"b\nc"\n"x\ny",2\n', [("x\ny", 2)]),
        (b'a,b\n1,x"y\n', [(1, 'x"y')]),
        (b'a\n""\n1\n', [(None,), (1,)]),
        (b"a,b\n1,2", [(1, 2)]),
        (b"\n\na,b\n1,2\n", [(1, 2)]),
        ("a,b\n1,é\n".encode("utf-16"), [(1, "é")]),
        ("a,b\n1,é\n".encode("utf-32"), [(1, "é")]),
    ],
)
def test_unusual_but_good_file_is_read(
    tmp_path: Path, content: bytes, rows: list[tuple[object, ...]]
) -> None:
    assert frame(tmp_path, content).rows() == rows


@pytest.mark.parametrize(
    ("content", "options", "rows"),
    [
        ("a,b\n1,é\n".encode("windows-1252"), {"encoding": "windows-1252"}, [(1, "é")]),
        ("a,b\n1,日本\n".encode("shift_jis"), {"encoding": "shift_jis"}, [(1, "日本")]),
        (b"a:b\n1:2\n", {"delimiter": ":"}, [(1, 2)]),
        ("a§b\n1§2\n".encode(), {"delimiter": "§"}, [(1, 2)]),
        (b"a b\n1 2\n", {"delimiter": " "}, [(1, 2)]),
        (b"a,b;c\n1,2;3\n", {"delimiter": ";"}, [("1,2", 3)]),
        (b"{a,b\n1,2\n", {"format": "csv"}, [(1, 2)]),
    ],
)
def test_sender_knows_better(
    tmp_path: Path, content: bytes, options: dict[str, str], rows: list[tuple[object, ...]]
) -> None:
    assert frame(tmp_path, content, **options).rows() == rows


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "klingon"}, "'klingon' is unknown"),
        ({"encoding": "hex"}, "'hex' is unknown"),
        ({"encoding": "utf-32"}, "not utf-32"),
        ({"delimiter": "a"}, "cannot separate cells"),
        ({"delimiter": '"'}, "cannot separate cells"),
        ({"format": "parquet"}, "not a Parquet file"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(TableProblem, match=words):
        read(tmp_path, b"a,b\n1,2\n", **options)


@pytest.mark.parametrize(
    "header", ["PAR1,b", "PARENT_ID,NAME", "ARROW1,b", "FEA1,b", "Rar!,b", "GIF8,b", "BZh,b"]
)
def test_header_that_begins_like_another_format_is_text(tmp_path: Path, header: str) -> None:
    for options in ({}, {"format": "csv"}):
        table = frame(tmp_path, f"{header}\n1,2\n".encode(), **options)
        assert (table.columns, table.rows()) == (header.split(","), [(1, 2)])


@pytest.mark.parametrize("values", [["24-01-05", "12-11-10"], ["3-2-1"], ["+2024-01-05"]])
def test_date_has_all_digits(tmp_path: Path, values: list[str]) -> None:
    table = read(tmp_path, "\n".join(["x", *values]).encode())
    assert pl.read_parquet(table.path)["x"].to_list() == values
    assert not table.doubts


@pytest.mark.parametrize("encoding", ["punycode", "idna", "unicode_escape", "utf-7", "undefined"])
def test_codecs_of_other_things_are_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(TableProblem, match="is unknown"):
        read(tmp_path, b"a,b\n1,2\n", encoding=encoding)


def test_source_tells_what_was_found(tmp_path: Path) -> None:
    source = read(tmp_path, "a;b\n1;2\n".encode("utf-16")).source
    assert source is not None
    assert (source.format, source.encoding, source.delimiter) == ("csv", "utf-16", ";")


def test_type_is_decided_by_the_last_row_too(tmp_path: Path) -> None:
    rows = 300_000
    lines = ["a,b,c,d", *(f"{i},1,2024-01-01," for i in range(rows)), "x,007,2024-01-01T10:00,late"]
    table = frame(tmp_path, "\n".join(lines).encode())
    assert table.dtypes == [pl.String, pl.String, pl.String, pl.String]
    assert table.row(0) == ("0", "1", "2024-01-01", None)
    assert table.row(-1) == ("x", "007", "2024-01-01T10:00", "late")


def test_penguins_are_typed(tmp_path: Path) -> None:
    table = read(tmp_path, (DATA / "penguins.csv").read_bytes())
    written = pl.read_parquet(table.path)
    assert table.rows == 344
    assert written["bill_length_mm"].null_count() == 2
    assert written["flipper_length_mm"].dtype == pl.Int64
    assert written["species"].dtype == pl.String


@pytest.mark.parametrize(
    ("column", "warning"),
    [
        (["1e999", "2"], "x: 1 value too large or infinite"),
        (["100000000000000000000", "2"], "x: whole numbers beyond 64 bits are read as approximate"),
        (["", "NA"], "x: the column is empty"),
    ],
)
def test_doubtful_types_are_said(tmp_path: Path, column: list[str], warning: str) -> None:
    content = "\n".join(["x,y", *(f"{cell},1" for cell in column)])
    assert list(read(tmp_path, content.encode()).warnings) == [warning]


def test_bound_of_cells_is_left_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = tmp_path / "odd.csv"
    path.write_bytes(b'a,b\n\n"x\ny",2\n')
    read_file(path)
    assert csv.field_size_limit() == before
