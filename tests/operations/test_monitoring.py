"""Alerts and dashboard ask only for what the API exports, with labels that it has."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import backend.operations
from backend.core.access import Role
from backend.core.instruments import observe_prediction, observe_request
from backend.settings import Settings
from tests.conftest import SignIn, upload_csv

MONITORING = Path(backend.operations.__path__[0]) / "monitoring"
ALERTS = yaml.safe_load((MONITORING / "alerts.yml").read_text())
DASHBOARD = json.loads((MONITORING / "grafana/dashboards/goodfit.json").read_text())
PROMETHEUS = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = DASHBOARD["panels"]
SELECTOR = re.compile(r"\b((?:goodfit|process|up)[a-z_]*)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
# What Prometheus itself adds to every series.
ADDED = {"instance", "job"}


def expressions() -> dict[str, str]:
    found = {rule["alert"]: rule["expr"] for rule in RULES}
    for panel in PANELS:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    return found


@pytest.fixture
async def exported(sign_in: SignIn, settings: Settings) -> dict[str, set[str]]:
    """The names and labels of everything that the API exports after some use."""
    ada, admin = await sign_in("ada"), await sign_in("root", Role.ADMIN)
    dataset = (await upload_csv(ada)).json()["id"]
    request = {"dataset_id": dataset, "target": "body_mass_g", "estimator": "ridge"}
    await ada.post("/api/v1/fits", json=request)
    observe_request("GET", "/", 200, 0.01)
    observe_prediction(0.01, "rows")
    heartbeat = settings.home / "run" / "worker.heartbeat"
    heartbeat.parent.mkdir(exist_ok=True)
    heartbeat.touch()
    found: dict[str, set[str]] = defaultdict(set)
    answer = await admin.get("/metrics")
    heartbeat.unlink()
    for family in text_string_to_metric_families(answer.text):
        found[family.name] |= set()
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    # No retraining ran here, so its family has no sample yet.
    found["goodfit_retrainings"] |= {"state"}
    return found


@pytest.mark.parametrize("name", expressions())
async def test_expression_asks_for_what_is_exported(
    exported: dict[str, set[str]], name: str
) -> None:
    expression = expressions()[name]
    selectors = SELECTOR.findall(expression)
    assert selectors
    for metric, labels in selectors:
        if metric != "up":
            assert metric in exported, metric
            assert set(LABEL.findall(labels)) <= exported[metric] | ADDED, metric
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    known = set().union(ADDED, *(exported.get(metric, set()) for metric, _ in selectors))
    assert {label.strip() for part in grouped for label in part.split(",")} <= known
    assert expression.count("(") == expression.count(")")


def test_every_metric_of_ours_is_shown_or_watched() -> None:
    source = (MONITORING.parent / "metrics.py").read_text()
    gauges = {f"goodfit_{name}" for name in re.findall(r'_gauge\(\s*"(\w+)"', source)}
    used = {metric for text in expressions().values() for metric, _ in SELECTOR.findall(text)}
    assert len(gauges) > 8
    assert gauges <= used


def test_alerts_say_what_is_wrong_and_what_helps() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place: dict[str, Any] = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_prometheus_loads_the_alerts_and_shows_a_token() -> None:
    assert PROMETHEUS["rule_files"] == ["alerts.yml"]
    (scrape,) = PROMETHEUS["scrape_configs"]
    assert scrape["metrics_path"] == "/metrics"
    assert scrape["authorization"]["type"] == "Bearer"
    provisioned = MONITORING / "grafana" / "provisioning" / "datasources" / "goodfit.yml"
    (source,) = yaml.safe_load(provisioned.read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
