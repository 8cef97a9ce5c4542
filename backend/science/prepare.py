"""From a table and a spec to what can be learnt: the known rows, their features and their split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from backend.science import spec as kinds
from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import ColumnDescription, InputColumn
from backend.science.frames import feature_frame, input_columns
from backend.science.holdout import check_classes
from backend.science.preprocessing.rows import check_features, check_target
from backend.science.preprocessing.treatments import TEMPORAL
from backend.science.preprocessing.weights import check_class_weights, read_weights
from backend.science.refusal import FitRefused
from backend.science.spec import FitSpec, fewest_rows
from backend.science.split_files import load_split, stored_keys
from backend.science.split_keys import key_column, read_keys
from backend.science.splits import Known, Rows, Split, split_rows
from backend.science.target import NUMBER_TYPES, Target, read_target

DROP: Final = "drop_rows"
Described = Mapping[str, ColumnDescription]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What stands before learning.

    Attributes
    ----------
    target, known
        The n rows whose target is known, and what their split depends on.
    frame
        Features, n rows.
    inputs
        Their description, from the rows that the fit's own model learns from.
    weights
        Shape (n,); None where all rows count the same.
    excluded
        Columns left out, as `{column, reason}`.
    withheld, dropped
        Numbers of rows left out: to be compared on, and for want of a target.
    warnings
        What else was left out.
    """

    target: Target
    known: Known
    split: Split
    frame: pd.DataFrame
    inputs: list[InputColumn]
    weights: npt.NDArray[np.float64] | None
    excluded: list[dict[str, str]]
    withheld: int
    dropped: int
    warnings: tuple[str, ...]


def prepare(
    spec: FitSpec,
    table: pa.Table,
    columns: Sequence[ColumnDescription],
    withheld: Rows,
    stored_split: Path | None,
) -> Prepared:
    """Read target, features and split.

    Parameters
    ----------
    spec, table, columns, withheld, stored_split
        As for `fit.fit`.

    Raises
    ------
    FitRefused
        The data do not allow this fit; the text says why.
    """
    described = {column.name: column for column in columns}
    present = read_known(spec, table, find_column(described, spec.target))
    target = present.without(withheld)
    estimator = ESTIMATORS[spec.estimator]
    if target.task not in estimator.tasks:
        raise FitRefused(
            f"{estimator.title} does not do {target.task}, which {spec.target} asks for. "
            "Choose another estimator, or set the task.",
            spec.target,
        )
    check_class_weights(spec.class_weight, target, spec.target)
    check_target(target, spec.target_transform, spec.target)
    jobs = _other_jobs(spec, stored_split)
    used, excluded = choose_features(spec, columns, described, jobs)
    left_out = len(present.rows) - len(target.rows)
    frame = feature_frame(table, used)
    target, told = _without_gaps(spec, frame, target)
    frame = frame.iloc[target.rows].reset_index(drop=True)
    check_target(target, spec.target_transform, spec.target)
    known, split = split_known(spec, table, described, target, stored_split)
    weights = None
    if spec.weights is not None:
        weights = read_weights(table, find_column(described, spec.weights), target.rows)
    used = [_without_calendar(column, frame, split) for column in used]
    inputs = input_columns(frame.iloc[split.train], used, spec.preprocessing)
    check_features(frame, inputs, spec.preprocessing)
    return Prepared(
        target=target,
        known=known,
        split=split,
        frame=frame,
        inputs=inputs,
        weights=weights,
        excluded=excluded,
        withheld=left_out,
        dropped=table.num_rows - len(present.rows),
        warnings=told,
    )


def _without_calendar(
    column: ColumnDescription, frame: pd.DataFrame, split: Split
) -> ColumnDescription:
    """A date that does not vary wherever something is learnt is a number like any other."""
    if column.type not in TEMPORAL:
        return column
    values = frame[column.name].to_numpy()
    parts = [values[rows] for rows in (split.train, *(fold.train for fold in split.folds))]
    varies = all(np.nanmin(part) < np.nanmax(part) for part in parts if not np.isnan(part).all())
    known = all(not np.isnan(part).all() for part in parts)
    return column if varies and known else replace(column, distinct=1)


def _without_gaps(
    spec: FitSpec, frame: pd.DataFrame, target: Target
) -> tuple[Target, tuple[str, ...]]:
    """Without the rows where a column is missing that asks for it, in learning and scoring."""
    wishes = spec.preprocessing.columns
    names = [name for name in frame.columns if name in wishes and wishes[name].impute == DROP]
    if not names:
        return target, ()
    missing = np.asarray(frame[names].isna().any(axis=1))[target.rows]
    kept = Target(target.task, target.values[~missing], target.rows[~missing])
    columns = ", ".join(names)
    fewest = fewest_rows(spec.validation)
    if len(kept.rows) < fewest:
        raise FitRefused(
            f"{len(kept.rows):,} rows have a value of {columns}; at least {fewest} are needed.",
            names[0],
        )
    if target.task != "regression" and len(np.unique(kept.values)) < len(np.unique(target.values)):
        raise FitRefused(
            f"A class of {spec.target} is lost with the rows where {columns} is missing. "
            "Impute instead.",
            spec.target,
        )
    if not missing.any():
        return target, ()
    return kept, (f"Left out for want of {columns}: {int(missing.sum()):,} rows.",)


def read_known(spec: FitSpec, table: pa.Table, column: ColumnDescription) -> Target:
    """The rows whose target is known, if there are enough of them.

    Parameters
    ----------
    spec, table
        The fit.
    column
        Description of the target.
    """
    estimator = ESTIMATORS[spec.estimator]
    task = estimator.asks_for(spec.task, number=column.type in NUMBER_TYPES)
    return read_target(table, column, task, fewest=fewest_rows(spec.validation))


def split_known(
    spec: FitSpec,
    table: pa.Table,
    described: Described,
    target: Target,
    stored_split: Path | None,
) -> tuple[Known, Split]:
    """The split that was asked for, or the stored one of another fit.

    Parameters
    ----------
    spec, table
        The fit.
    described
        The columns by name.
    target
        The rows that count.
    stored_split
        File of the other fit's split.

    Raises
    ------
    FitRefused
        The rows do not allow it.
    """
    name, ordered = key_column(spec.validation), isinstance(spec.validation, kinds.TimeSeries)
    if stored_split is not None:
        name, ordered = stored_keys(stored_split)
    keys = None
    if name is not None:
        keys = read_keys(table, find_column(described, name), target.rows, ordered=ordered)
    known = Known(target.task, target.values, keys)
    if stored_split is not None:
        split = load_split(stored_split, known, target.rows)
    else:
        split = split_rows(spec.validation, known, spec.seed)
    check_classes(target, split, spec.target)
    return known, split


def find_column(described: Described, name: str) -> ColumnDescription:
    """A column by its name."""
    if name not in described:
        raise FitRefused(f"The dataset has no column {name!r}.", name)
    return described[name]


def choose_features(
    spec: FitSpec,
    columns: Sequence[ColumnDescription],
    described: Described,
    jobs: Mapping[str, str],
) -> tuple[list[ColumnDescription], list[dict[str, str]]]:
    """The columns to learn from: those asked for, else all that are good for it.

    Parameters
    ----------
    spec
        The fit.
    columns, described
        All columns in their order, and by name.
    jobs
        Columns that are no features, because they do something else.

    Returns
    -------
    used, excluded
        The columns, and `{column, reason}` of all others but the target.
    """
    if spec.features is None:
        reasons = {
            column.name: jobs.get(column.name) or column.left_out_because for column in columns
        }
        used = [c for c in columns if reasons[c.name] is None and c.name != spec.target]
        if not used:
            raise FitRefused("No column is left to learn from. Choose features yourself.")
    else:
        if spec.target in spec.features:
            raise FitRefused("The target cannot be a feature.", spec.target)
        for name in spec.features:
            if name in jobs:
                raise FitRefused(f"{name} cannot be a feature: it {jobs[name]}.", name)
        used = [find_column(described, name) for name in spec.features]
        if not used:
            raise FitRefused("No feature is chosen.")
        reasons = {column.name: jobs.get(column.name, "not chosen") for column in columns}
    names = {column.name for column in used}
    others = [c.name for c in columns if c.name not in names and c.name != spec.target]
    return used, [{"column": name, "reason": str(reasons[name])} for name in others]


def _other_jobs(spec: FitSpec, stored_split: Path | None) -> dict[str, str]:
    """Columns that do something else in this fit, so that they are no features."""
    jobs: dict[str, str] = {}
    groups = spec.validation.column if isinstance(spec.validation, kinds.Group) else None
    if stored_split is not None:
        column, ordered = stored_keys(stored_split)
        groups = None if ordered else column
    if groups is not None:
        jobs[groups] = "names the groups of the validation"
    if spec.weights is not None:
        jobs[spec.weights] = "holds the weights of the rows"
    return jobs
