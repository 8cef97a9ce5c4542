"""The scikit-learn parts that prepare columns of one treatment.

Only parts of scikit-learn, pandas, numpy and the standard library: a stored pipeline loads where
this package is not installed.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter, methodcaller
from typing import Any, Final

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from backend.science.moments import SECONDS_PER_DAY, days_since_1970
from backend.science.preprocessing.treatments import Treatment
from backend.science.spec import Task

MOST_WORDS: Final = 200
QUANTILES: Final = 100
TARGET_FOLDS: Final = 5
# Missing values of a text are a text without words.
NO_WORDS: Final = ""
CALENDAR: Final[dict[str, str]] = {
    "year": "dt.year",
    "month": "dt.month",
    "day": "dt.day",
    "weekday": "dt.day_of_week",
}
CLOCK: Final[dict[str, str]] = {"hour": "dt.hour"}
TARGET_KINDS: Final[Mapping[Task, str]] = {
    "regression": "continuous",
    "binary": "binary",
    "multiclass": "multiclass",
}
Steps = list[tuple[str, Any]]


def numeric_steps(treatment: Treatment, *, center: bool, seed: int) -> Steps:
    """Impute, transform, scale.

    Parameters
    ----------
    treatment
        Of the columns.
    center
        Whether scaling may move zero.
    seed
        Of the fit.
    """
    own_marks = treatment.indicator and not treatment.marks_apart
    return [
        ("impute", imputer(treatment, indicator=own_marks)),
        *transform_steps(treatment, seed),
        *scale_steps(treatment, center=center),
    ]


def imputer(treatment: Treatment, *, indicator: bool | None = None) -> SimpleImputer:
    """Fills missing values by what the training rows tell, and marks them.

    Parameters
    ----------
    treatment
        Of the columns.
    indicator
        Whether to mark them, where that differs from the treatment.
    """
    fill: Any = treatment.fill_value if treatment.impute == "constant" else None
    if treatment.role == "datetime" and isinstance(fill, str):
        fill = days_since_1970(fill)
    elif treatment.number and fill is not None:
        fill = float(fill)
    return SimpleImputer(
        strategy=treatment.impute,
        fill_value=fill,
        add_indicator=treatment.indicator if indicator is None else indicator,
        keep_empty_features=True,
    )


def transform_steps(treatment: Treatment, seed: int) -> Steps:
    """The change of shape of numbers, if any.

    Parameters
    ----------
    treatment
        Of the columns.
    seed
        Of the fit.
    """
    if treatment.transform == "none":
        return []
    functions = {"log": np.log, "sqrt": np.sqrt}
    if treatment.transform in functions:
        return [("transform", elementwise(functions[treatment.transform]))]
    if treatment.transform == "yeo_johnson":
        return [("transform", PowerTransformer(method="yeo-johnson"))]
    shaped = QuantileTransformer(
        n_quantiles=QUANTILES, output_distribution="normal", random_state=seed
    )
    return [("transform", shaped)]


def scale_steps(treatment: Treatment, *, center: bool) -> Steps:
    """Scaling, if any; without an intercept a model goes through the origin, which must stay.

    Parameters
    ----------
    treatment
        Of the columns.
    center
        Whether scaling may move zero.
    """
    match treatment.scale:
        case "standard":
            return [("scale", StandardScaler(with_mean=center))]
        case "robust":
            return [("scale", RobustScaler(with_centering=center))]
        case "minmax":
            return [("scale", MinMaxScaler())]
        case "none":
            return []


def categorical_steps(
    treatment: Treatment, task: Task, *, most: int, center: bool, seed: int
) -> Steps:
    """Impute, encode, and scale what is a number then.

    Parameters
    ----------
    treatment
        Of the columns.
    task
        Of the fit.
    most
        Categories with a feature of their own; rarer ones share one, as do unseen ones.
    center
        Whether scaling may move zero.
    seed
        Of the fit.
    """
    return [
        ("impute", imputer(treatment)),
        ("encode", _encoder(treatment, task, most, seed)),
        *scale_steps(treatment, center=center),
    ]


def one_hot(most: int) -> OneHotEncoder:
    """A feature per category; rarer ones share one, as do unseen ones."""
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=most, sparse_output=False
    )


def _encoder(treatment: Treatment, task: Task, most: int, seed: int) -> Any:
    if treatment.encode == "one_hot":
        return one_hot(most)
    if treatment.encode == "ordinal":
        return OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, max_categories=most
        )
    # In training each row is encoded by the targets of other rows.
    others = KFold(TARGET_FOLDS, shuffle=True, random_state=seed)
    return TargetEncoder(target_type=TARGET_KINDS[task], cv=others)


def datetime_steps(treatment: Treatment, names: Sequence[str], *, center: bool) -> Steps:
    """Impute, expand into the calendar, leave out what never varies, scale.

    Parameters
    ----------
    treatment
        Of the columns.
    names
        The columns: days since 1970.
    center
        Whether scaling may move zero.
    """
    columns = list(names)
    fields = [
        (name, elementwise(methodcaller("apply", attrgetter(path))), columns)
        for name, path in (CALENDAR | CLOCK if treatment.clock else CALENDAR).items()
    ]
    calendar = ColumnTransformer(
        [("days", _days(), columns), *fields],
        verbose_feature_names_out="{feature_name}: {transformer_name}",
    )
    return [
        ("impute", imputer(treatment, indicator=False).set_output(transform="pandas")),
        ("seconds", elementwise(methodcaller("mul", SECONDS_PER_DAY))),
        ("round", elementwise(np.rint)),
        ("moment", elementwise(methodcaller("astype", "datetime64[s]"))),
        ("calendar", calendar),
        ("varying", VarianceThreshold()),
        *scale_steps(treatment, center=center),
    ]


def _days() -> Pipeline:
    return Pipeline(
        [
            ("seconds", elementwise(methodcaller("astype", "int64"))),
            ("days", elementwise(methodcaller("truediv", SECONDS_PER_DAY))),
        ]
    )


def text_steps(names: Sequence[str]) -> Steps:
    """Weights of words, for each column on its own.

    Parameters
    ----------
    names
        The columns.
    """
    # The names of steps may not hold two underscores, and nothing that the class knows already.
    parts = [
        (f"word {number} of {name.replace('__', '_')}", _words(), name)
        for number, name in enumerate(names, 1)
    ]
    words = ColumnTransformer(
        parts, sparse_threshold=0, verbose_feature_names_out="{transformer_name}: {feature_name}"
    )
    return [("words", words)]


def _words() -> Pipeline:
    return Pipeline(
        [
            ("fill", elementwise(methodcaller("fillna", NO_WORDS))),
            ("weigh", TfidfVectorizer(max_features=MOST_WORDS)),
        ]
    )


def elementwise(function: Any) -> FunctionTransformer:
    """Applies a function that a pickle can name to every value."""
    return FunctionTransformer(function, feature_names_out="one-to-one")
