"""The design matrix behind a fitted pipeline: its columns in the dataset's units, with names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    RobustScaler,
    TargetEncoder,
)

Floats = npt.NDArray[np.float64]
RARE: Final = "(other)"
# How scikit-learn names marks of missing values.
MARK: Final = "missingindicator_"


@dataclass(frozen=True, slots=True)
class Design:
    """What a linear estimator multiplies, before scaling.

    Attributes
    ----------
    terms
        Names of the p columns: `column`, `column=value`, `column is missing`, `log(column)`,
        `column^2`.
    matrix
        Shape (n, p), missing values filled, categories as 0 and 1.
    center, scale
        Shape (p,): the estimator saw `(matrix - center) / scale`.
    groups
        For each column of categories, its name, its values and where its terms stand.
    """

    terms: list[str]
    matrix: Floats
    center: Floats
    scale: Floats
    groups: list[tuple[str, list[str], range]]

    def without_references(self, *, keep_first: bool) -> tuple["Design", dict[str, str]]:
        """The design without the first category of each column, and these categories.

        Parameters
        ----------
        keep_first
            Whether the first column of categories keeps all; it then stands for the intercept.
        """
        left_out = self.groups[1:] if keep_first else self.groups
        gone = {places.start for _, _, places in left_out}
        kept = [at for at in range(len(self.terms)) if at not in gone]
        references = {name: values[0] for name, values, _ in left_out if values[0]}
        design = Design(
            [self.terms[at] for at in kept],
            self.matrix[:, kept],
            self.center[kept],
            self.scale[kept],
            [],
        )
        return design, references


def read_design(preprocess: ColumnTransformer, features: pd.DataFrame) -> Design:
    """The design of a fitted pipeline's first step.

    Parameters
    ----------
    preprocess
        As `pipeline.build_pipeline` makes it, fitted: of each group, what scales comes last.
    features
        n rows.
    """
    terms: list[str] = []
    parts: list[Floats] = []
    centers: list[Floats] = []
    scales: list[Floats] = []
    groups: list[tuple[str, list[str], range]] = []
    for _, steps, columns in preprocess.transformers_:
        if len(columns) == 0 or not isinstance(steps, Pipeline):
            continue
        scaled = steps.steps[-1][0] == "scale"
        before = steps[:-1] if scaled else steps
        part = np.asarray(before.transform(features[columns]), dtype=np.float64)
        if part.shape[1] == 0:
            continue
        if isinstance(steps.named_steps.get("encode"), OneHotEncoder):
            for name, values, own in _categories(steps, columns):
                groups.append((name, values, range(len(terms), len(terms) + len(own))))
                terms += own
        else:
            terms += _names(before, columns)
        parts.append(part)
        center, scale = _undone(steps[-1] if scaled else None, part.shape[1])
        centers.append(center)
        scales.append(scale)
    return Design(terms, np.hstack(parts), np.concatenate(centers), np.concatenate(scales), groups)


def learns_from_target(preprocess: ColumnTransformer) -> bool:
    """Whether categories are encoded by the target, in training by that of other rows.

    Parameters
    ----------
    preprocess
        As `pipeline.build_pipeline` makes it, fitted.
    """
    return any(
        isinstance(step, TargetEncoder)
        for _, steps, _ in preprocess.transformers_
        if isinstance(steps, Pipeline)
        for _, step in steps.steps
    )


def _undone(scaler: Any, width: int) -> tuple[Floats, Floats]:
    """What a scaler subtracts, and what it divides by then."""
    center, scale = np.zeros(width), np.ones(width)
    if isinstance(scaler, MinMaxScaler):
        return -scaler.min_ / scaler.scale_, 1 / scaler.scale_
    if scaler is not None:
        found = getattr(scaler, "center_" if isinstance(scaler, RobustScaler) else "mean_")
        center = center if found is None else found
        scale = scale if scaler.scale_ is None else scaler.scale_
    return center, scale


def _names(steps: Pipeline, columns: list[str]) -> list[str]:
    """Terms of a group: its columns, what was made of them, and where values were missing."""
    names = [str(name) for name in steps.get_feature_names_out(columns)]
    shape = _shape(steps.named_steps.get("transform"))
    told: list[str] = []
    for name in names:
        if name.startswith(MARK) and name not in columns:
            told.append(f"{name.removeprefix(MARK)} is missing")
        else:
            told.append(name if shape is None else f"{shape}({name})")
    return told


def _shape(transform: Any) -> str | None:
    """The name of a function that numbers went through before."""
    if transform is None:
        return None
    if isinstance(transform, FunctionTransformer):
        return str(transform.func.__name__)
    return "yeo_johnson" if isinstance(transform, PowerTransformer) else "quantile"


def _with_holes(steps: Any, columns: list[str]) -> list[str]:
    """The columns whose missing values got a column of their own."""
    indicator = steps["impute"].indicator_
    return [] if indicator is None else [columns[at] for at in indicator.features_]


def _categories(steps: Any, columns: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Name, values and terms of each encoded column; of the missing ones no values."""
    encoder = steps["encode"]
    holes = _with_holes(steps, columns)
    for at, (known, rare) in enumerate(
        zip(encoder.categories_, _rare(encoder, len(encoder.categories_)), strict=True)
    ):
        if at >= len(columns):
            name = holes[at - len(columns)]
            terms = [f"{name} is {'missing' if value else 'known'}" for value in known]
            yield name, [""] * len(terms), terms
            continue
        values = [str(value) for value in known if rare is None or value not in rare]
        if rare is not None:
            values.append(RARE)
        yield columns[at], values, [f"{columns[at]}={value}" for value in values]


def _rare(encoder: Any, count: int) -> list[set[Any] | None]:
    found = getattr(encoder, "infrequent_categories_", [None] * count)
    return [None if rare is None else set(rare) for rare in found]
