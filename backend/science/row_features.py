"""The preprocessing of a fitted pipeline for a few rows, without a data frame around them.

A ColumnTransformer takes milliseconds for one row, nearly all of it in checks. Here the same
arithmetic is done on what it learnt; `RowFeatures.of` makes sure that the numbers are the same
to the bit, and answers None where they are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from backend.science.column_types import InputColumn
from backend.science.frames import as_number, rows_frame

Floats = npt.NDArray[np.float64]
UNSEEN: Final = "\N{REPLACEMENT CHARACTER} never seen in training"


@dataclass(frozen=True, slots=True)
class _Numeric:
    """Impute, mark what was missing, scale."""

    names: list[str]
    statistics: Floats
    marked: npt.NDArray[np.int64]
    mean: Floats | None
    scale: Floats | None

    def transform(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """Features of n checked rows, shape (n, number of columns made)."""
        values = np.array([[as_number(row[name]) for name in self.names] for row in rows])
        missing = np.isnan(values)
        filled = np.where(missing, self.statistics, values)
        features = np.hstack([filled, missing[:, self.marked].astype(np.float64)])
        if self.mean is not None:
            features -= self.mean
        if self.scale is not None:
            features /= self.scale
        return features


@dataclass(frozen=True, slots=True)
class _Categorical:
    """Impute, mark what was missing, one-hot; each value's block of columns is looked up."""

    names: list[str]
    statistics: list[Any]
    marked: list[int]
    blocks: list[dict[Any, Floats]]
    unseen: list[Floats]

    def transform(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """Features of n checked rows, shape (n, number of columns made)."""
        return np.vstack([self._row(row) for row in rows])

    def _row(self, row: Mapping[str, Any]) -> Floats:
        given = [row[name] for name in self.names]
        filled = [
            default if value is None else value
            for value, default in zip(given, self.statistics, strict=True)
        ]
        marks = [given[position] is None for position in self.marked]
        values = [*filled, *marks]
        return np.concatenate(
            [
                block.get(value, unseen)
                for value, block, unseen in zip(values, self.blocks, self.unseen, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True)
class RowFeatures:
    """What a pipeline's estimator sees of rows from JSON."""

    _parts: tuple[_Numeric | _Categorical, ...]

    def transform(self, rows: Sequence[Mapping[str, Any]]) -> Floats:
        """Features of n rows that passed `rows.check_rows`.

        Parameters
        ----------
        rows
            Maps from column name to value; null is missing.

        Returns
        -------
        array of shape (n, number of features)
        """
        return np.hstack([part.transform(rows) for part in self._parts])

    @classmethod
    def of(
        cls, pipeline: Pipeline, input_columns: Sequence[Mapping[str, Any]]
    ) -> "RowFeatures | None":
        """For a pipeline that `pipeline.build_pipeline` built and `fit` fitted; None for others.

        Parameters
        ----------
        pipeline
            The fitted pipeline.
        input_columns
            Its inputs, as the fit's outcome tells them.
        """
        columns = [InputColumn(**column) for column in input_columns]
        try:
            made = cls(tuple(_parts(pipeline)))
            probes = _probes(columns)
            same = np.array_equal(
                made.transform(probes), pipeline[:-1].transform(rows_frame(probes, columns))
            )
        except (AttributeError, KeyError, ValueError, TypeError):
            return None  # built otherwise, by an older or a newer version
        return made if same else None


def _parts(pipeline: Pipeline) -> list[_Numeric | _Categorical]:
    kinds: dict[str, Callable[[Pipeline, list[str]], _Numeric | _Categorical]] = {
        "numeric": _numeric,
        "categorical": _categorical,
    }
    fitted = pipeline.named_steps["preprocess"].transformers_
    return [kinds[name](steps, list(names)) for name, steps, names in fitted if len(names)]


def _numeric(steps: Pipeline, names: list[str]) -> _Numeric:
    imputer = steps.named_steps["impute"]
    scaler = steps.named_steps.get("scale")
    return _Numeric(
        names=names,
        statistics=np.asarray(imputer.statistics_, dtype=np.float64),
        marked=np.asarray(imputer.indicator_.features_, dtype=np.int64),
        mean=scaler.mean_ if scaler is not None and scaler.with_mean else None,
        scale=scaler.scale_ if scaler is not None else None,
    )


def _categorical(steps: Pipeline, names: list[str]) -> _Categorical:
    imputer, encoder = steps.named_steps["impute"], steps.named_steps["encode"]
    categories: list[npt.NDArray[Any]] = encoder.categories_
    rare = encoder.infrequent_categories_
    widths = [
        len(known) if few is None else len(known) - len(few) + 1
        for known, few in zip(categories, rare, strict=True)
    ]
    ends = np.cumsum(widths)
    blocks: list[dict[Any, Floats]] = []
    unseen: list[Floats] = []
    first = [known[0] for known in categories]
    for position, known in enumerate(categories):
        values = [*known, UNSEEN]
        rows = np.array([first] * len(values), dtype=object)
        rows[:, position] = values
        part = encoder.transform(rows)[:, ends[position] - widths[position] : ends[position]]
        blocks.append(dict(zip(known, part[:-1], strict=True)))
        unseen.append(part[-1])
    return _Categorical(
        names=names,
        statistics=list(imputer.statistics_),
        marked=[int(position) for position in imputer.indicator_.features_],
        blocks=blocks,
        unseen=unseen,
    )


def _probes(columns: Sequence[InputColumn]) -> list[dict[str, Any]]:
    """Rows at the edges of what training saw, with everything missing, and beyond."""
    return [
        {column.name: _probe(column, kind) for column in columns}
        for kind in ("missing", "least", "most", "beyond")
    ]


def _probe(column: InputColumn, kind: str) -> Any:
    if kind == "missing":
        return None
    if column.numeric:
        ends = {"least": column.minimum, "most": column.maximum, "beyond": 12_345.678_9}
        return None if ends[kind] is None else float(ends[kind] or 0.0)
    known = column.categories or [UNSEEN]
    return {"least": known[0], "most": known[-1], "beyond": UNSEEN}[kind]
