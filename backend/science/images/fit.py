"""One fit of a network over labelled images, told in the same shape as a fit of a table."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Final

import pandas as pd
import pyarrow as pa

from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import IMAGE, LABEL, ColumnDescription
from backend.science.fit import LEARNING_ENDS, LEARNING_STARTS, NO_ROWS, FitResult, OnProgress
from backend.science.holdout import check_classes, doubts, judge
from backend.science.images.image_table import image_input, read_pixels
from backend.science.refusal import FitRefused
from backend.science.spec import FitSpec
from backend.science.splits import Rows, split_rows
from backend.science.target import read_target

NO_EXAMPLE: Final = pd.DataFrame()


def fit_images(
    spec: FitSpec,
    table: pa.Table,
    columns: Sequence[ColumnDescription],
    *,
    on_progress: OnProgress,
    withheld: Rows = NO_ROWS,
) -> FitResult:
    """Fit a network and score it on the hold-out, which it does not see before.

    Parameters
    ----------
    spec, on_progress, withheld
        As for `fit.fit`.
    table, columns
        Read from a file of `image_table.write_images`, and descriptions of its columns.

    Raises
    ------
    FitRefused
        The images do not allow this fit; the text says why.
    ExtraMissing
        PyTorch is not installed.
    """
    if IMAGE not in table.column_names:
        raise FitRefused("This estimator learns from images, and the dataset is a table.")
    on_progress(0.02, "Reading images")
    described = next(column for column in columns if column.name == LABEL)
    known = read_target(table, described, spec.task)
    target = known.without(withheld)
    split = split_rows(spec.validation, target.task, target.values, spec.seed)
    check_classes(target, split, LABEL)
    pixels = read_pixels(table)
    train, held = (pixels[target.rows[rows]] for rows in (split.train, split.holdout))
    # Half-way, for loading PyTorch takes seconds.
    on_progress(LEARNING_STARTS / 2, f"Learning from {len(train):,} images")
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        classifier = ESTIMATORS[spec.estimator].build(spec.params, target.task, spec.seed)
        classifier.fit(train, target.values[split.train], partial(_on_epoch, on_progress))
        on_progress(LEARNING_ENDS, "Scoring")
        judged = judge(classifier, held, target, split, spec.seed)
    dropped = table.num_rows - len(known.rows)
    return FitResult(
        task=target.task,
        inputs=[image_input(table)],
        excluded=[],
        classes=list(classifier.classes_.tolist()),
        metrics=judged.metrics,
        baseline_metrics=judged.baseline_metrics,
        holdout=judged.holdout,
        warnings=doubts(raised, judged.undefined, target, split, dropped=dropped, name=LABEL),
        rows_used=len(train),
        rows_dropped=dropped,
        rows_withheld=len(known.rows) - len(target.rows),
        pipeline=classifier,
        example=NO_EXAMPLE,
    )


def _on_epoch(on_progress: OnProgress, share: float, text: str) -> None:
    on_progress(LEARNING_STARTS + (LEARNING_ENDS - LEARNING_STARTS) * share, text)
