"""JSON lines and small arrays of objects: typed as JSON says, each bad line named."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from backend.science.tables.delimited import read_delimited
from backend.science.tables.json_lines import read_json_lines
from backend.science.text_check import TableProblem
from tests.science.table_files import LIMITS, read, saved, typed

GOOD = """\ufeff{"n": 1, "flag": true, "text": "007", "when": "2024-02-29"}

{"n": 2.5, "flag": null, "text": "", "when": "2024-03-01", "late": 9007199254740993}\r
{"text": "x", "n": null}
"""


def test_objects_become_typed_columns(tmp_path: Path) -> None:
    table = read(read_json_lines, GOOD.encode(), tmp_path)
    frame = typed(table)
    assert frame.rows() == [
        (1.0, True, "007", frame["when"][0], None),
        (2.5, None, None, frame["when"][1], 2**53 + 1),
        (None, None, "x", None, None),
    ]
    assert frame.columns == ["n", "flag", "text", "when", "late"]
    assert frame.dtypes == [pl.Float64, pl.Boolean, pl.String, pl.Date, pl.Int64]
    assert table.warnings == []


def test_same_table_has_the_digest_of_its_csv_file(tmp_path: Path) -> None:
    csv = Path("tests/data/penguins.csv").read_bytes()
    frame = typed(read(read_delimited, csv, tmp_path))
    lines = saved(frame.write_ndjson)
    array = b"[" + b",\n".join(lines.splitlines()) + b"]"
    tables = [
        read(reader, content, tmp_path)
        for reader, content in (
            (read_delimited, csv),
            (read_json_lines, lines),
            (read_json_lines, array),
        )
    ]
    assert len({table.content_digest for table in tables}) == 1


def test_kinds_of_a_column_may_widen_far_down(tmp_path: Path) -> None:
    """Parts of the file are typed apart: whole numbers first, others later."""
    lines = ['{"x": 1, "y": null}'] * 60_000 + ['{"x": 0.5, "y": "2024-01-01", "z": true}']
    frame = typed(read(read_json_lines, "\n".join(lines).encode(), tmp_path))
    assert frame.dtypes == [pl.Float64, pl.Date, pl.Boolean]
    assert frame["x"].sum() == 60_000.5
    assert frame["y"].null_count() == frame["z"].null_count() == 60_000


def test_rows_before_the_first_column_are_kept(tmp_path: Path) -> None:
    """The first part of the file has rows and no columns."""
    table = read(read_json_lines, b"{}\n" * 50_000 + b'{"x": 1}\n', tmp_path)
    assert typed(table)["x"].null_count() == 50_000


def test_whole_numbers_beyond_64_bits_are_approximate(tmp_path: Path) -> None:
    table = read(read_json_lines, b'{"x": 1}\n{"x": 18446744073709551616}\n', tmp_path)
    assert typed(table)["x"].to_list() == [1.0, 2.0**64]
    assert table.warnings == ["x: whole numbers beyond 64 bits are read as approximate"]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", 1, "The file is empty"),
        (b" \n ", 1, "The file is empty"),
        (b'{"x": 1}\n{"x": }\n', 2, "Line 2: no JSON .*character 7"),
        (b'{"x": 1}\n{"x": 1} {"x": 2}\n', 2, "Line 2: no JSON .Extra data"),
        (b'{"x": 1}\n\n[1]\n', 3, "Line 3: no object"),
        (b'{"x": 1}\n5\n', 2, "Line 2: no object"),
        (b'{"x": 1}\n{"x": [1]}\n', 2, "Line 2: x: a number, text, boolean or null is wanted"),
        (b'{"x": 1}\n{"x": {"y": 1}}\n', 2, "Line 2: x: a number, text"),
        (b'{"x": 1}\n{"y": 1, "y": 2}\n', 2, "Line 2: the name 'y' stands twice"),
        (b'{"x": 1}\n{"X ": 2}\n', 2, "Line 2: The column name 'X' stands twice"),
        (b'{"x": 1}\n{"": 2}\n', 2, "Line 2: Column 2 has no name"),
        (b'{"x": null}\n{"x": 1}\n{"x": "1"}\n', 3, "Line 3: x: text, but .* a number"),
        (b'{"x": true}\n{"x": 1}\n', 2, "Line 2: x: a number, but .* true or false"),
        (b'{"x": 1}\n{"x": NaN}\n', 2, "Line 2: NaN is no JSON"),
        (b'{"x": 1}\n{"x": -Infinity}\n', 2, "Line 2: -Infinity is no JSON"),
        (b'{"x": 1}\n{"x": 1e999}\n', 2, "Line 2: x: the number is too large"),
        (b'{"x": 1}\n{"x": 1%s}\n' % (b"0" * 400), 2, "Line 2: x: the number is too large"),
        (b'{"x": 1}\n{"x": 1%s}\n' % (b"0" * 5_000), 2, "Line 2: a number has too many digits"),
        (b'{"x": "a"}\n{"x": "\\u0000"}\n', 2, r"Line 2: x: .*U\+0000"),
        (b'{"x": "a"}\n{"x": "\\ud800"}\n', 2, "Line 2: x: .*surrogate"),
        (b'{"x": "a"}\n{"\\ud800": "a"}\n', 2, "Line 2: The name of column 2 .*surrogate"),
        (b'{"x": "a"}\n{"x": "%s"}\n' % (b"a" * 1_001), 2, "Line 2: x: .*1,000 bytes"),
        (b'{"x": "a"}\n{"x": "\xff"}\n', 2, "Line 2: not UTF-8 .byte 8"),
        (b'{"x": 1}\n' + b'{"x":' * 100_000, 2, "Line 2: (nested too deeply|no JSON)"),
        (b'{"x": 1}\n' + b" " * 16_000_001, 2, "Line 2: longer than 16,000,000 bytes"),
        (b"{}\n{}\n", None, "no columns"),
        (b"[]", None, "no rows"),
        (b'[{"x": 1}, 2]', None, "Row 2: no object"),
        (b'[{"x": 1}, {"x": "a"}]', None, "Row 2: x: text, but"),
        (b'[{"x": 1}', None, "The file: no JSON"),
    ],
)
def test_bad_line_is_named(content: bytes, line: int | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(TableProblem, match=words) as problem:
        read(read_json_lines, content, tmp_path)
    assert problem.value.line == line


def test_columns_and_missing_values_are_bounded(tmp_path: Path) -> None:
    many = "\n".join(f'{{"c{number}": 1}}' for number in range(51)).encode()
    with pytest.raises(TableProblem, match="Line 51: 51 columns, at most 50"):
        read(read_json_lines, many, tmp_path)
    few = b'{"a": null, "b": null}\n' * 2_000
    with pytest.raises(TableProblem, match="more than 2,500 values"):
        read(read_json_lines, few, tmp_path, replace(LIMITS, max_inflated_bytes=10_000))


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableProblem, match="JSON is UTF-8"):
        read(read_json_lines, b'{"x": 1}\n', tmp_path, encoding="latin-1")
