"""Which trained model answers: by a model's alias or version, or by a fit."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import Conflict, field_error
from backend.fits.service import finished_fit
from backend.registry.repository import ModelRepository, ModelVersionRepository
from backend.registry.schemas import CHAMPION
from backend.serving.predictor import Served
from backend.serving.schemas import SchemaOut

NO_ALIAS: Final = "model_without_alias"


def _served(
    artifacts: Mapping[str, Any], outcome: Mapping[str, Any], version: int | None = None
) -> Served:
    left_out = {entry["column"] for entry in outcome["excluded"]}
    return Served(
        digest=artifacts["model"],
        inputs=outcome["input_columns"],
        output=outcome["output"],
        passed_through=frozenset({outcome["output"]["name"], *left_out}),
        version=version,
    )


async def served_fit(session: AsyncSession, viewer: Viewer, fit_id: int) -> Served:
    """A finished fit itself."""
    fit = await finished_fit(session, viewer, fit_id)
    return _served(fit.artifacts, fit.outcome)


async def served_model(
    session: AsyncSession,
    viewer: Viewer,
    model_id: int,
    *,
    alias: str | None = None,
    version: int | None = None,
) -> Served:
    """The version that an alias points at now, or the one with this number."""
    if alias is not None and version is not None:
        raise field_error("version", msg="name an alias or a version, not both")
    versions = ModelVersionRepository(session, viewer)
    if version is not None:
        row = await versions.get_served(model_id, version)
    else:
        wanted = alias or CHAMPION
        found = await versions.find_served_by_alias(model_id, wanted)
        if found is None:
            # First whether there is such a model for the caller at all.
            model = await ModelRepository(session, viewer).get(model_id)
            raise Conflict(
                f"No version of {model.name} is its {wanted}. Promote one, or name a version.",
                code=NO_ALIAS,
            )
        row = found
    return _served(row.fit.artifacts, row.fit.outcome, row.version)


def describe(served: Served) -> SchemaOut:
    """What it is asked and what it answers."""
    return SchemaOut.model_validate(
        {
            "kind": "image" if served.takes_images else "table",
            "inputs": served.inputs,
            "output": served.output,
            "version": served.version,
        }
    )
