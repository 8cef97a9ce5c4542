"""Prediction for one image that somebody sent."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.science.images.classifier import ImageClassifier
from backend.science.images.pixels import ImageShape, decode, shape_of
from backend.science.images.problem import ImageProblem
from backend.science.predict import PredictionResult

# Sides are whole numbers, so that a scaled picture seldom has the same proportions to the digit.
ASPECT_TOLERANCE: Final = 0.02


def predict_image(
    pipeline: ImageClassifier,
    input_columns: Sequence[Mapping[str, Any]],
    output: Mapping[str, Any],
    content: bytes,
) -> PredictionResult:
    """Predict for one image.

    Parameters
    ----------
    pipeline
        A classifier that `fit_images` made.
    input_columns, output
        Its input and output, as the fit's outcome tells them.
    content
        A PNG or JPEG file. It is made grey or coloured as the model needs, and scaled to its size.

    Raises
    ------
    ImageProblem
        No such image, too large, damaged, or of other proportions than the model's.
    ExtraMissing
        PyTorch is not installed.
    """
    wanted = input_columns[0]
    size = (wanted["width"], wanted["height"])
    try:
        _check_proportions(shape_of(content), size)
        pixels = decode(content, wanted["channels"], size)
    except ImageProblem as problem:
        raise ImageProblem(f"The file cannot be used: {problem}.") from None
    shares = pipeline.predict_proba(pixels[None])[0].tolist()
    names = [str(name) for name in output["classes"]]
    best = output["classes"][shares.index(max(shares))]
    return PredictionResult([best], [dict(zip(names, shares, strict=True))])


def _check_proportions(given: ImageShape, size: tuple[int, int]) -> None:
    """Stretching would show the network something that it never saw."""
    width, height = size
    ratio = (given.width / given.height) / (width / height)
    if abs(ratio - 1) > ASPECT_TOLERANCE:
        raise ImageProblem(
            f"it has {given} pixels, the model learnt {width} x {height}; "
            "cut it to the same proportions"
        )
