"""Parquet, Arrow and Feather: the same types as from a CSV file, bounded before and while read."""

import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from backend.science.tables.arrow_files import read_arrow, read_parquet
from backend.science.tables.delimited import read_delimited
from backend.science.text_check import TableProblem
from tests.science.table_files import LIMITS, read, saved, typed

DAY = dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12)  # noqa: DTZ001  # tables hold no zones


def parquet(table: pa.Table) -> bytes:
    return saved(lambda sink: pq.write_table(table, sink))


def ipc(table: pa.Table, *, stream: bool = False) -> bytes:
    def write(sink: object) -> None:
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(sink, table.schema) as writer:
            writer.write_table(table)

    return saved(write)


EVERYTHING = pa.table(
    {
        "small": pa.array([1, None, 3], pa.uint8()),
        "huge": pa.array([2**64 - 1, None, 1], pa.uint64()),
        "single": pa.array([0.5, float("nan"), None], pa.float32()),
        "decimal": pa.array([Decimal("1.25"), None, Decimal(2)], pa.decimal128(5, 2)),
        "wide": pa.array([Decimal(10) ** 30, None, None], pa.decimal256(40, 0)),
        "large text": pa.array(["a", "", None], pa.large_string()),
        "category": pa.array(["x", None, "x"]).dictionary_encode(),
        "codes": pa.array([7, None, 7]).dictionary_encode(),
        "zoned": pa.array([NOON, None, NOON], pa.timestamp("ms", "Europe/Berlin")),
        "fine": pa.array([1_001, None, 2_000], pa.timestamp("ns")),
        "day": pa.array([DAY, None, DAY], pa.date64()),
        "iso": pa.array(["2024-02-29", None, "2024-03-01"]),
        "iso instant": pa.array(["2024-02-29T12:00:00Z", None, "2024-03-01T12:00:00Z"]),
        "clock": pa.array([dt.time(12, 30), None, None]),
        "took": pa.array([dt.timedelta(minutes=1), None, None]),
        "nothing": pa.nulls(3),
        "flag": pa.array([True, None, False]),
    }
)


@pytest.mark.parametrize("form", ["parquet", "file", "stream"])
def test_every_type_becomes_one_of_a_few(form: str, tmp_path: Path) -> None:
    if form == "parquet":
        table = read(read_parquet, parquet(EVERYTHING), tmp_path)
    else:
        table = read(read_arrow, ipc(EVERYTHING, stream=form == "stream"), tmp_path)
    frame = typed(table)
    assert frame.to_dict(as_series=False) == {
        "small": [1, None, 3],
        "huge": [2.0**64, None, 1.0],
        "single": [0.5, None, None],
        "decimal": [1.25, None, 2.0],
        "wide": [1e30, None, None],
        "large text": ["a", None, None],
        "category": ["x", None, "x"],
        "codes": [7, None, 7],
        "zoned": [NOON, None, NOON],
        "fine": [dt.datetime(1970, 1, 1, microsecond=1), None] * 1  # noqa: DTZ001  # stored times are naive
        + [dt.datetime(1970, 1, 1, microsecond=2)],  # noqa: DTZ001  # stored times are naive
        "day": [DAY, None, DAY],
        "iso": [DAY, None, dt.date(2024, 3, 1)],
        "iso instant": [NOON, None, NOON + dt.timedelta(days=1)],
        "clock": ["12:30:00.000000", None, None],
        "took": [60.0, None, None],
        "nothing": [None] * 3,
        "flag": [True, None, False],
    }
    kinds = {pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Date, pl.Datetime("us")}
    assert set(frame.dtypes) == kinds
    assert [warning.split(":")[0] for warning in table.warnings] == [
        "huge", "wide", "zoned", "fine", "clock", "took", "nothing",
    ]  # fmt: skip


def test_same_table_has_one_digest_whoever_wrote_it(tmp_path: Path) -> None:
    pandas = pd.read_csv("tests/data/penguins.csv")
    polars = pl.from_pandas(pandas)
    categories = pandas.astype({"species": "category", "island": "category"})
    writers: list[tuple[Callable[..., object], bytes]] = [
        (read_parquet, saved(pandas.to_parquet)),
        (read_parquet, saved(lambda sink: categories.to_parquet(sink, compression="gzip"))),
        (read_parquet, saved(polars.write_parquet)),
        (read_arrow, saved(pandas.to_feather)),
        (read_arrow, saved(lambda sink: polars.write_ipc(sink, compression="zstd"))),
        (read_arrow, saved(polars.write_ipc_stream)),
    ]
    tables = [read(reader, content, tmp_path) for reader, content in writers]  # type: ignore[arg-type]  # any reader
    assert len({table.content_digest for table in tables}) == 1
    assert {table.rows for table in tables} == {len(pandas)}
    assert [table.warnings for table in tables] == [[]] * len(tables)


@pytest.mark.parametrize("kind", [pa.decimal128(18, 4), pa.decimal256(40, 4)])
def test_decimals_are_the_numbers_that_their_text_is(kind: pa.DataType, tmp_path: Path) -> None:
    texts = [f"{number / 10_000:.4f}" for number in range(-1_000_000, 99_000_000, 50_021)]
    decimals = pa.table({"x": pa.array(map(Decimal, texts), kind)})
    table = read(read_parquet, parquet(decimals), tmp_path)
    assert typed(table)["x"].to_list() == [float(text) for text in texts]
    written = "\n".join(["x", *texts]).encode()
    assert read(read_delimited, written, tmp_path).content_digest == table.content_digest


def test_nanoseconds_are_cut_off_as_in_text(tmp_path: Path) -> None:
    """Also before 1970, where that is not towards zero."""
    times = pa.table({"x": pa.array([-500, -1_000, 1_999], pa.timestamp("ns"))})
    table = read(read_parquet, parquet(times), tmp_path)
    texts = ["69-12-31T23:59:59.9999995", "69-12-31T23:59:59.999999", "70-01-01T00:00:00.000001999"]
    written = "\n".join(["x", *(f"19{text}" for text in texts)]).encode()
    assert read(read_delimited, written, tmp_path).content_digest == table.content_digest
    assert table.warnings == ["x: times are kept in microseconds"]


def test_row_labels_of_pandas_are_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2]}, index=[5, 9])
    table = read(read_parquet, saved(frame.to_parquet), tmp_path)
    assert table.names == ["x"]
    assert table.warnings == ["__index_level_0__: the row labels of pandas were left out"]


def test_other_types_are_named_all_at_once(tmp_path: Path) -> None:
    table = pa.table({"a": [1], "list": [[1]], "bytes": [b"1"], "struct": [{"x": 1}]})
    for reader, content in ((read_parquet, parquet(table)), (read_arrow, ipc(table))):
        with pytest.raises(TableProblem, match=r"'list' \(list.*'bytes' \(binary.*'struct' \("):
            read(reader, content, tmp_path)


def repeated(text: str, rows: int) -> pa.Table:
    """A table of gigabytes that takes no bytes to write down."""
    indices = pa.array([0]).take(pa.array([0] * rows)).cast(pa.int32())
    return pa.table({"x": pa.DictionaryArray.from_arrays(indices, pa.array([text]))})


def encrypted_footer() -> bytes:
    content = parquet(pa.table({"x": [1]}))
    return b"PARE" + content[4:-4] + b"PARE"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"PAR1", "its end is missing"),
        (lambda: parquet(pa.table({"x": [1]}))[:-1], "its end is missing"),
        (lambda: b"PAR1" + struct.pack("<I", 2**31) + b"PAR1", "footer is longer than the file"),
        (lambda: b"PAR1" + b"\xff" * 50 + struct.pack("<I", 50) + b"PAR1", "is damaged"),
        (encrypted_footer, "encrypted"),
        (lambda: parquet(pa.table({"x": pa.array([], pa.int64())})), "no rows"),
        (lambda: parquet(pa.table({str(n): [1] for n in range(51)})), "51 columns, at most 50"),
        (lambda: parquet(pa.table({"Ab": [1], "ab ": [1]})), "stands twice"),
        (lambda: parquet(pa.table({" ": [1]})), "Column 1 has no name"),
        (lambda: parquet(pa.table({"a\0b": [1]})), r"column 1 contains U\+0000"),
        (lambda: parquet(pa.table({"x": ["a", "b\0"]})), r"Row 2: x: .* U\+0000"),
        (
            lambda: parquet(pa.table({"x": ["a", "b" * 1_001]})),
            "Row 2: x: .* longer than 1,000 bytes",
        ),
        (lambda: parquet(pa.table({"x": pa.array([2**30], pa.date32())})), "the years 1 to 9999"),
        (lambda: parquet(repeated("x" * 900, 300_000)), "more than 200,000,000 bytes"),
        (lambda: parquet(pa.table({"x": pa.nulls(60_000_000)})), "more than 50,000,000 values"),
    ],
)
def test_bad_parquet_file_is_refused_with_the_reason(
    make: Callable[[], bytes], words: str, tmp_path: Path
) -> None:
    with pytest.raises(TableProblem, match=words):
        read(read_parquet, make(), tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b"FEA1" + b"\0" * 30, "Feather version 1"),
        (lambda: b"ARROW1", "damaged"),
        (lambda: b"\xff\xff\xff\xff", "damaged"),
        (lambda: ipc(pa.table({"x": ["a", "b", "c"]}))[:-30], "damaged"),
        (lambda: ipc(repeated("x" * 900, 300_000)), "more than 200,000,000 bytes"),
        (
            lambda: ipc(pa.table({"x": pa.nulls(60_000_000)}), stream=True),
            "more than 50,000,000 values",
        ),
        (lambda: ipc(pa.table({"x": pa.array([], pa.string())})), "no rows"),
        (
            lambda: ipc(pa.table({"x": pa.array([2**60], pa.timestamp("s"))})),
            "x: a value does not fit",
        ),
    ],
)
def test_bad_arrow_file_is_refused_with_the_reason(
    make: Callable[[], bytes], words: str, tmp_path: Path
) -> None:
    with pytest.raises(TableProblem, match=words):
        read(read_arrow, make(), tmp_path)


def test_invalid_text_in_arrow_is_refused(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(struct.pack("<2i", 0, 1)), pa.py_buffer(b"\xff")]
    )
    with pytest.raises(TableProblem, match="damaged"):
        read(read_arrow, ipc(pa.table({"x": bad})), tmp_path)


def test_ratio_of_compression_is_bounded(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([0.0]).take(pa.array([0] * 15_000_000))})
    content = saved(
        lambda sink: pq.write_table(
            table, sink, use_dictionary=False, compression="zstd", write_statistics=False
        )
    )
    with pytest.raises(TableProblem, match="more than 200 times"):
        read(read_parquet, content, tmp_path, replace(LIMITS, max_inflated_bytes=10**9))
