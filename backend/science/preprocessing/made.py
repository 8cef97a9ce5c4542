"""Features made of several columns, or several of one: powers, products, splines."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

from backend.science.preprocessing.blocks import (
    Steps,
    imputer,
    one_hot,
    scale_steps,
    transform_steps,
)
from backend.science.preprocessing.treatments import Treatment
from backend.science.spec import FeatureStep, Interactions, Polynomial, Spline


class Maker:
    """Builds the steps that make features of prepared columns.

    Parameters
    ----------
    treatments
        Of all columns, by name.
    center
        Whether scaling may move zero.
    most
        Categories of a column with a feature of their own.
    seed
        Of the fit.
    """

    def __init__(
        self, treatments: Mapping[str, Treatment], *, center: bool, most: int, seed: int
    ) -> None:
        self._treatments = treatments
        self._center = center
        self._most = most
        self._seed = seed

    def steps(self, step: FeatureStep) -> Steps:
        """Impute and transform as the columns themselves are, make, scale."""
        names = list(step.columns)
        first = next((t for name in names if (t := self._treatments[name]).scale != "none"), None)
        scaling = [] if first is None else scale_steps(first, center=self._center)
        match step:
            case Polynomial():
                powers = PolynomialFeatures(degree=(2, step.degree), include_bias=False)
                return [("filled", self._filled(names)), ("make", powers), *scaling]
            case Spline():
                curve = SplineTransformer(
                    n_knots=step.knots, degree=step.degree, knots="quantile", include_bias=False
                )
                return [("filled", self._filled(names)), ("make", curve), *scaling]
            case Interactions():
                products = PolynomialFeatures(
                    degree=(2, 2), interaction_only=True, include_bias=False
                )
                # Two categories of one column never meet, so their product is zero throughout.
                varying: Steps = [("varying", VarianceThreshold())]
                indicators = any(self._treatments[n].role == "categorical" for n in names)
                return [
                    ("filled", self._filled(names)),
                    ("make", products),
                    *(varying if indicators else []),
                    *scaling,
                ]

    def _filled(self, names: Sequence[str]) -> ColumnTransformer:
        parts: list[tuple[str, Any, list[str]]] = []
        for number, name in enumerate(names):
            treatment = self._treatments[name]
            steps: Steps = [("impute", imputer(treatment, indicator=False))]
            if treatment.role == "categorical":
                steps.append(("encode", one_hot(self._most)))
            else:
                steps += transform_steps(treatment, self._seed)
            parts.append((f"column {number}", Pipeline(steps), [name]))
        return ColumnTransformer(parts, verbose_feature_names_out=False)
