"""The content digest: the same for the same table, whatever file and parts it came in."""

import gzip
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from backend.science.tables.digest import content_digest
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadOptions
from backend.science.tables.writing import write_frames
from tests.conftest import DATA
from tests.science.tables import LIMITS

PENGUINS = DATA / "penguins.csv"


def digest_of(folder: Path, frame: pl.DataFrame) -> str:
    return write_frames(frame.schema, [frame], folder / "typed.parquet").content_digest


@pytest.mark.parametrize(
    "other",
    [
        {"x": [None, "b"]},
        {"x": ["b", None]},
        {"y": ["a", "b"]},
        {"x": [1, 2]},
        {"x": [True, False]},
        {"x": ["a", "b"], "y": ["a", "b"]},
        {"x": ["ab", None]},
        {"x": ["a", "b", "b"]},
    ],
)
def test_other_table_has_another_digest(tmp_path: Path, other: dict[str, list[object]]) -> None:
    one = digest_of(tmp_path, pl.DataFrame({"x": ["a", "b"]}))
    assert digest_of(tmp_path, pl.DataFrame(other)) != one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2, None], [1.0, 2.0, float("nan")]),
        ([0.0, 1.5], [-0.0, 1.5]),
        (["a", None], ["a", ""]),
        ([date(2024, 1, 31)], [datetime(2024, 1, 31)]),  # noqa: DTZ001  # tables know no zones
        (pl.Series([None, None], dtype=pl.Float64), pl.Series([None, None], dtype=pl.String)),
    ],
)
def test_equal_values_have_one_digest(tmp_path: Path, one: object, other: object) -> None:
    assert digest_of(tmp_path, pl.DataFrame({"x": one})) == digest_of(
        tmp_path, pl.DataFrame({"x": other})
    )


def test_large_whole_numbers_are_told_apart(tmp_path: Path) -> None:
    digests = {
        digest_of(tmp_path, pl.DataFrame({"x": [2**53 + odd, other]}))
        for odd in (0, 1)
        for other in (1, None)
    }
    assert len(digests) == 4


def test_parts_do_not_matter(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"x": [1, 2**60, None, 4], "y": ["a", None, "", "é"], "z": [0.5, None, 1.0, float("nan")]}
    )
    target = tmp_path / "typed.parquet"
    whole = write_frames(frame.schema, [frame], target)
    parts = write_frames(frame.schema, [frame[:1], frame[1:3], frame[3:]], target)
    assert whole.content_digest == parts.content_digest == content_digest(target)
    assert pl.read_parquet(target).rows() == [
        (1, "a", 0.5),
        (2**60, None, None),
        (None, None, 1.0),
        (4, "é", None),
    ]


def _penguins() -> pl.DataFrame:
    return pl.read_csv(PENGUINS, null_values=["NA"], infer_schema_length=None)


def _json_lines(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row) for row in _penguins().to_dicts()))


FORMATS: dict[str, Callable[[Path], object]] = {
    "csv": lambda path: path.write_bytes(PENGUINS.read_bytes()),
    "other csv": lambda path: _penguins().write_csv(path, separator=";", quote_style="always"),
    "utf-16": lambda path: path.write_bytes(PENGUINS.read_text().encode("utf-16")),
    "gzip": lambda path: path.write_bytes(gzip.compress(PENGUINS.read_bytes())),
    "zstd": lambda path: path.write_bytes(
        pa.compress(PENGUINS.read_bytes(), codec="zstd", asbytes=True)
    ),
    "polars' parquet": lambda path: _penguins().write_parquet(path),
    "pandas' parquet": lambda path: _penguins().to_pandas().to_parquet(path),
    "feather": lambda path: feather.write_feather(_penguins().to_arrow(), str(path)),
    "json lines": _json_lines,
    "json": lambda path: path.write_text(json.dumps(_penguins().to_dicts())),
}


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_every_format_of_a_table_has_one_digest(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    write(tmp_path / "sent")
    digests = {
        read_table(path, ReadOptions(), LIMITS, tmp_path / "typed.parquet").content_digest
        for path in (PENGUINS, tmp_path / "sent")
    }
    assert len(digests) == 1
