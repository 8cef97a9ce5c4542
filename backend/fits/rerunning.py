"""The same fit once more, as it was or with changes."""

from typing import Any, NamedTuple

from pydantic import ValidationError

from backend.core.errors import FieldProblem, Unprocessable
from backend.fits.schemas import FitCreate
from backend.science.spec import FitSpec, SameRows
from backend.tables import Fit


class KeptRows(NamedTuple):
    """Which rows are learnt from, where that does not follow from the request."""

    split_sha256: str | None
    withheld: dict[str, Any] | None


def kept_rows(fit: Fit, spec: FitSpec, version_id: int) -> KeptRows | None:
    """Those of the first time, also where the fit that named them is gone; None for others."""
    then = FitSpec.model_validate(fit.spec)
    unchanged = (fit.dataset_version_id, then.target, then.validation)
    if unchanged != (version_id, spec.target, spec.validation):
        return None
    same_search = (then.estimator, then.search) == (spec.estimator, spec.search)
    if isinstance(spec.validation, SameRows) and spec.search is not None and not same_search:
        # Whether the folds bear another search is asked of the fit that has them.
        return None
    return KeptRows(fit.split_sha256, fit.withheld)


def rerun_request(fit: Fit, changes: dict[str, Any]) -> FitCreate:
    """What was asked then, with changes; refused where the changes make no sense."""
    spec = FitSpec.model_validate(fit.spec)
    request = {
        **spec.model_dump(mode="json"),
        "dataset_id": fit.dataset_id,
        "version": fit.dataset_version.version,
        "limits": {"seconds": fit.time_limit_seconds, "memory_bytes": fit.memory_limit_bytes},
        "tags": fit.tags,
        **_given_up(spec, changes),
        **changes,
    }
    try:
        return FitCreate.model_validate(request)
    except ValidationError as error:
        problems = [
            FieldProblem(loc=["body", *entry["loc"]], msg=entry["msg"], type=entry["type"])
            for entry in error.errors()
        ]
        raise Unprocessable(problems[0]["msg"], errors=problems) from None


def _given_up(spec: FitSpec, changes: dict[str, Any]) -> dict[str, Any]:
    """What goes with something that was changed, where the caller says nothing about it."""
    given_up: dict[str, Any] = {}
    if "estimator" in changes or "preset" in changes:
        given_up["params"] = {}
    if "estimator" in changes and spec.search is not None:
        given_up["search"] = {**spec.search.model_dump(mode="json"), "space": None}
    if "dataset_id" in changes:
        given_up["version"] = None
    if "target" in changes or "task" in changes:
        given_up["main_metric"] = None
    if "target" in changes:
        given_up["task"] = None
    return given_up
