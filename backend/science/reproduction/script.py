"""A fit as a program of its own: NumPy, pandas and scikit-learn, nothing of ours.

What stands in it is written from the very objects that were fitted, so that it says what was done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import NUMERIC_TYPES, InputColumn
from backend.science.fit import FitResult
from backend.science.pipeline import build_pipeline
from backend.science.reproduction.code import Code
from backend.science.reproduction.folds_code import fold_lines
from backend.science.reproduction.metric_code import metric_code, needs
from backend.science.spec import FitSpec

# Beyond this the script and the fit are not the same computation.
TOLERANCE: Final = 1e-12
BEFORE: Final = """\
import os

# As in the fit: threads add in another order, so the last bits would differ.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
"""
READING: Final = '''\
def numbers(name):
    """A column as 64-bit numbers: truth as 0 and 1, dates as days since 1970."""
    values = table.column(name)
    if pa.types.is_temporal(values.type):
        microseconds = values.cast(pa.timestamp("us")).cast(pa.int64())
        return microseconds.to_pandas().to_numpy(dtype=np.float64) / 1e6 / 86_400.0
    return values.cast(pa.float64(), safe=False).to_pandas().to_numpy(dtype=np.float64)


def texts(name):
    """A column as texts, NaN where one is missing."""
    values = table.column(name)
    found = np.array(values.cast(pa.string()).to_pylist(), dtype=object)
    found[pc.is_null(values).to_numpy()] = np.nan
    return found
'''
SHOWING: Final = """\
worst = 0.0
for name, value in found.items():
    recorded = RECORDED[name]
    difference = abs(value - recorded) / max(1.0, abs(recorded))
    worst = max(worst, difference)
    print(f"{name:24} {value!r:24} recorded {recorded!r:24} difference {difference:.1e}")
for name, version in VERSIONS.items():
    here = importlib.metadata.version(name)
    if here != version:
        print(f"{name} is {here} here; the fit was made with {version}", file=sys.stderr)
sys.exit(0 if worst <= TOLERANCE else 1)
"""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a script is written from.

    Attributes
    ----------
    spec, result
        What was asked for and what came out, just now.
    withheld
        Row numbers in the dataset that were left out to be compared on.
    environment
        As `environment.describe_environment` tells it.
    """

    spec: FitSpec
    result: FitResult
    withheld: npt.NDArray[np.int64]
    environment: Mapping[str, Any]


def write_script(fitted: Fitted, path: Path) -> None:
    """Write a program that makes the fit's metrics again from the version's Parquet file.

    Parameters
    ----------
    fitted
        The fit, just fitted.
    path
        The file to write.

    Raises
    ------
    code.NoCode
        Something in the pipeline cannot be written as code.
    """
    path.write_text(script_text(fitted), encoding="utf-8")


def script_text(fitted: Fitted) -> str:
    """The program, without the lines that say which fit it is.

    Parameters
    ----------
    fitted
        The fit, just fitted.
    """
    code = Code()
    for module in ("sys", "importlib.metadata", "numpy", "pandas"):
        code.use_module(module)
    body = [
        *_constants(fitted, code),
        "table = pq.read_table(FILE, use_threads=False)",
        "",
        "",
        *READING.splitlines(),
        "",
        "",
        *_pipeline(fitted, code),
        "",
        "",
        *_frame(fitted),
        *_rows(fitted, code),
        *_weights(fitted, code),
        *(_scored(fitted, code) if fitted.result.split.folds else _unscored(fitted)),
    ]
    return "\n".join([*BEFORE.splitlines(), *code.imports(), "", *body, ""])


def _constants(fitted: Fitted, code: Code) -> list[str]:
    versions = fitted.environment.get("libraries", {})
    return [
        'FILE = sys.argv[1] if len(sys.argv) > 1 else "table.parquet"',
        f"TOLERANCE = {TOLERANCE!r}",
        f"RECORDED = {code.write(dict(fitted.result.metrics))}",
        f"VERSIONS = {code.write(dict(versions))}",
        "",
    ]


def _pipeline(fitted: Fitted, code: Code) -> list[str]:
    """A function that makes the pipeline; where a search chose, one for each model."""
    models = sum(fold.repeat == 0 for fold in fitted.result.split.folds) or 1
    chosen, first = fitted.result.chosen[:models], fitted.result.chosen[0]
    if all(params == first for params in chosen):
        return ["def make_pipeline(number):", f"    return {_written(fitted, first, code)}"]
    written = [_written(fitted, params, code) for params in chosen]
    lines = ["def make_pipeline(number):", '    """What the search chose for each fold."""']
    for number, text in enumerate(written):
        lines += [f"    if number == {number}:", f"        return {text}".replace("\n", "\n    ")]
    return lines


def _written(fitted: Fitted, params: Mapping[str, Any], code: Code) -> str:
    estimator, result = ESTIMATORS[fitted.spec.estimator], fitted.result
    inputs = [column for column in result.inputs if isinstance(column, InputColumn)]
    made = build_pipeline(estimator, fitted.spec, result.target.task, inputs, params)
    return code.write(made, depth=1)


def _frame(fitted: Fitted) -> list[str]:
    lines = ["frame = pd.DataFrame(", "    {"]
    for column in fitted.result.inputs:
        reader = "numbers" if column.type in NUMERIC_TYPES else "texts"
        lines.append(f"        {column.name!r}: {reader}({column.name!r}),")
    return [*lines, "    }", ")"]


def _rows(fitted: Fitted, code: Code) -> list[str]:
    """The rows that count, and their target."""
    spec = fitted.spec
    lines = [
        f"stored = table.column({spec.target!r})",
        "rows = np.flatnonzero(~pc.is_null(stored, nan_is_null=True).to_numpy())",
    ]
    if len(fitted.withheld):
        code.use_module("numpy")
        lines += [
            "# Kept to compare with another fit.",
            f"rows = rows[~np.isin(rows, {fitted.withheld.tolist()!r})]",
        ]
    strict = [
        column.name
        for column in fitted.result.inputs
        if (wish := spec.preprocessing.columns.get(column.name)) and wish.impute == "drop_rows"
    ]
    if strict:
        lines.append(f"rows = rows[frame.iloc[rows][{strict!r}].notna().all(axis=1).to_numpy()]")
    lines += ["stored = stored.take(pa.array(rows))"]
    if fitted.result.target.task == "regression":
        lines.append(
            "target = np.asarray(stored.cast(pa.float64(), safe=False).to_numpy(), "
            "dtype=np.float64)"
        )
    else:
        lines += [
            "if pa.types.is_floating(stored.type):",
            "    stored = stored.cast(pa.int64())",
            "target = np.array(stored.to_pylist())",
        ]
    return [*lines, "frame = frame.iloc[rows].reset_index(drop=True)", ""]


def _weights(fitted: Fitted, code: Code) -> list[str]:
    """Of rows, in learning and in scoring; of classes, in learning alone."""
    spec = fitted.spec
    lines = ["row_weight = None"]
    if spec.weights is not None:
        lines = [f"row_weight = numbers({spec.weights!r})[rows]"]
    lines += ["", "", "def learning_weight(part):"]
    if spec.class_weight == "none":
        return [
            *lines,
            "    return None if row_weight is None else row_weight[part]",
            "",
            "",
        ]
    if spec.class_weight == "balanced":
        use = code.use("sklearn.utils.class_weight", "compute_class_weight")
        per_class = f"{use}('balanced', classes=names, y=target[part])"
    else:
        named = dict(spec.class_weight) if isinstance(spec.class_weight, dict) else {}
        key = "str(name).lower() if isinstance(name, (bool, np.bool_)) else str(name)"
        per_class = f"np.array([{named!r}.get({key}, 1.0) for name in names])"
    return [
        *lines,
        "    names, places = np.unique(target[part], return_inverse=True)",
        f"    weight = {per_class}[places]",
        "    return weight if row_weight is None else weight * row_weight[part]",
        "",
        "",
    ]


def _scored(fitted: Fitted, code: Code) -> list[str]:
    return [
        *fold_lines(
            fitted.spec, fitted.result.known, fitted.result.split, fitted.result.target, code
        ),
        *_learning(fitted),
        *_scoring(fitted, code),
        *SHOWING.splitlines(),
    ]


def _unscored(fitted: Fitted) -> list[str]:
    given = _given(fitted, "np.arange(len(target))")
    return [
        "pipeline = make_pipeline(0)",
        f"pipeline.fit(frame, target{given})",
        'print(f"Fitted to all {len(target):,} rows; nothing was held out, so nothing is scored.")',
    ]


def _given(fitted: Fitted, rows: str) -> str:
    is_weighted = fitted.spec.weights is not None or fitted.spec.class_weight != "none"
    return f", estimate__sample_weight=learning_weight({rows})" if is_weighted else ""


def _learning(fitted: Fitted) -> list[str]:
    given = _given(fitted, "train")
    keeps_shares = needs(list(fitted.result.metrics), "shares", classes=_count_classes(fitted))
    lines = [
        "held_out, predictions, probabilities = [], [], []",
        "for number, (train, held) in enumerate(folds):",
        "    pipeline = make_pipeline(number)",
        f"    pipeline.fit(frame.iloc[train], target[train]{given})",
        "    held_out.append(held)",
        "    predictions.append(np.asarray(pipeline.predict(frame.iloc[held])))",
    ]
    if keeps_shares:
        lines += [
            "    shares = pipeline.predict_proba(frame.iloc[held])",
            "    probabilities.append(np.asarray(shares, dtype=np.float64))",
        ]
    return [*lines, ""]


def _count_classes(fitted: Fitted) -> int:
    if fitted.result.target.task == "regression":
        return 0
    if fitted.result.split.is_one_holdout:
        return len(np.unique(fitted.result.target.values[fitted.result.split.train]))
    return len(np.unique(fitted.result.target.values))


def _scoring(fitted: Fitted, code: Code) -> list[str]:
    names, count = list(fitted.result.metrics), _count_classes(fitted)
    code.use("sklearn", "metrics")
    lines = [
        "held = np.concatenate(held_out)",
        "order = np.argsort(held, kind='stable')",
        *(
            ["order = order[row_weight[held[order]] > 0]"]
            if fitted.spec.weights is not None
            else []
        ),
        "held, predicted = held[order], np.concatenate(predictions)[order]",
        "observed = target[held]",
        "weight = None if row_weight is None else row_weight[held]",
    ]
    if fitted.result.target.task != "regression":
        # One hold-out scores the classes that its model knows.
        known = "pipeline.classes_" if fitted.result.split.is_one_holdout else "np.unique(target)"
        lines.append(f"classes = np.asarray({known})")
    if needs(names, "second", classes=count):
        lines.append("second = classes[1]")
    if needs(names, "shares", classes=count):
        lines.append("shares = np.concatenate(probabilities)[order]")
    if needs(names, "QUANTILE", classes=count):
        lines.append(f"QUANTILE = {fitted.result.chosen[0]['quantile']!r}")
    lines.append("found = {")
    lines += [f"    {name!r}: float({metric_code(name, classes=count)})," for name in names]
    return [*lines, "}", ""]
