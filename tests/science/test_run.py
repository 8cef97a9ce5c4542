"""One fit as the worker runs it, and what each process has to import for its part."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import polars as pl
import pytest

from backend.science.columns import describe_table
from backend.science.frames import typical_row
from backend.science.plots.render import render_png
from backend.science.run import run_request
from tests.science.tables import mixed

HEAVY = {"sklearn", "pandas", "matplotlib", "statsmodels", "scipy", "polars", "pyarrow"}


def _run(folder: Path, frame: pl.DataFrame, **spec: Any) -> tuple[dict[str, Any], list[float]]:
    path = folder / "table.parquet"
    frame.write_parquet(path)
    work = folder / "work"
    work.mkdir()
    shares: list[float] = []
    request = {
        "spec": {"estimator": "random_forest", **spec},
        "columns": [asdict(column) for column in describe_table(path)],
        "table": str(path),
        "folder": str(work),
    }
    summary = run_request(
        json.loads(json.dumps(request)), lambda share, _text: shares.append(share)
    )
    return json.loads(json.dumps(summary, allow_nan=False)), shares


@pytest.mark.parametrize(
    ("target", "kind", "column"),
    [("amount", "residuals", "residual"), ("third", "confusion", "probability:low")],
)
def test_run_leaves_model_predictions_plots_and_example(
    tmp_path: Path, target: str, kind: str, column: str
) -> None:
    features = ["x", "z", "place", "flag"]
    frame = mixed()
    summary, shares = _run(tmp_path, frame, target=target, features=features)
    work = tmp_path / "work"
    assert shares == sorted(shares)
    assert summary["features"] == features
    assert [plot["kind"] for plot in summary["plots"]] == [kind]
    holdout = pl.read_parquet(work / "holdout.parquet")
    assert holdout.height == summary["rows_holdout"] == 24
    assert holdout["observed"].to_list() == frame[target].gather(holdout["row"]).to_list()
    assert column in holdout.columns
    plots = json.loads((work / "plots.json").read_text())
    assert render_png(kind, plots[kind]["data"]).startswith(b"\x89PNG")
    example = json.loads((work / "input_example.json").read_text())
    assert [set(row) for row in example] == [set(features)]
    model = joblib.load(work / "model.joblib")
    assert len(model.predict(_frame(example))) == 1


def test_example_of_a_fit_is_nobodys_row() -> None:
    frame = pd.DataFrame(
        {"size": [1.0, 2.0, 9.0], "kind": ["a", "b", "b"], "note": ["x", "y", "z"]}
    )
    assert typical_row(frame).to_dict("records") == [{"size": 2.0, "kind": "b", "note": None}]


def _frame(rows: list[dict[str, Any]]) -> Any:
    return pl.DataFrame(rows).to_pandas()


def test_run_without_hold_out_leaves_the_model_alone(tmp_path: Path) -> None:
    summary, _ = _run(tmp_path, mixed(), target="amount", validation={"kind": "none"})
    assert (summary["plots"], summary["metrics"], summary["rows_holdout"]) == ([], {}, 0)
    assert {path.name for path in (tmp_path / "work").iterdir()} == {
        "model.joblib",
        "input_example.json",
    }


def _fresh(code: str) -> str:
    """What a new interpreter writes; its modules are those that the code imported."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603  # our own constant text
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("modules", "allowed"),
    [
        ("catalogue, spec, metrics, rows, column_types", set()),
        ("columns", {"polars", "pyarrow"}),
        ("plots.render", {"matplotlib"}),
        ("run", HEAVY - {"polars"}),
    ],
)
def test_each_process_imports_no_more_than_it_needs(modules: str, allowed: set[str]) -> None:
    imports = "; ".join(f"import backend.science.{name}" for name in modules.split(", "))
    loaded = _fresh(f"import sys; {imports}; print(*{{m.partition('.')[0] for m in sys.modules}})")
    assert HEAVY & set(loaded.split()) <= allowed


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_program_of_a_fit_starts_no_threads_before_the_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of pyarrow's allocator are its own; of BLAS the worker asks for none, as here."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    folder = "/proc/self/task"
    names = _fresh(
        "import backend.science.run, os; "
        f"print(*{{open(f'{folder}/{{t}}/comm').read().strip() for t in os.listdir('{folder}')}})"
    )
    assert {name for name in names.split() if "jemalloc" not in name} == {"python"}
