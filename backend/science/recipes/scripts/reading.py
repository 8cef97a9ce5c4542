"""Reading the table that a script begins with, and the tables that it joins."""

import csv
import gzip
import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from backend.science.csv_table import DATETIME_FORMATS
from backend.science.recipes.running import prepare
from backend.science.tables.inference import NULL_TEXTS


def read_input(
    path: Path, schema: Mapping[str, str], delimiter: str = ",", encoding: str = "utf8"
) -> pl.DataFrame:
    """A Parquet file as it is, or a CSV file, plain or gzip, with columns of known types."""
    if path.name.endswith((".parquet", ".pq")):
        return prepare(pl.read_parquet(path))
    texts = pl.read_csv(plain_csv(path, delimiter, encoding), infer_schema=False)
    if texts.width != len(schema):
        raise ValueError(f"{path} has {texts.width} columns, expected {len(schema)}")
    typed = [
        typed_text(texts.to_series(at).alias(name), kind)
        for at, (name, kind) in enumerate(schema.items())
    ]
    return prepare(pl.DataFrame(typed))


def plain_csv(path: Path, delimiter: str, encoding: str) -> bytes:
    """The records of a CSV file with commas, in UTF-8, without blank lines."""
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    text = content.decode(encoding).removeprefix("\ufeff")
    plain = io.StringIO()
    # With CR LF at the ends of lines the writer quotes cells that hold either.
    writer = csv.writer(plain, lineterminator="\r\n")
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = csv.field_size_limit(len(text) + 1)
    try:
        writer.writerows(record for record in records if record)
    finally:
        csv.field_size_limit(before)
    return plain.getvalue().encode()


def typed_text(text: pl.Series, kind: str) -> pl.Series:
    """Cells of a CSV file as values of their type."""
    if kind == "string":
        return text.set(text.is_in(list(NULL_TEXTS)), None)
    trimmed = text.str.strip_chars()
    trimmed = trimmed.set(trimmed.is_in(list(NULL_TEXTS)), None)
    if kind == "boolean":
        return trimmed.str.to_lowercase() == "true"
    if kind == "date":
        return trimmed.str.to_date("%Y-%m-%d")
    if kind == "datetime":
        return moments(trimmed.str.strip_suffix("Z"))
    return trimmed.cast(pl.Int64 if kind == "integer" else pl.Float64)


def moments(texts: pl.Series) -> pl.Series:
    """Times in the first format that fits all of them."""
    for pattern in DATETIME_FORMATS:
        found = texts.str.to_datetime(pattern, strict=False, time_unit="us")
        if found.null_count() == texts.null_count():
            return found
    raise ValueError(f"{texts.name} holds no times in ISO 8601")
