"""What the features of a fit must hold before anything is learnt from them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from backend.science.column_types import InputColumn
from backend.science.preprocessing.counts import require_few
from backend.science.preprocessing.domains import check_domains
from backend.science.preprocessing.treatments import treatment_of
from backend.science.refusal import FitRefused
from backend.science.spec import Preprocessing, TargetTransform
from backend.science.target import Target

# What `TfidfVectorizer` takes for a word.
_WORD: Final = re.compile(r"\b\w\w+\b")


def check_target(target: Target, transform: TargetTransform, name: str) -> None:
    """Refuse a target that its transform does not take.

    Parameters
    ----------
    target
        The known rows.
    transform
        Of the target.
    name
        The target's name.

    Raises
    ------
    FitRefused
        It holds classes, or numbers without a logarithm.
    """
    if transform == "none":
        return
    if target.task != "regression":
        raise FitRefused(f"{name} holds classes; only numbers are transformed.", name)
    if transform == "log" and (bad := int((target.values <= 0).sum())):
        raise FitRefused(
            f"The logarithm needs values of {name} above 0; {bad:,} of {len(target.values):,} "
            "are not.",
            name,
        )


def check_features(
    frame: pd.DataFrame, inputs: Sequence[InputColumn], wishes: Preprocessing
) -> None:
    """Refuse features that the preprocessing cannot take.

    Parameters
    ----------
    frame
        All rows that are learnt from or scored on.
    inputs
        Their description.
    wishes
        Of the fit.

    Raises
    ------
    FitRefused
        A column holds values that its transform does not take, a text holds no words, or the
        feature steps make too many features.
    """
    check_domains(frame, wishes)
    for column in inputs:
        if column.treated_as == "text" and not _has_words(frame[column.name]):
            raise FitRefused(f"{column.name} is a text without any words.", column.name)
    if wishes.features:
        require_few(wishes, _widths(frame, inputs, wishes))


def _has_words(values: "pd.Series[Any]") -> bool:
    return any(_WORD.search(value) for value in values.dropna())


def _widths(
    frame: pd.DataFrame, inputs: Sequence[InputColumn], wishes: Preprocessing
) -> Mapping[str, int]:
    """How many features each column gives to a feature step."""
    named = {name for step in wishes.features for name in step.columns}
    return {
        column.name: min(frame[column.name].nunique(), wishes.max_categories)
        if treatment_of(column, wishes, scale=False).role == "categorical"
        else 1
        for column in inputs
        if column.name in named
    }
