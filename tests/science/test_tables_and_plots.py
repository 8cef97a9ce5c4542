"""Columns and their roles, rows for predictions, and the numbers and pixels of plots."""

import io
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from PIL import Image

from backend.science.columns import describe_columns, guess_target
from backend.science.csv_table import content_digest
from backend.science.plots import confusion, residuals
from backend.science.plots.numbers import PlotNumbers
from backend.science.plots.render import render_png
from backend.science.plots.style import Theme
from backend.science.plots.trends import smooth
from backend.science.rows import check_rows
from tests.science.tables import read_text


def _roles(frame: pl.DataFrame) -> dict[str, str]:
    return {column.name: column.role for column in describe_columns(frame)}


def test_roles_follow_the_values() -> None:
    count = 60
    frame = pl.DataFrame(
        {
            "row": range(1, count + 1),
            "user_id": [i * 37 % 1_009 for i in range(count)],
            "name": [f"person {i}" for i in range(count)],
            "note": [f"note {i % 40}" for i in range(count)],
            "group": ["a", "b", "c"] * 20,
            "flag": [True, False] * 30,
            "same": [1] * count,
            "amount": [i / 7 for i in range(count)],
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 2, 29), eager=True),
        }
    )
    assert _roles(frame) == {
        "row": "id",
        "user_id": "id",
        "name": "id",
        "note": "text",
        "group": "categorical",
        "flag": "boolean",
        "same": "constant",
        "amount": "numeric",
        "day": "datetime",
    }


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("a,b,c", ["1.5,2,x", "2.5,9,y", "3,4,x"], "b"),
        ("a,year", ["1.5,2001", "2.5,2002", "9,2003"], "a"),
        ("a,b", ["x,p", "y,q", "x,p"], "b"),
        ("a", ["1", "1", "1"], None),
    ],
)
def test_target_is_the_last_number_that_is_no_year(
    tmp_path: Path, header: str, rows: list[str], expected: str | None
) -> None:
    guess = guess_target(describe_columns(read_text(tmp_path, "\n".join([header, *rows]))))
    assert (guess and guess.column) == expected


def test_digest_tells_null_from_empty_and_types_apart() -> None:
    frames = [
        pl.DataFrame({"x": ["", "b"]}),
        pl.DataFrame({"x": [None, "b"]}),
        pl.DataFrame({"x": ["b", ""]}),
        pl.DataFrame({"y": ["", "b"]}),
        pl.DataFrame({"x": [1, 2]}),
        pl.DataFrame({"x": [1.0, 2.0]}),
        pl.DataFrame({"x": ["ab", "c"], "y": ["", ""]}),
        pl.DataFrame({"x": ["a", "bc"], "y": ["", ""]}),
    ]
    assert len({content_digest(frame) for frame in frames}) == len(frames)


COLUMNS = [{"name": "a", "type": "number"}, {"name": "b", "type": "string"}]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"a": 1, "b": "x"}, []),
        ({"a": None, "b": None}, []),
        ({"a": "abc", "c": 1}, [("a", "type"), ("b", "missing"), ("c", "unknown")]),
        ({"a": True, "b": 3}, [("a", "type"), ("b", "type")]),
        ({"a": 10**400, "b": "x"}, [("a", "type")]),
        ({"a": float("nan"), "b": "x"}, [("a", "type")]),
    ],
)
def test_every_mistake_of_a_row_is_named_at_once(
    row: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert [(p.column, p.kind) for p in check_rows(COLUMNS, [row])] == expected


def _residuals(count: int, bend: float = 0.0) -> PlotNumbers:
    generator = np.random.default_rng(1)
    fitted = generator.uniform(0, 10, count)
    noise = generator.normal(size=count)
    noise[7] = 40.0
    observed = fitted + noise + bend * (fitted - 5) ** 2
    trend = smooth(fitted, observed - fitted)
    return residuals.summarise(np.arange(count) + 100, observed, fitted, trend, "price")


def test_residual_numbers_name_the_extreme_row_and_stay_finite() -> None:
    plot = _residuals(400)
    assert plot.data["extremes"][0]["row"] == 107
    assert plot.data["n"] == len(plot.data["residual"]) == 400
    assert "binned" not in plot.data
    assert "107" in plot.alt
    json.dumps(plot.data, allow_nan=False)


def test_many_points_become_bins_and_the_extremes_stay() -> None:
    plot = _residuals(30_000)
    assert sum(map(sum, plot.data["binned"]["counts"])) == 30_000
    assert len(plot.data["residual"]) == residuals.EXTREME_POINTS
    assert 107 in plot.data["row"]
    smallest_shown = min(map(abs, plot.data["residual"]))
    assert smallest_shown > 1.5


@pytest.mark.parametrize(("bend", "word"), [(0.0, "No strong pattern"), (0.5, "bends")])
def test_verdict_sees_a_bend(bend: float, word: str) -> None:
    generator = np.random.default_rng(2)
    fitted = generator.uniform(0, 10, 500)
    residual = generator.normal(size=500) + bend * ((fitted - 5) ** 2 - 8)
    plot = residuals.summarise(
        np.arange(500), fitted + residual, fitted, smooth(fitted, residual), "y"
    )
    assert word in plot.verdict


def test_trend_follows_the_points() -> None:
    x = np.linspace(0, 10, 3_000)
    xs, ys = smooth(x, np.sin(x / 3))
    assert len(xs) <= 200
    assert float(np.abs(ys - np.sin(xs / 3)).max()) < 0.25


def test_trend_of_equal_fitted_values_is_their_mean() -> None:
    xs, ys = smooth(np.ones(10), np.arange(10.0))
    assert (len(xs), ys[0]) == (1, 4.5)


@pytest.mark.parametrize("count", [12, 5_000, 25_000])
def test_residual_png_has_the_size_asked_for_and_is_repeatable(count: int) -> None:
    data = json.loads(json.dumps(_residuals(count).data))
    drawings = {}
    for theme in get_args(Theme):
        drawings[theme] = render_png("residuals", data, theme=theme, width=640, height=480)
        again = render_png("residuals", data, theme=theme, width=640, height=480)
        assert drawings[theme] == again
        image = Image.open(io.BytesIO(drawings[theme]))
        assert image.size == (640, 480)
        assert len(image.convert("RGB").getcolors(640 * 480) or []) > 20
    corner = [
        Image.open(io.BytesIO(png)).convert("L").getpixel((2, 2)) for png in drawings.values()
    ]
    assert corner[0] == 255
    assert isinstance(corner[1], int)
    assert corner[1] < 40


def test_confusion_counts_every_row_and_names_the_worst_mistake() -> None:
    observed = np.array(["a"] * 8 + ["b"] * 4 + ["$c_$"] * 2)
    predicted = np.array(["a"] * 8 + ["b", "b", "a", "a"] + ["$c_$"] * 2)
    plot = confusion.summarise(observed, predicted, ["$c_$", "a", "b"], "kind")
    assert plot.data["counts"] == [[2, 0, 0], [0, 8, 0], [0, 2, 2]]
    assert "b taken for a (2 rows, 50% of b)" in plot.verdict
    assert render_png("confusion", plot.data).startswith(b"\x89PNG")
