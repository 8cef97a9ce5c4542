"""`docs/science.md` lists each estimator with its tasks, each metric and each plot."""

import re
from pathlib import Path

import pytest

from backend.science.catalogue import ESTIMATORS
from backend.science.metrics import METRICS
from backend.science.plots.catalogue import PLOTS

TEXT = (Path(__file__).parents[2] / "docs" / "science.md").read_text()
SECTIONS = {
    title.strip(): body
    for title, _, body in (part.partition("\n") for part in TEXT.split("\n## ")[1:])
}


def _named(section: str) -> dict[str, str]:
    """First cells of the section's table, and the rest of their lines."""
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", SECTIONS[section], re.MULTILINE))


def test_docs_list_exactly_the_estimators() -> None:
    assert set(_named("Estimators")) == set(ESTIMATORS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_docs_tell_the_tasks_of_an_estimator(name: str) -> None:
    told = _named("Estimators")[name].partition("|")[0]
    assert ("regression" in told) == ("regression" in ESTIMATORS[name].tasks)
    assert ("classes" in told) == ("multiclass" in ESTIMATORS[name].tasks)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_docs_name_the_parameters_of_an_estimator(name: str) -> None:
    told = _named("Estimators")[name].split("|")[1]
    assert set(re.findall(r"`(\w+)`", told)) == set(ESTIMATORS[name].Params.model_fields)


def test_docs_list_exactly_the_metrics() -> None:
    assert set(_named("Metrics")) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_docs_tell_which_direction_is_better(name: str) -> None:
    told = _named("Metrics")[name]
    assert ("greater" in told) == METRICS[name].greater_is_better
    assert ("smaller" in told) != METRICS[name].greater_is_better


def test_docs_list_exactly_the_plots() -> None:
    assert set(_named("Plots")) == set(PLOTS)
