"""The design matrix behind a fitted pipeline: its columns in the dataset's units, with names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer

Floats = npt.NDArray[np.float64]
RARE: Final = "(other)"


@dataclass(frozen=True, slots=True)
class Design:
    """What a linear estimator multiplies, before scaling.

    Attributes
    ----------
    terms
        Names of the p columns: `column`, `column=value`, `column is missing`.
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
        As `pipeline.build_pipeline` makes it, fitted.
    features
        n rows.
    """
    terms: list[str] = []
    parts: list[Floats] = []
    centers: list[Floats] = []
    scales: list[Floats] = []
    groups: list[tuple[str, list[str], range]] = []
    for kind, steps, columns in preprocess.transformers_:
        if len(columns) == 0 or kind == "remainder":
            continue
        filled = steps["impute"].transform(features[columns])
        if kind == "numeric":
            terms += [*columns, *(f"{name} is missing" for name in _with_holes(steps, columns))]
            part = np.asarray(filled, dtype=np.float64)
            scaler = steps.named_steps.get("scale")
        else:
            part = np.asarray(steps["encode"].transform(filled), dtype=np.float64)
            scaler = None
            for name, values, own in _categories(steps, columns):
                groups.append((name, values, range(len(terms), len(terms) + len(own))))
                terms += own
        parts.append(part)
        centers.append(_or(scaler, "mean_", np.zeros(part.shape[1])))
        scales.append(_or(scaler, "scale_", np.ones(part.shape[1])))
    return Design(terms, np.hstack(parts), np.concatenate(centers), np.concatenate(scales), groups)


def _or(scaler: Any, attribute: str, default: Floats) -> Floats:
    found = None if scaler is None else getattr(scaler, attribute)
    return default if found is None else found


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
