"""Which trained model answers: by a model's alias or version, or by a fit."""

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import Conflict, field_error
from backend.fits.service import finished_fit
from backend.registry.repository import ModelRepository, ModelVersionRepository
from backend.registry.schemas import CHAMPION
from backend.serving.predictor import Served
from backend.serving.schemas import SchemaOut
from backend.tables import Fit

NO_ALIAS: Final = "model_without_alias"
KNOWN_MODELS: Final = 1_000


class KnownModels:
    """What fits left, by their ids: it never changes, so it is read from the database once."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Served] = OrderedDict()

    def find(self, fit_id: int) -> Served | None:
        """As it was kept, without a version."""
        return self._known.get(fit_id)

    def keep(self, fit: Fit) -> Served:
        """Keep a finished fit; the oldest one makes room."""
        outcome = fit.outcome
        left_out = {entry["column"] for entry in outcome["excluded"]}
        served = Served(
            digest=fit.artifacts["model"],
            inputs=outcome["input_columns"],
            output=outcome["output"],
            passed_through=frozenset({outcome["output"]["name"], *left_out}),
        )
        self._known[fit.id] = served
        if len(self._known) > KNOWN_MODELS:
            self._known.popitem(last=False)
        return served


async def served_fit(
    session: AsyncSession, viewer: Viewer, known: KnownModels, fit_id: int
) -> Served:
    """A finished fit itself."""
    return known.keep(await finished_fit(session, viewer, fit_id))


async def served_model(
    session: AsyncSession,
    viewer: Viewer,
    known: KnownModels,
    model_id: int,
    *,
    alias: str | None = None,
    version: int | None = None,
) -> Served:
    """The version that an alias points at now, or the one with this number."""
    if alias is not None and version is not None:
        raise field_error("version", msg="name an alias or a version, not both")
    versions = ModelVersionRepository(session, viewer)
    if version is None:
        found = await versions.find_pointed_at(model_id, alias or CHAMPION)
        if found is None:
            raise await _no_alias(session, viewer, model_id, alias or CHAMPION)
        version, fit_id = found
        served = known.find(fit_id)
        if served is not None:
            return replace(served, version=version)
    row = await versions.get_results(model_id, version)
    return replace(known.keep(row.fit), version=version)


async def _no_alias(session: AsyncSession, viewer: Viewer, model_id: int, alias: str) -> Conflict:
    """First whether there is such a model for the caller at all."""
    model = await ModelRepository(session, viewer).get(model_id)
    return Conflict(
        f"No version of {model.name} is its {alias}. Promote one, or name a version.",
        code=NO_ALIAS,
    )


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
