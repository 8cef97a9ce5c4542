"""What is wrong with a request for a fit, as far as that is known before it waits its turn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import FieldProblem, NotFound, Unprocessable, field_error
from backend.fits.repository import FitRepository
from backend.fits.schemas import FitCreate
from backend.fits.states import FitState
from backend.fits.target_checks import NUMBERS, known_task, target_problems
from backend.fits.validation_checks import validation_problems
from backend.science.catalogue import ESTIMATORS
from backend.science.column_types import LABEL, ColumnDescription
from backend.science.estimator_spec import EstimatorSpec
from backend.science.extras import ExtraMissing
from backend.science.metrics import METRICS
from backend.science.preprocessing.checks import check_preprocessing
from backend.science.search.space import check_reused, check_search
from backend.science.spec import FitSpec, SameRows, Task
from backend.tables import DatasetVersion

HOLDS: Final = {"table": "a table", "image": "images"}


class UnknownFit(Unprocessable):
    """The input names a fit that is not there, or not shared with you"""

    is_denial = True


Problem = tuple[Sequence[str | int], str]


def checked_spec(data: FitCreate, kind: str, version: DatasetVersion) -> FitSpec:
    """What the fit's process gets; a 422 names every field that cannot be right."""
    estimator = ESTIMATORS.get(data.estimator)
    if estimator is None:
        known = ", ".join(sorted(ESTIMATORS))
        raise field_error("estimator", msg=f"unknown estimator; known are {known}")
    columns = [ColumnDescription(**column) for column in version.columns]
    described = {column.name: column for column in columns}
    params, wrong = _checked_params(data, estimator)
    _refuse([*wrong, *_column_problems(data, described), *_kind_problems(data, estimator, kind)])
    spec = _spec(data, params)
    target = described[data.target]
    asked = estimator.asks_for(data.task, number=target.type in NUMBERS)
    task = known_task(target, asked)
    problems: list[Problem] = [
        *_task_problems(data, estimator, task),
        *target_problems(spec, target, version.rows, task),
        *validation_problems(spec.validation, described, target, version.rows, kind),
        *_metric_problems(data, estimator, task),
        *(
            (tuple(place)[1:], text)
            for place, text in check_preprocessing(spec, columns, estimator, task)
        ),
        *check_search(estimator, spec),
    ]
    if estimator.most_rows is not None:
        problems += _size_problems(estimator, spec, version.rows - target.nulls)
    _refuse_at(problems)
    return spec


async def split_to_use_again(
    session: AsyncSession, viewer: Viewer, spec: FitSpec, version: DatasetVersion
) -> str | None:
    """The stored split of the fit that `same_rows` names; None for other validations."""
    if not isinstance(spec.validation, SameRows):
        return None
    place = ("validation", "fit_id")
    try:
        fit = await FitRepository(session, viewer).get(spec.validation.fit_id)
    except NotFound:
        msg = "there is no such fit"
        problem = FieldProblem(loc=["body", *place], msg=msg, type="value_error")
        raise UnknownFit(msg, errors=[problem]) from None
    if fit.state != FitState.SUCCEEDED:
        raise field_error(*place, msg=f"that fit is {fit.state}; it has no split to use again")
    if fit.dataset_version_id != version.id:
        raise field_error(*place, msg="that fit is of another dataset version")
    if "split" not in fit.artifacts:
        raise field_error(*place, msg="that fit has no split: it learnt from all rows")
    folds = len(fit.outcome.get("fold_metrics", ()))
    _refuse_at(check_reused(ESTIMATORS[spec.estimator], spec, folds))
    return str(fit.artifacts["split"])


def asked_params(data: FitCreate) -> dict[str, Any]:
    """All parameters as the estimator gets them; none of an estimator that nobody knows."""
    estimator = ESTIMATORS.get(data.estimator)
    if estimator is None:
        return {}
    params, wrong = _checked_params(data, estimator)
    _refuse(wrong)
    return params


def _refuse_at(problems: Sequence[Problem]) -> None:
    _refuse(
        [FieldProblem(loc=["body", *loc], msg=msg, type="value_error") for loc, msg in problems]
    )


def _refuse(problems: Sequence[FieldProblem]) -> None:
    if problems:
        first = problems[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        named = f"{where}: {first['msg']}" if first["loc"][1] == "params" else first["msg"]
        raise Unprocessable(named, errors=list(problems))


def _checked_params(
    data: FitCreate, estimator: EstimatorSpec
) -> tuple[dict[str, Any], list[FieldProblem]]:
    """Those of the preset, changed by those given, with defaults filled in."""
    preset: Mapping[str, Any] = {} if data.preset is None else estimator.presets[data.preset]
    given = {**preset, **data.params}
    try:
        found = estimator.Params.model_validate({**given, **_whole_numbers(estimator, given)})
    except ValidationError as error:
        return {}, _problems_of(error, "params")
    return found.model_dump(mode="json"), []


def _whole_numbers(estimator: EstimatorSpec, given: Mapping[str, Any]) -> dict[str, int]:
    """JSON may write 1e9 for a whole number: then the bound is what is wrong, not the type."""
    kinds = estimator.Params.model_json_schema().get("properties", {})
    return {
        name: int(value)
        for name, value in given.items()
        if isinstance(value, float)
        and value.is_integer()
        and kinds.get(name, {}).get("type") == "integer"
    }


def _problems_of(error: ValidationError, *place: str) -> list[FieldProblem]:
    return [
        FieldProblem(loc=["body", *place, *entry["loc"]], msg=entry["msg"], type=entry["type"])
        for entry in error.errors()
    ]


def _spec(data: FitCreate, params: dict[str, Any]) -> FitSpec:
    try:
        return FitSpec(
            target=data.target,
            features=None if data.features is None else tuple(data.features),
            task=data.task,
            estimator=data.estimator,
            params=params,
            preprocessing=data.preprocessing,
            target_transform=data.target_transform,
            class_weight=data.class_weight,
            weights=data.weights,
            validation=data.validation,
            search=data.search,
            main_metric=data.main_metric,
            seed=data.seed,
        )
    except ValidationError as error:
        problems = _problems_of(error)
        raise Unprocessable(problems[0]["msg"], errors=problems) from None


def _problem(*loc: str | int, msg: str) -> FieldProblem:
    return FieldProblem(loc=["body", *loc], msg=msg, type="value_error")


def _column_problems(
    data: FitCreate, described: Mapping[str, ColumnDescription]
) -> Iterator[FieldProblem]:
    """Names in the request must be columns of the version, each with one job."""
    column = getattr(data.validation, "column", None)
    named: list[tuple[tuple[str | int, ...], str | None]] = [
        (("target",), data.target),
        (("weights",), data.weights),
        (("validation", "column"), column),
        *((("features", place), name) for place, name in enumerate(data.features or ())),
    ]
    for loc, name in named:
        if name is not None and name not in described:
            yield _problem(*loc, msg=f"the dataset has no column {name!r}")
    features = data.features or ()
    if data.target in features:
        place = features.index(data.target)
        yield _problem("features", place, msg="the target cannot be a feature")
    if len(set(features)) < len(features):
        yield _problem("features", msg="a feature stands twice")
    if column == data.target:
        yield _problem("validation", "column", msg="the target cannot order or group the rows")
    if data.validation.kind == "group" and column in features:
        yield _problem("validation", "column", msg="a feature cannot name the groups")


def _kind_problems(data: FitCreate, estimator: EstimatorSpec, kind: str) -> Iterator[FieldProblem]:
    """The estimator must learn from what the dataset holds, and be installed."""
    if estimator.data != kind:
        holds = f"{estimator.title} learns from {HOLDS[estimator.data]}"
        yield _problem("estimator", msg=f"{holds}, the dataset is {HOLDS[kind]}")
    if kind == "image" and data.target != LABEL:
        yield _problem("target", msg=f"of images the {LABEL} is predicted")
    if estimator.requires is not None and not estimator.available:
        yield _problem("estimator", msg=str(ExtraMissing(estimator.requires)))


def _task_problems(
    data: FitCreate, estimator: EstimatorSpec, task: Task | None
) -> Iterator[Problem]:
    wanted = task or data.task
    if wanted is not None and wanted not in estimator.tasks:
        place = "task" if data.task is not None else "estimator"
        does = ", ".join(sorted(estimator.tasks))
        yield (place,), f"{estimator.title} does not do {wanted}, but {does}"


def _metric_problems(
    data: FitCreate, estimator: EstimatorSpec, task: Task | None
) -> Iterator[Problem]:
    if data.main_metric is None:
        return
    known = [name for name, spec in METRICS.items() if task is None or task in spec.tasks]
    if "quantile" not in estimator.Params.model_fields:
        known = [name for name in known if "pinball" not in name]
    if data.main_metric not in known:
        what = "" if task is None else f" of {task}"
        yield ("main_metric",), f"unknown metric{what}; known are {', '.join(known)}"


def _size_problems(estimator: EstimatorSpec, spec: FitSpec, rows: int) -> Iterator[Problem]:
    """Of the rows to learn from, a hold-out leaves the fewest."""
    fewest = rows
    if spec.validation.kind == "holdout":
        fewest = int(rows * (1 - spec.validation.test_size))
    if spec.validation.kind in ("same_rows", "time") or estimator.most_rows is None:
        return
    if fewest > estimator.most_rows:
        yield ("estimator",), estimator.too_many(fewest)
