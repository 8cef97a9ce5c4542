"""Good files of every format, small enough to be made in a test."""

import gzip
import io
import json
from collections.abc import Mapping
from functools import cache

import polars as pl
import pyarrow as pa
import pyarrow.feather as feather

from tests.conftest import DATA
from tests.science.images import image_zip, labels, pictures, zipped

PENGUINS = DATA / "penguins.csv"
ROWS = 60


@cache
def whole_files() -> Mapping[str, bytes]:
    """Content by file name."""
    frame = pl.read_csv(PENGUINS, null_values=["NA"]).head(ROWS)
    text = frame.write_csv(null_value="NA").encode()
    by_folder = {
        f"{label}/{name}": content
        for label, (name, content) in zip(labels(12), pictures(12).items(), strict=True)
    }
    return {
        "table.csv": text,
        "table.tsv": frame.write_csv(separator="\t").encode(),
        "quoted.csv": frame.write_csv(quote_style="always").encode(),
        "wide.csv": text.decode().encode("utf-16"),
        "table.csv.gz": gzip.compress(text, mtime=0),
        "table.csv.zst": pa.compress(text, codec="zstd", asbytes=True),
        "table.jsonl": frame.write_ndjson().encode(),
        "table.json": json.dumps(frame.to_dicts()).encode(),
        "table.parquet": _parquet(frame),
        "table.arrow": _arrow(frame),
        "table.feather": _feather(frame),
        "table.xlsx": workbook(frame),
        "images.zip": image_zip(12),
        "folders.zip": zipped(by_folder),
    }


def _parquet(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_parquet(sink, row_group_size=20)
    return sink.getvalue()


def _arrow(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_ipc_stream(sink)
    return sink.getvalue()


def _feather(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(frame.to_arrow(), sink, compression="zstd")
    return sink.getvalue()


def workbook(frame: pl.DataFrame) -> bytes:
    """An Excel workbook of one sheet."""
    sink = io.BytesIO()
    frame.write_excel(sink)
    return sink.getvalue()
