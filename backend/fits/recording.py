"""A finished fit, told to MLflow by the `track` job: from our store, so MLflow may be late."""

import asyncio
import json
import logging
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pgqueuer.domain.errors import RetryRequested
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import SYSTEM
from backend.core.db import transaction
from backend.fits import attempts
from backend.fits.repository import FitRepository
from backend.fits.withdrawing import recording_lock
from backend.jobs.registry import WorkerContext
from backend.jobs.retry import LONGEST_WAIT, try_again
from backend.projects.mirroring import Readership, project_readers, share_again
from backend.storage.blobs import BlobMissing
from backend.tables import DatasetVersion, Fit
from backend.tracking.calls import WAIT_FOR_REPAIR, call_mlflow, require_mlflow
from backend.tracking.port import FitRecord, RecordedRun

_log = logging.getLogger(__name__)
RECORD_PROGRAM: Final = "backend.tracking.mlflow:record_request"
# Until what was moved is withdrawn, which a chore does every second.
MOMENT: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What MLflow is told of a fit, and which move of it that is about."""

    told: FitRecord
    readers: Readership
    moves: int


async def record(context: WorkerContext, fit_id: int) -> None:
    """Record one fit; raises to put the job back while MLflow is away."""
    async with transaction(context.sessions) as session:
        if not (await session.execute(select(recording_lock(fit_id)))).scalar_one():
            raise try_again(LONGEST_WAIT, "another worker records this fit")
        await require_mlflow(context.settings)
        await _record(context, fit_id)


async def _record(context: WorkerContext, fit_id: int) -> None:
    with tempfile.TemporaryDirectory(prefix="goodfit-track-") as name:
        prepared = await prepare_record(context, fit_id, Path(name))
        if prepared is None:
            return
        content = {"record": prepared.told.model_dump(mode="json")}
        try:
            answer = await call_mlflow(context, RECORD_PROGRAM, content)
        except RetryRequested:
            # What was moved meanwhile is withdrawn under the recorder's hands.
            async with transaction(context.sessions) as session:
                await require_unmoved(session, fit_id, prepared)
            raise
    run = RecordedRun.model_validate(answer)
    async with transaction(context.sessions) as session:
        await require_unmoved(session, fit_id, prepared)
        await attempts.recorded(session, fit_id, run_id=run.run_id, experiment_id=run.experiment_id)
        await share_again(session, prepared.readers)
    _log.info("fit recorded", extra={"fit_id": fit_id, "run_id": run.run_id})


async def require_unmoved(session: AsyncSession, fit_id: int, prepared: Prepared) -> None:
    """Start over where the fit was moved since; it stays where it is until the transaction ends."""
    # Without a repository: a join with its project would not find what was moved meanwhile.
    locked = select(Fit.moves).where(Fit.id == fit_id).with_for_update()
    if (await session.execute(locked)).scalar_one() != prepared.moves:
        raise try_again(MOMENT, "the fit was moved meanwhile")


async def prepare_record(context: WorkerContext, fit_id: int, folder: Path) -> Prepared | None:
    """Everything MLflow is told, with the model as a local file; None when already recorded."""
    async with transaction(context.sessions) as session:
        fit = await FitRepository(session, SYSTEM).find_recordable(fit_id)
        if fit is None or fit.tracking == "recorded":
            return None
        if fit.moves != fit.withdrawn_moves:
            raise try_again(MOMENT, "its run in another project is not withdrawn yet")
        readers = await project_readers(session, fit.project_id)
        version = await session.get_one(
            DatasetVersion, fit.dataset_version_id, populate_existing=True
        )
    model = folder / "model.joblib"
    try:
        await asyncio.to_thread(context.blobs.fetch, fit.artifacts["model"], model)
        example = await asyncio.to_thread(context.blobs.read, fit.artifacts["input_example"])
    except BlobMissing as missing:
        _log.error("file missing", extra={"fit_id": fit_id, "blob": str(missing)})
        raise try_again(WAIT_FOR_REPAIR, "a file of the fit is missing") from missing
    told = _describe(fit, version, readers, model, json.loads(example))
    return Prepared(told, readers, fit.moves)


def _describe(
    fit: Fit,
    version: DatasetVersion,
    readers: Readership,
    model: Path,
    example: list[dict[str, Any]],
) -> FitRecord:
    if fit.started_at is None or fit.finished_at is None:
        raise LookupError(f"fit {fit.id} has no times")
    params = {
        "estimator": fit.estimator,
        "target": fit.target,
        "features": ", ".join(fit.features or []),
        "seed": fit.spec["seed"],
        **{f"validation.{k}": v for k, v in fit.spec["validation"].items()},
        **fit.spec["params"],
    }
    baseline = {f"baseline.{name}": value for name, value in fit.baseline_metrics.items()}
    return FitRecord(
        fit_id=fit.id,
        fit_name=fit.name,
        username=fit.creator.username,
        readers=readers.names,
        experiment=readers.slug,
        params=params,
        metrics={**fit.metrics, **baseline},
        tags={f"goodfit.tag.{key}": value for key, value in fit.tags.items()},
        dataset_name=fit.dataset.name,
        dataset_version=version.version,
        dataset_digest=version.content_digest,
        dataset_rows=version.rows,
        dataset_columns=version.columns,
        target=fit.target,
        started_at=fit.started_at.timestamp(),
        finished_at=fit.finished_at.timestamp(),
        model_path=str(model),
        model_sha256=fit.artifacts["model"],
        input_columns=fit.outcome["input_columns"],
        output=fit.outcome["output"],
        input_example=example,
    )
