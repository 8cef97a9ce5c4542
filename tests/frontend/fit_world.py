"""What the stand-in for the API knows about fits besides the fits themselves."""

from dataclasses import dataclass, field
from typing import Any, Literal

from backend.fits.leaderboard_schemas import LeaderboardCreate, LeaderboardOut
from backend.fits.metric_schemas import MetricList, MetricOut
from backend.fits.result_schemas import (
    CoefficientList,
    CoefficientOut,
    EventOut,
    ReproductionOut,
    TrialList,
    TrialOut,
)
from backend.fits.schemas import BulkRequest, EstimateOut


@dataclass
class FitDesk:
    """What is asked for and told about fits."""

    asked: list[str] = field(default_factory=list)
    """The queries of lists, the newest last."""
    page_size: int = 100
    estimate: EstimateOut = field(default_factory=lambda: EstimateOut(seconds=4.2, fits=3))
    estimated: list[dict[str, Any]] = field(default_factory=list)
    reruns: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    bulk: list[BulkRequest] = field(default_factory=list)
    events: dict[int, list[EventOut]] = field(default_factory=dict)
    trials: dict[int, TrialList] = field(default_factory=dict)
    coefficients: dict[int, CoefficientList] = field(default_factory=dict)
    reproductions: dict[int, list[ReproductionOut]] = field(default_factory=dict)
    second_runs_end: Literal["identical", "running"] = "identical"
    boards: dict[int, LeaderboardOut] = field(default_factory=dict)
    sent_boards: list[LeaderboardCreate] = field(default_factory=list)


def metric(name: str, title: str, tasks: list[str], *, greater: bool = True) -> MetricOut:
    return MetricOut.model_validate(
        {
            "name": name,
            "title": title,
            "tasks": tasks,
            "greater_is_better": greater,
            "description": f"What {title} says.",
        }
    )


CLASSES = ["binary", "multiclass"]
METRICS = MetricList(
    items=[
        metric("r2", "R²", ["regression"]),
        metric("rmse", "Root mean squared error", ["regression"], greater=False),
        metric("mae", "Mean absolute error", ["regression"], greater=False),
        metric("accuracy", "Accuracy", CLASSES),
        metric("log_loss", "Log loss", CLASSES, greater=False),
    ]
)


def make_trials(count: int) -> TrialList:
    """A search in which each second trial is better than those before."""
    scores = [0.5 + 0.01 * number - 0.05 * (number % 2) for number in range(count)]
    return TrialList(
        items=[
            TrialOut(
                number=number,
                params={"n_estimators": 50 + number},
                state="scored",
                score=score,
                spread=0.02,
                seconds=0.5,
                message=None,
                best_so_far=max(scores[: number + 1]),
            )
            for number, score in enumerate(scores)
        ],
        metric="r2",
        greater_is_better=True,
        best_number=scores.index(max(scores)),
    )


def make_coefficients(**more: Any) -> CoefficientList:
    """Two terms of ordinary least squares."""
    terms = [("(Intercept)", -5780.8, None), ("flipper_length_mm", 49.69, 1.03)]
    values: dict[str, Any] = {
        "items": [
            CoefficientOut(
                term=term,
                of_class=None,
                estimate=estimate,
                standard_error=1.5,
                statistic=estimate / 1.5,
                p_value=0.001,
                ci_low=estimate - 3,
                ci_high=estimate + 3,
                vif=vif,
            )
            for term, estimate, vif in terms
        ],
        "rows": 273,
        "references": {"species": "Adelie"},
        "covariance": "classical",
        "distribution": "t",
        "degrees_of_freedom": 271,
        "residual_standard_error": 394.3,
        "r2": 0.759,
        "adjusted_r2": 0.758,
        "f_statistic": 1071.0,
        "aic": 5062.9,
        "bic": 5070.6,
        "condition_number": 2890.0,
        "rank": 2,
        "terms": 2,
        "warnings": [],
    }
    return CoefficientList.model_validate({**values, **more})
