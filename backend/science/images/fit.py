"""One fit of a network over labelled images, told in the same shape as a fit of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import IMAGE, LABEL, ColumnDescription
from backend.science.fit import (
    NO_ROWS,
    NOBODY,
    FitResult,
    doubts_of_metric,
    tell_split,
    tell_warnings,
    validate_watched,
)
from backend.science.holdout import doubts
from backend.science.images.image_table import image_input, read_pixels
from backend.science.metrics import main_metric
from backend.science.prepare import read_known, split_known
from backend.science.refusal import FitRefused
from backend.science.reporting import Report
from backend.science.spec import FitSpec
from backend.science.splits import Rows
from backend.science.target import Target
from backend.science.validation import LEARNING_STARTS, Scoring

NO_EXAMPLE: Final = pd.DataFrame()


class ImageLearner:
    """Fits the network of a spec to some of the images.

    Parameters
    ----------
    spec
        What to fit.
    target
        The labels that are known.
    pixels
        Of those images, shape (n, height, width, channels).
    """

    def __init__(self, spec: FitSpec, target: Target, pixels: Any) -> None:
        self._spec = spec
        self._target = target
        self._pixels = pixels

    def features(self, rows: Rows) -> Any:
        """The pixels of these images."""
        return self._pixels[rows]

    def learn(self, rows: Rows, report: Report) -> Any:
        """A network that has seen these images alone."""
        spec = self._spec
        classifier = ESTIMATORS[spec.estimator].build(spec.params, self._target.task, spec.seed)
        classifier.fit(self._pixels[rows], self._target.values[rows], report)
        return classifier


def fit_images(
    spec: FitSpec,
    table: pa.Table,
    columns: Sequence[ColumnDescription],
    *,
    report: Report = NOBODY,
    withheld: Rows = NO_ROWS,
    stored_split: Path | None = None,
) -> FitResult:
    """Fit a network and score it on images that it has not seen.

    Parameters
    ----------
    spec, report, withheld, stored_split
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
    report(0.02, "Reading images")
    described = {column.name: column for column in columns}
    present = read_known(spec, table, described[LABEL])
    target = present.without(withheld)
    known, split = split_known(spec, table, described, target, stored_split)
    pixels = read_pixels(table)[target.rows]
    tell_split(split, report)
    # Half-way, for loading PyTorch takes seconds.
    report(LEARNING_STARTS / 2, f"Learning from {len(split.train):,} images")
    learner = ImageLearner(spec, target, pixels)
    scoring = Scoring(target, None, None, spec.seed)
    validated, raised = validate_watched(learner, scoring, split, report)
    dropped = table.num_rows - len(present.rows)
    chosen = main_metric(target.task, spec.main_metric).name
    told = doubts(raised, validated.undefined, target, split, dropped=dropped, name=LABEL)
    told += doubts_of_metric(chosen, validated)
    tell_warnings(told, report)
    return FitResult(
        target=target,
        known=known,
        split=split,
        validated=validated,
        main_metric=chosen,
        inputs=[image_input(table)],
        excluded=[],
        classes=list(validated.model.classes_.tolist()),
        warnings=told,
        rows_used=len(split.train),
        rows_dropped=dropped,
        rows_withheld=len(present.rows) - len(target.rows),
        pipeline=validated.model,
        example=NO_EXAMPLE,
    )
