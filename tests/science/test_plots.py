"""The numbers and the pixels of plots."""

import io
import json
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from backend.science.plots import confusion, residuals
from backend.science.plots.catalogue import PLOTS
from backend.science.plots.numbers import PlotInputs, PlotNumbers
from backend.science.plots.render import render_png
from backend.science.plots.style import Theme, text_on, written
from backend.science.trends import smooth

Floats = npt.NDArray[np.float64]


def _inputs(
    observed: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    *,
    target: str = "price",
    classes: list[Any] | None = None,
    first_row: int = 0,
) -> PlotInputs:
    return PlotInputs(
        task="regression" if classes is None else "multiclass",
        target=target,
        rows=np.arange(len(observed), dtype=np.int64) + first_row,
        observed=observed,
        predicted=predicted,
        classes=classes,
        smooth=smooth,
    )


def _plot(fitted: Floats, residual: Floats) -> PlotNumbers:
    return residuals.compute(_inputs(fitted + residual, fitted, first_row=100))


def _cloud(count: int) -> PlotNumbers:
    """Normal residuals, and one that stands out in row 107."""
    generator = np.random.default_rng(1)
    noise = generator.normal(size=count)
    noise[7] = 40.0
    return _plot(generator.uniform(0, 10, count), noise)


def _penguin_matrix() -> PlotNumbers:
    observed = np.array(["a"] * 8 + ["b"] * 4 + ["$c_$"] * 2)
    predicted = np.array(["a"] * 8 + ["b", "b", "a", "a"] + ["$c_$"] * 2)
    return confusion.compute(
        _inputs(observed, predicted, target="kind", classes=["$c_$", "a", "b"])
    )


SAMPLES = {"residuals": _cloud(400), "confusion": _penguin_matrix()}


def test_every_plot_of_the_catalogue_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(PLOTS)


@pytest.mark.parametrize("kind", PLOTS)
def test_plot_tells_in_words_what_it_shows(kind: str) -> None:
    plot = SAMPLES[kind]
    assert (plot.kind, plot.title) == (kind, PLOTS[kind].title)
    for text in (plot.verdict, plot.advice, plot.alt):
        assert text.endswith(".")
    assert plot.verdict in plot.alt
    json.dumps(plot.data, allow_nan=False)


@pytest.mark.parametrize("kind", PLOTS)
def test_drawing_has_the_size_asked_for_and_is_repeatable(kind: str) -> None:
    data = json.loads(json.dumps(SAMPLES[kind].data))
    corners = []
    for theme in get_args(Theme):
        png = render_png(kind, data, theme=theme, width=640, height=480)
        assert png == render_png(kind, data, theme=theme, width=640, height=480)
        image = Image.open(io.BytesIO(png))
        assert image.size == (640, 480)
        assert len(image.convert("RGB").getcolors(640 * 480) or []) > 20
        corners.append(image.convert("L").getpixel((2, 2)))
    assert corners[0] == 255
    assert isinstance(corners[1], int)
    assert corners[1] < 40


@pytest.mark.parametrize("kind", PLOTS)
@pytest.mark.parametrize(("width", "height", "dpi"), [(200, 150, 300), (2_400, 150, 50)])
def test_no_allowed_size_is_too_odd_to_draw(kind: str, width: int, height: int, dpi: int) -> None:
    png = render_png(kind, SAMPLES[kind].data, width=width, height=height, dpi=dpi)
    assert Image.open(io.BytesIO(png)).size == (width, height)


def test_residual_numbers_name_the_extreme_rows() -> None:
    plot = _cloud(400)
    assert plot.data["extremes"][0]["row"] == 107
    assert plot.data["n"] == len(plot.data["residual"]) == 400
    assert plot.data["row"] == list(range(100, 500))
    assert "binned" not in plot.data
    assert "107" in plot.alt


def test_many_points_become_bins_and_the_extremes_stay() -> None:
    plot = _cloud(30_000)
    assert sum(map(sum, plot.data["binned"]["counts"])) == 30_000
    assert len(plot.data["residual"]) == residuals.EXTREME_POINTS
    assert 107 in plot.data["row"]
    assert min(map(abs, plot.data["residual"])) > 1.5
    few = render_png("residuals", SAMPLES["residuals"].data)
    assert render_png("residuals", plot.data) != few


def _pattern(name: str) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(2)
    fitted = generator.uniform(0, 10, 900)
    noise = generator.normal(size=900)
    return fitted, {
        "none": noise,
        "bend": noise + 0.5 * ((fitted - 5) ** 2 - 8),
        "grows": noise * (0.2 + fitted),
        "shrinks": noise * (10.2 - fitted),
        "tails": np.asarray(generator.standard_t(2.5, size=900)),
        "exact": np.zeros(900),
    }[name]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("none", "No strong pattern"),
        ("bend", "line bends"),
        ("grows", "Spread grows"),
        ("shrinks", "Spread shrinks"),
        ("tails", "heavier than normal"),
        ("exact", "the same"),
    ],
)
def test_verdict_names_the_pattern(pattern: str, words: str) -> None:
    assert words in _plot(*_pattern(pattern)).verdict


def test_equal_fitted_values_can_be_drawn() -> None:
    plot = _plot(np.full(50, 3.0), np.random.default_rng(0).normal(size=50))
    assert len(plot.data["lowess"]["x"]) == 1
    assert render_png("residuals", plot.data).startswith(b"\x89PNG")


def test_trend_follows_the_points() -> None:
    x = np.linspace(0, 10, 3_000)
    xs, ys = smooth(x, np.sin(x / 3))
    assert len(xs) <= 200
    assert float(np.abs(ys - np.sin(xs / 3)).max()) < 0.25


@pytest.mark.parametrize("count", [12, 2_000, 30_000])
def test_trend_bears_few_different_fitted_values(count: int) -> None:
    generator = np.random.default_rng(3)
    xs, ys = smooth(generator.integers(0, 3, count).astype(float), generator.normal(size=count))
    assert np.isfinite(xs).all()
    assert np.isfinite(ys).all()
    assert len(ys) > 0


def test_confusion_counts_every_row_and_names_the_worst_mistake() -> None:
    plot = SAMPLES["confusion"]
    assert plot.data["counts"] == [[2, 0, 0], [0, 8, 0], [0, 2, 2]]
    assert "b taken for a (2 rows, 50% of b)" in plot.verdict
    assert "14 hold-out rows, 12 of them right" in plot.alt


@pytest.mark.parametrize("count", [2, 20, 100])
def test_confusion_of_many_long_names_can_be_drawn(count: int) -> None:
    classes = [f"a class with the long name {number}" for number in range(count)]
    observed = np.array(classes * 2)
    plot = confusion.compute(_inputs(observed, observed, target="kind " * 30, classes=classes))
    assert plot.verdict.startswith("Every hold-out row")
    assert render_png("confusion", plot.data, theme="dark").startswith(b"\x89PNG")


def test_confusion_of_a_regression_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs classes"):
        confusion.compute(_inputs(np.ones(3), np.ones(3)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (-12.5, "\N{MINUS SIGN}12.5"),
        (123_456.7, "123,457"),
        (2e9, "2e+09"),
        (2e-9, "2e\N{MINUS SIGN}09"),
    ],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert written(value) == text


def test_text_reads_on_light_and_on_dark() -> None:
    assert text_on((1, 1, 1)) != text_on((0.05, 0.1, 0.2))
