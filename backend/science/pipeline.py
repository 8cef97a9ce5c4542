"""The pipeline around an estimator: scikit-learn's own parts only, so it loads anywhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import MissingIndicator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer

from backend.science.column_types import FeatureRole, InputColumn
from backend.science.estimator_spec import EstimatorSpec
from backend.science.preprocessing.blocks import (
    Steps,
    categorical_steps,
    datetime_steps,
    numeric_steps,
    text_steps,
)
from backend.science.preprocessing.counts import smoothed
from backend.science.preprocessing.made import Maker
from backend.science.preprocessing.treatments import Treatment, treatments
from backend.science.spec import FitSpec, TargetTransform, Task

# In this order their features stand.
ROLES: Final[tuple[FeatureRole, ...]] = ("numeric", "categorical", "datetime", "text")
Group = tuple[str, Pipeline, list[str]]


def build_pipeline(
    estimator: EstimatorSpec,
    spec: FitSpec,
    task: Task,
    inputs: Sequence[InputColumn],
    params: Mapping[str, Any] | None = None,
) -> Pipeline:
    """An unfitted pipeline that prepares columns by their role and estimates.

    Its step `preprocess` is a ColumnTransformer with one Pipeline per group of columns of equal
    treatment, named after their role; then one per feature step, and `missing` for marks that
    stand by themselves. In each, what scales is the last step and is called `scale`. The step
    `estimate` is the estimator, or one that transforms the target around it.

    Parameters
    ----------
    estimator, spec, task
        What is fitted, and how.
    inputs
        The features.
    params
        Parameters of the estimator in place of those of `spec`, for instance of a trial.
    """
    chosen = spec.params if params is None else params
    groups = _groups(estimator, spec, task, inputs, center=chosen.get("fit_intercept", True))
    preprocess = ColumnTransformer(groups, sparse_threshold=0, verbose_feature_names_out=False)
    final = estimator.build(chosen, task, spec.seed)
    return Pipeline(
        [("preprocess", preprocess), ("estimate", _on_transformed(final, spec.target_transform))]
    )


def _groups(
    estimator: EstimatorSpec,
    spec: FitSpec,
    task: Task,
    inputs: Sequence[InputColumn],
    *,
    center: bool,
) -> list[Group]:
    wishes = spec.preprocessing
    treated = treatments(inputs, wishes, scale=estimator.scale)
    most = wishes.max_categories
    build: Mapping[FeatureRole, Callable[[Treatment, list[str]], Steps]] = {
        "numeric": lambda how, _: numeric_steps(how, center=center, seed=spec.seed),
        "categorical": lambda how, _: categorical_steps(
            how, task, most=most, center=center, seed=spec.seed
        ),
        "datetime": lambda how, names: datetime_steps(how, names, center=center),
        "text": lambda _, names: text_steps(names),
    }
    made = smoothed(wishes)
    alike: dict[Treatment, list[str]] = {}
    for name, treatment in treated.items():
        if name not in made:
            alike.setdefault(treatment, []).append(name)
    ordered = sorted(alike.items(), key=lambda pair: ROLES.index(pair[0].role))
    groups: list[Group] = [
        (how.role, Pipeline(build[how.role](how, names)), names) for how, names in ordered
    ]
    maker = Maker(treated, center=center, most=most, seed=spec.seed)
    groups += [
        (step.kind, Pipeline(maker.steps(step)), list(step.columns)) for step in wishes.features
    ]
    return [*_numbered(groups), *_marks(treated, made)]


def _numbered(groups: Sequence[Group]) -> list[Group]:
    """Groups of the same name are told apart by numbers."""
    seen: dict[str, int] = {}
    named: list[Group] = []
    for kind, steps, names in groups:
        seen[kind] = seen.get(kind, 0) + 1
        named.append((kind if seen[kind] == 1 else f"{kind} {seen[kind]}", steps, names))
    return named


def _marks(treated: Mapping[str, Treatment], made: set[str]) -> list[Group]:
    """Marks of missing values, where the columns' own steps do not make them."""
    names = [
        name for name, how in treated.items() if how.indicator and (how.marks_apart or name in made)
    ]
    marks = MissingIndicator(features="missing-only", error_on_new=False)
    return [("missing", Pipeline([("mark", marks)]), names)] if names else []


def _on_transformed(final: Any, transform: TargetTransform) -> Any:
    """The estimator, learning a transformed target and predicting the target itself."""
    match transform:
        case "none":
            return final
        case "log":
            return TransformedTargetRegressor(
                final, func=np.log, inverse_func=np.exp, check_inverse=False
            )
        case "yeo_johnson":
            return TransformedTargetRegressor(
                final, transformer=PowerTransformer(method="yeo-johnson"), check_inverse=False
            )
