"""The linear regression problems of NIST's Statistical Reference Datasets, through the API.

Data and certified values: https://www.itl.nist.gov/div898/strd/lls/lls.shtml, public domain.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fastapi import FastAPI

from tests.conftest import DATA, SignIn
from tests.fits.finishing import finish_fit

CERTIFIED: dict[str, dict[str, Any]] = json.loads((DATA / "nist" / "certified.json").read_text())
NAMES = tuple(CERTIFIED)
FEWEST_OF_COEFFICIENTS = 8
FEWEST_OF_ERRORS = 6
# Doubles hold no more.
MOST_DIGITS = 15.0
Show = Callable[[str, object], None]


def correct_digits(found: float, certified: float) -> float:
    """The log relative error; of a certified zero the absolute one."""
    error = abs(found - certified) / (abs(certified) or 1.0)
    return MOST_DIGITS if error == 0 else max(0.0, min(MOST_DIGITS, -math.log10(error)))


def fewest(found: Sequence[float], certified: Sequence[float]) -> float:
    return min(map(correct_digits, found, certified))


def as_upload(name: str) -> tuple[bytes, list[str]]:
    """The problem as a file with all powers of x as columns, and its features."""
    rows = list(csv.DictReader(io.StringIO((DATA / "nist" / f"{name}.csv").read_text())))
    degree = CERTIFIED[name]["degree"]
    features = [f"x{power}" for power in range(1, degree + 1)] or list(rows[0])[1:]
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(["y", *features])
    for row in rows:
        powers = [repr(float(row["x"]) ** power) for power in range(1, degree + 1)]
        writer.writerow([row["y"], *(powers or [row[name] for name in features])])
    return sink.getvalue().encode(), features


async def solve(
    app: FastAPI, sign_in: SignIn, content: bytes, **request: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fit and its coefficients."""
    ada = await sign_in("ada")
    made = await ada.post("/api/v1/datasets", files={"file": ("nist.csv", content)})
    assert made.status_code == 201, made.text
    ordered = {
        "dataset_id": made.json()["id"],
        "target": "y",
        "estimator": "ordinary_least_squares",
        "validation": {"kind": "none"},
        **request,
    }
    started = await ada.post("/api/v1/fits", json=ordered)
    assert started.status_code == 202, started.text
    await finish_fit(app, started.json()["id"])
    fit = await ada.get(f"/api/v1/fits/{started.json()['id']}")
    answer = await ada.get(f"/api/v1/fits/{started.json()['id']}/coefficients")
    assert answer.status_code == 200, answer.text
    return fit.json(), answer.json()


def judge(title: str, told: dict[str, Any], name: str, show: Show) -> None:
    """Count the correct digits, show them, and ask for enough."""
    wanted = CERTIFIED[name]
    digits = {
        "coefficients": fewest([i["estimate"] for i in told["items"]], wanted["coefficients"]),
        "errors": fewest([i["standard_error"] for i in told["items"]], wanted["standard_errors"]),
        "r2": correct_digits(told["r2"], wanted["r2"]),
        "sigma": correct_digits(told["residual_standard_error"], wanted["sigma"]),
    }
    columns = "  ".join(f"{what} {count:4.1f}" for what, count in digits.items())
    show("shown", f"NIST {title:18} correct digits: {columns}")
    assert digits["coefficients"] >= FEWEST_OF_COEFFICIENTS
    assert min(digits["errors"], digits["r2"], digits["sigma"]) >= FEWEST_OF_ERRORS


@pytest.mark.parametrize("name", NAMES)
async def test_certified_problem_is_solved_with_its_digits(
    app: FastAPI, sign_in: SignIn, record_property: Show, name: str
) -> None:
    content, features = as_upload(name)
    intercept = CERTIFIED[name]["intercept"]
    fit, told = await solve(
        app, sign_in, content, features=features, params={"fit_intercept": intercept}
    )
    judge(name, told, name, record_property)
    terms = [*(["(Intercept)"] if intercept else []), *features]
    assert [item["term"] for item in told["items"]] == terms
    assert told["rank"] == told["terms"] == len(terms)
    assert set(told["warnings"]) <= set(fit["warnings"])


async def test_polynomial_step_has_the_digits_of_the_columns(
    app: FastAPI, sign_in: SignIn, record_property: Show
) -> None:
    content = (DATA / "nist" / "filip.csv").read_bytes()
    steps = [{"kind": "polynomial", "columns": ["x"], "degree": 10}]
    fit, told = await solve(
        app, sign_in, content, features=["x"], preprocessing={"features": steps}
    )
    judge("filip, made powers", told, "filip", record_property)
    terms = ["(Intercept)", "x", *(f"x^{power}" for power in range(2, 11))]
    assert [item["term"] for item in told["items"]] == terms
    assert any("condition number" in text for text in fit["warnings"])
