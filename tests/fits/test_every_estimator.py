"""Every estimator of the catalogue runs on the penguins, and its script makes the same metrics."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from backend.science.catalogue import ESTIMATORS
from tests.live import Live

TABULAR = [name for name, spec in ESTIMATORS.items() if spec.data == "table"]
# The script's own bound.
TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def fitted(live: Live) -> dict[str, dict[str, Any]]:
    """All fits, asked for at once."""
    dataset_id = live.upload()
    started = {
        name: live.start_fit(dataset_id=dataset_id, estimator=name, target=_target(name))
        for name in TABULAR
    }
    return {name: live.finished(fit_id, 120) for name, fit_id in started.items()}


def _target(name: str) -> str:
    return "species" if "multiclass" in ESTIMATORS[name].tasks else "body_mass_g"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", TABULAR)
def test_script_of_each_estimator_makes_its_metrics(
    live: Live,
    fitted: dict[str, dict[str, Any]],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = fitted[name]
    assert fit["state"] == "succeeded", fit["error"]
    assert fit["metrics"]
    version = f"/datasets/{fit['dataset_id']}/versions/1"
    data = live.client.get(f"{version}/download", params={"format": "parquet"})
    (tmp_path / "table.parquet").write_bytes(data.content)
    script = live.client.get(f"/fits/{fit['id']}/script")
    assert script.status_code == 200, script.text
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fit.py"])
    program, names = compile(script.text, "fit.py", "exec"), dict[str, Any](__name__="__main__")
    # As in the fit: one thread, and warnings of libraries are told instead of raised.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SystemExit) as ended:
            exec(program, names)  # noqa: S102  # the product's own program
    assert ended.value.code == 0
    assert names["found"].keys() == fit["metrics"].keys()
    assert names["worst"] <= TOLERANCE
