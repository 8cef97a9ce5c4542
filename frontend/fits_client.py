"""Calls of the API about fits: runs, lists, results, and what is done with them afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from backend.core.schemas import Page
from backend.fits.metric_schemas import MetricList
from backend.fits.result_schemas import (
    CoefficientList,
    LogOut,
    PlotList,
    PlotOut,
    ReproductionList,
    ReproductionOut,
    ResidualPage,
    TrialList,
)
from backend.fits.schemas import (
    BulkOut,
    BulkRequest,
    EstimateOut,
    EstimatorList,
    FitCreate,
    FitOut,
    FitSummary,
)
from frontend.client import Api

NEWEST: Final = "-created_at"
BulkAction = Literal["cancel", "archive", "unarchive", "trash", "restore", "tag", "star", "unstar"]


@dataclass(frozen=True)
class FitQuery:
    """Which fits a list is about; what is empty does not matter."""

    state: str | None = None
    estimator: str | None = None
    project_id: int | None = None
    dataset_id: int | None = None
    mine: bool = False
    starred: bool = False
    archived: bool = False
    trashed: bool = False
    tag: str = ""
    search: str = ""
    sort: str = NEWEST
    limit: int = 100

    def parameters(self) -> dict[str, str | int]:
        """As query parameters, without those that are not set."""
        wanted = {
            "state": self.state,
            "estimator": self.estimator,
            "project_id": self.project_id,
            "dataset_id": self.dataset_id,
            "mine": "true" if self.mine else None,
            "starred": "true" if self.starred else None,
            "archived": "true" if self.archived else None,
            "trashed": "true" if self.trashed else None,
            "tag": self.tag or None,
            "search": self.search or None,
            "sort": None if self.sort == NEWEST else self.sort,
            "limit": self.limit,
        }
        return {name: value for name, value in wanted.items() if value is not None}


class FitsApi(Api):
    """Fits on behalf of one signed-in user."""

    # What can be asked for

    def estimators(self) -> EstimatorList:
        return self._get(EstimatorList, "/estimators")

    def metrics(self) -> MetricList:
        return self._get(MetricList, "/metrics")

    def estimate(self, wanted: FitCreate) -> EstimateOut:
        """How long it would take, by similar fits."""
        return self._post(EstimateOut, "/fits/estimate", json=wanted.model_dump(mode="json"))

    # Runs; `key` makes a repeated one the same

    def create_fit(self, wanted: FitCreate, *, key: str) -> FitOut:
        body = wanted.model_dump(mode="json", exclude_none=True)
        return self._post(FitOut, "/fits", json=body, headers=_once(key))

    def rerun_fit(
        self, fit_id: int, *, key: str, changes: Mapping[str, Any] | None = None
    ) -> FitOut:
        """The same again, or with changes of single fields."""
        path = f"/fits/{fit_id}/rerun"
        return self._post(FitOut, path, json=dict(changes or {}), headers=_once(key))

    def cancel_fit(self, fit_id: int) -> FitOut:
        return self._post(FitOut, f"/fits/{fit_id}/cancel")

    # Lists and single ones

    def fits(self, query: FitQuery) -> list[FitSummary]:
        return self.fit_page(query).items

    def fit_page(self, query: FitQuery, *, cursor: str | None = None) -> Page[FitSummary]:
        """One page, and the place of the next one."""
        place = {} if cursor is None else {"cursor": cursor}
        return self._get(Page[FitSummary], "/fits", **query.parameters(), **place)

    def fit(self, fit_id: int) -> FitOut:
        return self._get(FitOut, f"/fits/{fit_id}")

    # Results

    def plots(self, fit_id: int) -> PlotList:
        return self._get(PlotList, f"/fits/{fit_id}/plots")

    def plot(self, fit_id: int, kind: str) -> PlotOut:
        return self._get(PlotOut, f"/fits/{fit_id}/plots/{kind}")

    def residuals(self, fit_id: int, *, limit: int) -> ResidualPage:
        return self._get(ResidualPage, f"/fits/{fit_id}/residuals", limit=limit)

    def coefficients(self, fit_id: int) -> CoefficientList:
        return self._get(CoefficientList, f"/fits/{fit_id}/coefficients")

    def trials(self, fit_id: int) -> TrialList:
        return self._get(TrialList, f"/fits/{fit_id}/trials")

    def log(self, fit_id: int, *, after: int = 0) -> LogOut:
        """What was told after that event."""
        return self._get(LogOut, f"/fits/{fit_id}/log", after=after)

    # Repeat

    def reproductions(self, fit_id: int) -> ReproductionList:
        return self._get(ReproductionList, f"/fits/{fit_id}/reproductions")

    def reproduce(self, fit_id: int, *, key: str) -> ReproductionOut:
        """A second run, to see whether the same numbers come out."""
        path = f"/fits/{fit_id}/reproductions"
        return self._post(ReproductionOut, path, headers=_once(key))

    def cancel_reproduction(self, fit_id: int, number: int) -> None:
        """Ends a second run that waits or runs."""
        self._send("POST", f"/fits/{fit_id}/reproductions/{number}/cancel")

    # Organise

    def change_fit(self, fit_id: int, changes: Mapping[str, Any]) -> FitOut:
        """Only what is named changes."""
        answer = self._send("PATCH", f"/fits/{fit_id}", json=dict(changes))
        return FitOut.model_validate_json(answer.content)

    def star_fit(self, fit_id: int, *, starred: bool) -> None:
        self._send("PUT" if starred else "DELETE", f"/fits/{fit_id}/star")

    def trash_fit(self, fit_id: int) -> None:
        self._send("DELETE", f"/fits/{fit_id}")

    def restore_fit(self, fit_id: int) -> None:
        self._send("POST", f"/fits/{fit_id}/restore")

    def change_fits(
        self, ids: list[int], action: BulkAction, tags: Mapping[str, str] | None = None
    ) -> BulkOut:
        """One action over several: all or nothing."""
        wanted = BulkRequest(action=action, ids=ids, tags=dict(tags or {}))
        return self._post(BulkOut, "/fits/bulk", json=wanted.model_dump(mode="json"))


def _once(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}
