"""Docs are part of the product: what can be named by a user is described."""

from pathlib import Path

import pytest

from backend.core.actions import Action
from backend.core.errors import AppError
from backend.core.problems import HTTP_CODES
from backend.main import create_app
from backend.science.catalogue import ESTIMATORS
from backend.science.metrics import METRICS
from backend.science.plots.catalogue import PLOTS
from tests.conftest import make_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _codes(base: type[AppError]) -> set[str]:
    return {base.code}.union(*(_codes(child) for child in base.__subclasses__()))


def test_every_problem_code_is_described(tmp_path: Path) -> None:
    create_app(make_settings("postgresql://u:p@127.0.0.1/x", tmp_path))  # imports all slices
    text = (DOCS / "problems.md").read_text()
    codes = _codes(AppError) | set(HTTP_CODES.values())
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


@pytest.mark.parametrize("name", [*ESTIMATORS, *METRICS, *PLOTS])
def test_every_estimator_metric_and_plot_is_described(name: str) -> None:
    assert f"`{name}`" in (DOCS / "science.md").read_text()


@pytest.mark.parametrize("action", Action)
def test_every_action_of_the_audit_is_described(action: Action) -> None:
    assert f"| `{action}` |" in (DOCS / "audit.md").read_text()


def test_every_link_of_the_readme_leads_somewhere() -> None:
    root = DOCS.parent
    text = (root / "README.md").read_text()
    targets = [part.partition(")")[0] for part in text.split("](")[1:]]
    local = [target for target in targets if not target.startswith("http")]
    assert local
    assert [target for target in local if not (root / target).exists()] == []
