"""A fit as it is answered."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from backend.fits.claiming import queue_positions
from backend.fits.schemas import FitOut
from backend.fits.states import FitState
from backend.tables import Fit


def _mlflow_url(fit: Fit, mlflow: str) -> str | None:
    if fit.mlflow_run_id is None:
        return None
    return f"{mlflow}/#/experiments/{fit.mlflow_experiment_id}/runs/{fit.mlflow_run_id}"


def _seconds(fit: Fit) -> float | None:
    if fit.finished_at is None or fit.started_at is None:
        return None
    return (fit.finished_at - fit.started_at).total_seconds()


def _asked(fit: Fit) -> dict[str, Any]:
    """The experiment, with what the fit itself settled of it."""
    spec = fit.spec
    return {
        "task": fit.task or spec["task"],
        "estimator": fit.estimator,
        "params": spec["params"],
        "target": fit.target,
        "features": fit.features or spec["features"],
        "validation": spec["validation"],
        "seed": spec["seed"],
        # Fits of earlier releases said nothing of these.
        "preprocessing": spec.get("preprocessing", {}),
        "target_transform": spec.get("target_transform", "none"),
        "class_weight": spec.get("class_weight", "none"),
        "weights": spec.get("weights"),
        "search": spec.get("search"),
    }


def _found(fit: Fit) -> dict[str, Any]:
    """What came out; empty until then."""
    outcome = fit.outcome
    return {
        "metrics": fit.metrics,
        "baseline_metrics": fit.baseline_metrics,
        "main_metric": fit.main_metric,
        "metric_spread": outcome.get("metric_spread", {}),
        "metric_intervals": outcome.get("metric_intervals", {}),
        "fold_metrics": outcome.get("fold_metrics", []),
        "best_params": outcome.get("best_params"),
        "excluded": outcome.get("excluded", []),
        "rows_used": outcome.get("rows_used"),
        "rows_holdout": outcome.get("rows_holdout"),
        "warnings": fit.warnings,
        "environment": fit.environment,
    }


def fit_out(fit: Fit, *, mlflow: str, position: int | None = None) -> FitOut:
    """All that is known about a fit; `position` is of one that waits."""
    return FitOut.model_validate(
        {
            **_asked(fit),
            **_found(fit),
            "id": fit.id,
            "name": fit.name,
            "project_id": fit.project_id,
            "state": fit.state,
            "progress": fit.progress,
            "progress_message": fit.progress_message,
            "position": position,
            "attempt": fit.attempt,
            "dataset_id": fit.dataset_id,
            "dataset_name": fit.dataset.name,
            "version": fit.dataset_version.version,
            "dataset_digest": fit.dataset_version.content_digest,
            "rerun_of": fit.rerun_of,
            "leaderboard_id": fit.leaderboard_id,
            "priority": "high" if fit.priority > 0 else "normal",
            "limits": {
                "seconds": fit.time_limit_seconds,
                "memory_bytes": fit.memory_limit_bytes,
            },
            "estimated_seconds": fit.estimated_seconds,
            "peak_memory_bytes": fit.peak_memory_bytes,
            "notes": fit.notes,
            "starred": bool(fit.starred),
            "archived_at": fit.archived_at,
            "trashed_at": fit.trashed_at,
            "tracking": fit.tracking,
            "mlflow_run_id": fit.mlflow_run_id,
            "mlflow_url": _mlflow_url(fit, mlflow),
            "error": fit.error,
            "created_by": fit.creator.username,
            "created_at": fit.created_at,
            "started_at": fit.started_at,
            "finished_at": fit.finished_at,
            "seconds": _seconds(fit),
            "tags": fit.tags,
        }
    )


async def described(session: AsyncSession, fit: Fit, mlflow: str) -> FitOut:
    """With its place among those that wait."""
    position = None
    if fit.state == FitState.QUEUED:
        position = (await queue_positions(session, [fit.id])).get(fit.id)
    return fit_out(fit, mlflow=mlflow, position=position)
