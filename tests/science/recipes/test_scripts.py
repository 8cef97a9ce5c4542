"""An exported script, run by hand, makes the very table that the recipe made."""

import gzip
import runpy
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from backend.science.recipes.apply import apply_recipe, outline_of
from backend.science.recipes.planning import OPERATIONS, follow
from backend.science.recipes.problem import RecipeProblem
from backend.science.recipes.scripts.facts import Stage, TableFacts
from backend.science.recipes.scripts.reading import read_input
from backend.science.recipes.scripts.writing import write_script
from backend.science.recipes.steps import Join, Steps
from backend.science.tables.read import read_table
from backend.science.tables.table_file import ReadLimits, ReadOptions

_STEPS: TypeAdapter[Any] = TypeAdapter(Steps)
OTHER: Final = pl.DataFrame({"id": ["a", "b", "x"], "Size": [1.5, None, 2.0], "n": [1, 2, 3]})
TYPES: Final = {
    pl.Int64: "integer",
    pl.Float64: "number",
    pl.Boolean: "boolean",
    pl.String: "string",
    pl.Date: "date",
}


def table(rows: int = 60, seed: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    holes = generator.random((4, rows)) < 0.15
    names = generator.choice(["a", "b", "c'\"\\", "NA?", "é"], rows)
    numbers = generator.normal(size=rows).round(3)
    start = date(2023, 11, 5)
    return pl.DataFrame(
        {
            "n": [None if h else int(v) for h, v in zip(holes[0], numbers * 40, strict=True)],
            "x": [None if h else float(v) for h, v in zip(holes[1], numbers, strict=True)],
            "s": [None if h else str(v) for h, v in zip(holes[2], names, strict=True)],
            "b": [bool(v > 0) for v in numbers],
            "d": [None if h else start + timedelta(i) for i, h in enumerate(holes[3])],
            "t": [datetime(2024, 1, 1, i % 24, 30) for i in range(rows)],  # noqa: DTZ001  # naive
            "de": [f"{i % 28 + 1}.{i % 12 + 1}.2024" if i % 9 else "?" for i in range(rows)],
            "comma": [f"{i},5" if i % 7 else "-" for i in range(rows)],
        },
        schema_overrides={"n": pl.Int64, "x": pl.Float64, "s": pl.String, "d": pl.Date},
    )


EVERY_STEP: Final[list[dict[str, Any]]] = [
    {"kind": "set_role", "columns": {"n": "id"}},
    {"kind": "parse_dates", "columns": ["de"], "formats": ["%d.%m.%Y"], "errors": "null"},
    {
        "kind": "cast",
        "columns": ["comma"],
        "to": "number",
        "decimal": ",",
        "errors": "null",
    },
    {"kind": "replace_values", "column": "s", "values": {"NA?": None, "c'\"\\": 'C"'}},
    {
        "kind": "fill_nulls",
        "columns": {"x": {"method": "median"}, "s": {"method": "most_frequent"}},
    },
    {"kind": "drop_nulls", "columns": ["n"]},
    {
        "kind": "filter_rows",
        "conditions": [{"column": "d", "operator": ">", "value": "2023-11-06"}],
    },
    {"kind": "filter_rows", "expression": "(d < '2024-03-01' or x > 0) and s not in ('q', 'r')"},
    {
        "kind": "derive",
        "name": "z",
        "expression": "if(x > 0, log(x + 1) * n, -1) + round(length(s) / 3, 1)",
    },
    {"kind": "derive", "name": "late", "expression": "t >= '2024-01-01T12:00:00' and not b"},
    {"kind": "clip", "columns": {"x": {"lower": -1, "upper": 1.5}}},
    {"kind": "winsorise", "columns": ["n", "z"], "lower": 0.1, "upper": 0.9},
    {"kind": "date_parts", "columns": ["d", "t"], "parts": ["weekday", "is_weekend"]},
    {"kind": "interactions", "columns": ["n", "x"]},
    {"kind": "polynomial", "columns": ["n"], "degree": 3},
    {"kind": "join", "dataset_id": 3, "version": 1, "on": {"s": "id"}},
    {"kind": "rename", "columns": {"b": "flag", "Size": "size"}},
    {"kind": "deduplicate", "columns": ["n", "x"]},
    {"kind": "sort", "by": [{"column": "z", "descending": True}, {"column": "n"}]},
    {"kind": "sample", "share": 0.8, "seed": 4},
    {"kind": "drop_columns", "columns": ["de"]},
    {"kind": "keep_columns", "columns": ["z", "n", "x", "s", "size", "t", "late", "n_pow2", "d"]},
]


def facts(frame: pl.DataFrame, name: str = "cars") -> TableFacts:
    types = {c: TYPES.get(type(t), "datetime") for c, t in frame.schema.items()}
    return TableFacts(name, 1, "0" * 64, types)


def script(steps: list[Any], frame: pl.DataFrame, name: str = "cars") -> str:
    half = len(steps) // 2
    stages = [Stage(2, steps[:half]), Stage(3, steps[half:])]
    return write_script(facts(frame, name), stages, {(3, 1): facts(OTHER, "sizes")})


def test_a_script_of_every_step_makes_the_versions_table(tmp_path: Path) -> None:
    assert {step["kind"] for step in EVERY_STEP} == set(OPERATIONS)
    steps, frame = _STEPS.validate_python(EVERY_STEP), table()
    frame.write_parquet(tmp_path / "in.parquet")
    frame.write_csv(tmp_path / "in.csv")
    OTHER.write_parquet(tmp_path / "sizes.parquet")
    (tmp_path / "clean.py").write_text(script(steps, frame, name='x"""\nimport os\u202e'))
    wanted = apply_recipe(frame, steps, others={(3, 1): OTHER}).frame
    assert wanted.height > 10
    for source in ("in.parquet", "in.csv"):
        subprocess.run(  # noqa: S603  # the script that we wrote
            [sys.executable, "-I", "clean.py", source, "out.parquet", "sizes.parquet"],
            cwd=tmp_path,
            check=True,
            timeout=60,
        )
        assert pl.read_parquet(tmp_path / "out.parquet").equals(wanted)


def test_script_imports_nothing_of_ours_and_runs_on_another_version(tmp_path: Path) -> None:
    steps, later = _STEPS.validate_python(EVERY_STEP), table(rows=90, seed=1)
    path = tmp_path / "clean.py"
    path.write_text(script(steps, table()))
    assert "backend" not in path.read_text()
    made = runpy.run_path(str(path))["clean"](later, [OTHER])
    assert made.equals(apply_recipe(later, steps, others={(3, 1): OTHER}).frame)


def test_kinds_are_foretold_without_looking_at_values() -> None:
    frame = table()
    outline = outline_of(frame)
    for at, step in enumerate(_STEPS.validate_python(EVERY_STEP)):
        others = {(3, 1): OTHER}
        outline = follow(outline, step, outline_of(OTHER) if isinstance(step, Join) else None)
        made = apply_recipe(frame, _STEPS.validate_python(EVERY_STEP[: at + 1]), others=others)
        assert outline == outline_of(made.frame, made.roles), step.kind
        assert list(outline) == made.frame.columns


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    recipe=st.lists(st.sampled_from(EVERY_STEP), min_size=1, max_size=8),
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 40),
)
def test_any_recipe_that_goes_with_a_table_is_a_script_that_makes_the_same(
    tmp_path: Path, recipe: list[dict[str, Any]], seed: int, rows: int
) -> None:
    steps, frame = _STEPS.validate_python(recipe), table(rows, seed)
    try:
        wanted = apply_recipe(frame, steps, others={(3, 1): OTHER}).frame
    except RecipeProblem:
        return
    path = tmp_path / "clean.py"
    path.write_text(script(steps, frame))
    assert runpy.run_path(str(path))["clean"](frame, [OTHER] * 5).equals(wanted)


def test_csv_is_read_as_it_was_uploaded(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(
        'n;s;b;when\n 1 ;NA;TRUE;2024-01-01 08:30\nNaN;"a;é";false;\n'.encode("cp1252")
    )
    types = {"n": "integer", "s": "string", "b": "boolean", "when": "datetime"}
    start = TableFacts("cars", 1, "0", types, delimiter=";", encoding="cp1252")
    steps = _STEPS.validate_python([{"kind": "deduplicate"}])
    path = tmp_path / "clean.py"
    path.write_text(write_script(start, [Stage(2, steps)], {}))
    names = runpy.run_path(str(path))
    read = names["read_input"](tmp_path / "in.csv", *names["INPUTS"][0])
    assert read.rows() == [
        (1, None, True, datetime(2024, 1, 1, 8, 30)),  # noqa: DTZ001  # stored times are naive
        (None, "a;é", False, None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n\n1,x\n\n2,y z\n\n",
        b"\xef\xbb\xbfa,b\r1,x\r2,y z\r",
        b'\n"a","b"\r\n1,x\r\n\r\n"2","y z"',
        gzip.compress(b"a,b\n1,x\n2,y z\n", mtime=0),
    ],
)
def test_csv_of_any_shape_is_read_as_the_upload_was(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.csv").write_bytes(content)
    target = tmp_path / "typed.parquet"
    limits = ReadLimits(max_columns=9, max_cell_bytes=99, max_inflated_bytes=9_999_999)
    uploaded = read_table(tmp_path / "in.csv", ReadOptions(), limits, target)
    read = read_input(tmp_path / "in.csv", {"a": "integer", "b": "string"})
    assert read.rows() == [(1, "x"), (2, "y z")]
    assert read.equals(pl.read_parquet(uploaded.path))


def test_blank_lines_of_a_single_column_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b'a\n1\n\n""\n2\n')
    assert read_input(tmp_path / "in.csv", {"a": "integer"}).rows() == [(1,), (None,), (2,)]


def test_step_that_fails_by_hand_says_why(tmp_path: Path) -> None:
    steps = _STEPS.validate_python([{"kind": "cast", "columns": ["s"], "to": "number"}])
    path = tmp_path / "clean.py"
    path.write_text(script(steps, table()))
    with pytest.raises(ValueError, match="values are not numbers"):
        runpy.run_path(str(path))["clean"](table(), [])
