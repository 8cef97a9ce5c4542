"""The pipeline around an estimator: scikit-learn's own parts only, so it loads anywhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from backend.science.column_types import InputColumn
from backend.science.estimator_spec import EstimatorSpec
from backend.science.spec import Task

# Rarer categories share one column, and so do those that were never seen.
MOST_CATEGORIES: Final = 50


def build_pipeline(
    spec: EstimatorSpec,
    params: Mapping[str, Any],
    task: Task,
    seed: int,
    columns: Sequence[InputColumn],
) -> Pipeline:
    """An unfitted pipeline: impute and scale numbers, impute and one-hot categories, estimate.

    Parameters
    ----------
    spec, params, task, seed
        The estimator.
    columns
        The features.
    """
    numeric = [column.name for column in columns if column.numeric]
    categorical = [column.name for column in columns if not column.numeric]
    steps = ColumnTransformer(
        [
            (
                "numeric",
                _numeric(scale=spec.scale, center=params.get("fit_intercept", True)),
                numeric,
            ),
            ("categorical", _categorical(), categorical),
        ],
        verbose_feature_names_out=False,
    )
    estimator = spec.build(params, task, seed)
    return Pipeline([("preprocess", steps), ("estimate", estimator)])


def _numeric(*, scale: bool, center: bool) -> Pipeline:
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    # Without an intercept the model goes through the origin of the data; centring would move it.
    scaling = [("scale", StandardScaler(with_mean=center))] if scale else []
    return Pipeline([("impute", imputer), *scaling])


def _categorical() -> Pipeline:
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=MOST_CATEGORIES,
        sparse_output=False,
    )
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True, keep_empty_features=True)
    return Pipeline([("impute", imputer), ("encode", encoder)])
