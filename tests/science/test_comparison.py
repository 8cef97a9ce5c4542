"""The evidence for a promotion, against numbers computed another way."""

import numpy as np
import pytest

from backend.science import comparison
from backend.science.comparison import Answers, is_better


def _request(**changes: object) -> dict[str, object]:
    return {"metric": "rmse", "minimum_gain": 0.0, "withheld": 0, **changes}


def _answers(observed: np.ndarray, predicted: np.ndarray) -> Answers:
    error = float(np.sqrt(np.mean((observed - predicted) ** 2)))
    return Answers(predicted, {"rmse": error})


def test_smaller_error_is_a_gain_and_equal_is_none() -> None:
    generator = np.random.default_rng(0)
    observed = generator.normal(size=300)
    near, far = (observed + generator.normal(scale=s, size=300) for s in (0.1, 0.5))
    found = comparison._evidence(
        _request(), observed, _answers(observed, far), _answers(observed, near)
    )
    assert found["gain"] == pytest.approx(found["champion"] - found["challenger"])
    assert found["gain"] > 0
    assert found["is_better"]
    same = comparison._evidence(
        _request(), observed, _answers(observed, far), _answers(observed, far)
    )
    assert (same["gain"], same["is_better"]) == (0, False)
    assert (same["interval_low"], same["interval_high"]) == (0, 0)


@pytest.mark.parametrize(
    ("gain", "margin", "better"),
    [(0.0, 0.0, False), (1e-9, 0.0, True), (0.1, 0.1, True), (0.1, 0.2, False), (-1, 0.0, False)],
)
def test_gain_has_to_reach_the_margin(gain: float, margin: float, better: bool) -> None:
    assert is_better(gain, margin) is better


def test_interval_of_many_rows_is_as_narrow_as_their_number_allows() -> None:
    generator = np.random.default_rng(1)
    count = 200_000
    observed = generator.normal(size=count)
    champion = observed + generator.normal(scale=1.0, size=count)
    challenger = observed + generator.normal(scale=0.999, size=count)
    found = comparison._evidence(
        _request(), observed, _answers(observed, champion), _answers(observed, challenger)
    )
    # Delta method: the error is a root of a mean of squares, so its variance is known.
    squares = [(observed - p) ** 2 for p in (champion, challenger)]
    roots = [np.sqrt(s.mean()) for s in squares]
    influence = squares[0] / (2 * roots[0]) - squares[1] / (2 * roots[1])
    expected = 2 * 1.96 * influence.std() / np.sqrt(count)
    width = found["interval_high"] - found["interval_low"]
    assert width == pytest.approx(expected, rel=0.25)
    assert found["interval_low"] < found["gain"] < found["interval_high"]
