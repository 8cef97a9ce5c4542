"""What is wrong with the wishes for preprocessing, as far as the columns' descriptions tell."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Final

from backend.science.column_types import (
    LARGEST_NUMBER,
    NUMERIC_TYPES,
    ColumnDescription,
    FeatureRole,
)
from backend.science.estimator_spec import EstimatorSpec
from backend.science.moments import days_since_1970
from backend.science.preprocessing.counts import MOST_MADE, count_made, products
from backend.science.preprocessing.treatments import TEMPORAL, USUAL, role_of
from backend.science.spec import ColumnTreatment, FitSpec, Interactions, Spline, Task

Problem = tuple[list[str | int], str]
PREPROCESSING: Final[tuple[str | int, ...]] = ("body", "preprocessing")
MOST_WEIGHT: Final = 1e9
WEIGHT_TYPES: Final = ("number", "integer", "boolean")
# What may be chosen for a column of each role.
IMPUTES: Final[Mapping[FeatureRole, frozenset[str]]] = {
    "numeric": frozenset({"median", "mean", "most_frequent", "constant", "drop_rows"}),
    "categorical": frozenset({"most_frequent", "constant", "drop_rows"}),
    "datetime": frozenset({"median", "mean", "most_frequent", "constant", "drop_rows"}),
    "text": frozenset({"drop_rows"}),
}


def check_preprocessing(
    spec: FitSpec,
    columns: Sequence[ColumnDescription],
    estimator: EstimatorSpec,
    task: Task | None = None,
) -> list[Problem]:
    """Everything that can be known before the data are read.

    Parameters
    ----------
    spec
        The fit.
    columns
        Of the table.
    estimator
        Of the fit.
    task
        What the target is predicted as, where that is known.

    Returns
    -------
    list of (location in the request, message)
    """
    described = {column.name: column for column in columns}
    features = _features(spec, columns)
    return [
        *_columns(spec, described, features),
        *_steps(spec, described, features),
        *_target(spec, task),
        *_class_weights(spec, estimator, task),
        *_weights(spec, described, estimator),
    ]


def _features(spec: FitSpec, columns: Sequence[ColumnDescription]) -> frozenset[str]:
    if spec.features is not None:
        return frozenset(spec.features)
    return frozenset(
        column.name
        for column in columns
        if column.left_out_because is None and column.name not in (spec.target, spec.weights)
    )


def _columns(
    spec: FitSpec, described: Mapping[str, ColumnDescription], features: frozenset[str]
) -> Iterator[Problem]:
    for name, wish in spec.preprocessing.columns.items():
        place: list[str | int] = [*PREPROCESSING, "columns", name]
        if name not in described:
            yield place, f"The dataset has no column {name!r}."
        elif name not in features:
            yield place, f"{name} is no feature of this fit."
        else:
            column = described[name]
            problem = _role_problem(column, wish)
            if problem is not None:
                yield [*place, "role"], problem
                continue
            role = role_of(column, wish)
            for field, message in _wish_problems(column, wish, role):
                yield [*place, field], message


def _role_problem(column: ColumnDescription, wish: ColumnTreatment) -> str | None:
    kind = f"{column.name} holds {column.type} values"
    if column.type == "image" and wish.role is not None:
        return f"{kind}, which have no role to choose."
    if wish.role == "numeric" and column.type not in NUMERIC_TYPES:
        return f"{kind}; a numeric column needs numbers. Cast it with a recipe first."
    if wish.role == "datetime" and column.type not in TEMPORAL:
        return f"{kind}; a datetime column needs dates. Cast it with a recipe first."
    if wish.role == "text" and column.type != "string":
        return f"{kind}; a text column needs texts."
    return None


def _wish_problems(
    column: ColumnDescription, wish: ColumnTreatment, role: FeatureRole
) -> Iterator[tuple[str, str]]:
    name = column.name
    if wish.impute is not None and wish.impute not in IMPUTES[role]:
        allowed = ", ".join(sorted(IMPUTES[role]))
        yield "impute", f"{name} is {role}, which takes {allowed}; not {wish.impute}."
    if wish.impute == "constant" and wish.fill_value is None:
        yield "fill_value", "A constant needs the value to fill in."
    if wish.fill_value is not None:
        problem = _fill_problem(column, wish, role)
        if problem is not None:
            yield "fill_value", problem
    if wish.transform not in (None, "none"):
        if role != "numeric":
            yield "transform", f"{name} is {role}; only numbers are transformed."
        elif column.type not in ("number", "integer"):
            yield "transform", f"{name} holds {column.type} values; only numbers are transformed."
    if wish.encode is not None and role != "categorical":
        yield "encode", f"{name} is {role}; only categories are encoded."
    one_hot = role == "categorical" and wish.encode in (None, "one_hot")
    if wish.scale not in (None, "none") and (role == "text" or one_hot):
        what = "texts" if role == "text" else "categories of their own"
        yield "scale", f"{name} becomes {what}, which are not scaled."


def _fill_problem(
    column: ColumnDescription, wish: ColumnTreatment, role: FeatureRole
) -> str | None:
    value = wish.fill_value
    if wish.impute != "constant":
        return "Only a constant takes a value to fill in."
    if role == "datetime":
        return None if _is_moment(value) else "A date is filled with a date in ISO 8601."
    if column.type not in NUMERIC_TYPES:
        return None if isinstance(value, str) else f"{column.name} is filled with a text."
    if not isinstance(value, float):
        return f"{column.name} is filled with a number."
    if abs(value) > LARGEST_NUMBER:
        return f"At most {LARGEST_NUMBER:.0e}."
    lowest = {"log": 0.0, "sqrt": -0.0}.get(wish.transform or "none", -inf)
    if value < lowest or (value == 0 and wish.transform == "log"):
        needed = "greater than 0" if wish.transform == "log" else "0 or greater"
        return f"The transform {wish.transform} needs numbers {needed}."
    return None


def _is_moment(value: float | str | None) -> bool:
    if not isinstance(value, str):
        return False
    try:
        days_since_1970(value)
    except ValueError:
        return False
    return True


def _steps(
    spec: FitSpec, described: Mapping[str, ColumnDescription], features: frozenset[str]
) -> Iterator[Problem]:
    wishes = spec.preprocessing
    widths = {
        name: min(column.distinct or 1, wishes.max_categories)
        if role_of(column, wishes.columns.get(name, USUAL)) == "categorical"
        else 1
        for name, column in described.items()
    }
    made = 0
    pairs: set[tuple[str, str]] = set()
    smooth: set[str] = set()
    for number, step in enumerate(wishes.features):
        place: list[str | int] = [*PREPROCESSING, "features", number, "columns"]
        problems = [
            _step_problem(spec, described.get(name), name, features, step.kind)
            for name in step.columns
        ]
        found = [problem for problem in problems if problem is not None]
        if len(set(step.columns)) < len(step.columns):
            found.append("A column is named twice.")
        if isinstance(step, Spline):
            again = sorted(smooth.intersection(step.columns))
            smooth |= set(step.columns)
            found += [f"{name} has a spline already." for name in again]
        for one, other in sorted(products(step) & pairs):
            found.append(f"Another step makes {one} times {other} already.")
        pairs |= products(step)
        yield from ((place, problem) for problem in found)
        if not found:
            made += count_made(step, widths)
    if made > MOST_MADE:
        yield (
            [*PREPROCESSING, "features"],
            f"The steps make {made:,} features; at most {MOST_MADE:,}. "
            "Take fewer columns, a lower degree or fewer categories.",
        )


def _step_problem(
    spec: FitSpec,
    column: ColumnDescription | None,
    name: str,
    features: frozenset[str],
    kind: str,
) -> str | None:
    if column is None:
        return f"The dataset has no column {name!r}."
    if name not in features:
        return f"{name} is no feature of this fit."
    role = role_of(column, spec.preprocessing.columns.get(name, USUAL))
    if kind == Interactions.model_fields["kind"].default:
        if role in ("numeric", "categorical"):
            return None
        return f"{name} is {role}; interactions take numbers and categories."
    return None if role == "numeric" else f"{name} is {role}; the step {kind} takes numbers."


def _target(spec: FitSpec, task: Task | None) -> Iterator[Problem]:
    if spec.target_transform != "none" and task not in (None, "regression"):
        message = f"{spec.target} is predicted as classes; only numbers are transformed."
        yield ["body", "target_transform"], message


def _class_weights(spec: FitSpec, estimator: EstimatorSpec, task: Task | None) -> Iterator[Problem]:
    if spec.class_weight == "none":
        return
    place: list[str | int] = ["body", "class_weight"]
    if task == "regression":
        yield place, f"{spec.target} is a number; it has no classes."
    elif not estimator.takes_weights:
        yield place, f"{estimator.title} takes no weights."
    elif isinstance(spec.class_weight, dict):
        for name, weight in spec.class_weight.items():
            if not 0 <= weight <= MOST_WEIGHT:
                message = f"A weight is 0 or greater, and at most {MOST_WEIGHT:.0e}."
                yield [*place, name], message


def _weights(
    spec: FitSpec, described: Mapping[str, ColumnDescription], estimator: EstimatorSpec
) -> Iterator[Problem]:
    if spec.weights is None:
        return
    place: list[str | int] = ["body", "weights"]
    if spec.weights not in described:
        yield place, f"The dataset has no column {spec.weights!r}."
    elif spec.weights == spec.target:
        yield place, "The target cannot hold the weights."
    elif spec.features is not None and spec.weights in spec.features:
        yield place, f"{spec.weights} is a feature, so it cannot hold the weights."
    elif not estimator.takes_weights:
        yield place, f"{estimator.title} takes no weights."
    else:
        problem = _weight_problem(described[spec.weights], described.get(spec.target))
        if problem is not None:
            yield place, problem


def _weight_problem(column: ColumnDescription, target: ColumnDescription | None) -> str | None:
    if column.type not in WEIGHT_TYPES:
        return f"{column.name} holds {column.type} values; weights are numbers."
    # A row without a target needs no weight; which rows these are is known when they are read.
    if column.nulls and target is not None and not target.nulls:
        return f"{column.name} holds the weights, but {column.nulls:,} are missing."
    return None
