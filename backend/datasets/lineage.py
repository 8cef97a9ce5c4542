"""Where versions come from: the recipes behind them, and the tables that these joined."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.errors import Conflict, NotFound, field_error
from backend.datasets.recipe_schemas import RecipeExport, RecipeRequest, RecipeWork
from backend.datasets.repository import DatasetRepository, VersionRepository
from backend.science.recipes.fields import TableKey
from backend.science.recipes.scripts.facts import Stage, TableFacts
from backend.science.recipes.steps import AnyStep, Join
from backend.tables import Dataset, DatasetVersion

# A recorded chain may be longer than one request, up to these: it is read and repeated as one.
_STEPS: Final = TypeAdapter(list[AnyStep])
MOST_RECORDED_STEPS: Final = 500
MOST_RECORDED_CHARACTERS: Final = 500_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recipe for one version, with all that it needs.

    Attributes
    ----------
    recorded
        The steps as they were sent.
    others
        Versions that steps join.
    """

    parent: DatasetVersion
    steps: list[AnyStep]
    recorded: list[dict[str, Any]]
    replay_of: int | None
    others: dict[TableKey, DatasetVersion]

    def work(self, path: Path, others: Mapping[TableKey, Path]) -> RecipeWork:
        """What the process needs, once the files are at hand."""
        roles = {c["name"]: c["role"] for c in self.parent.columns if c.get("role_given")}
        return RecipeWork(
            path=path,
            steps=self.steps,
            recorded=self.recorded,
            others=others,
            roles=roles,
            file_name=self.parent.file_name,
            parent_version=self.parent.version,
            replay_of=self.replay_of,
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """A version's way from the upload that it began with; without descriptions of columns."""

    start: DatasetVersion
    made: Sequence[DatasetVersion]

    @property
    def recorded(self) -> list[dict[str, Any]]:
        """All steps in their order."""
        return [step for version in self.made for step in version.recipe or ()]

    def export(self, version: int) -> RecipeExport:
        """The chain in JSON."""
        return RecipeExport(
            dataset_id=self.start.dataset_id,
            from_version=self.start.version,
            version=version,
            steps=self.recorded,
        )


def parse_steps(recorded: Sequence[Mapping[str, Any]]) -> list[AnyStep]:
    """Steps as a version records them."""
    return _STEPS.validate_python(recorded)


def require_table(dataset: Dataset) -> None:
    """Recipes are about tables."""
    if dataset.kind != "table":
        raise Conflict("This dataset holds images; recipes clean tables.", code="not_a_table")


async def prepare(
    session: AsyncSession, viewer: Viewer, dataset_id: int, version: int, data: RecipeRequest
) -> Prepared:
    """Everything that a recipe needs, as far as the viewer may read it.

    Raises
    ------
    NotFound
        There is no such version, also of a dataset that a step joins.
    Unprocessable
        The version to repeat was not made by a recipe; a step joins images; with this recipe the
        way from the upload would be too long.
    """
    parent = await VersionRepository(session, viewer).get(dataset_id, version)
    before = await chain_of(session, viewer, dataset_id, version)
    if data.replay_of is None:
        steps = data.steps or []
        recorded = [step.model_dump(mode="json", exclude_unset=True) for step in steps]
        _require_bounded(before, recorded, "steps")
    else:
        chain = await chain_of(session, viewer, dataset_id, data.replay_of)
        recorded = chain.recorded
        if not recorded:
            msg = f"version {data.replay_of} was not made by a recipe"
            raise field_error("replay_of", msg=msg, kind="recipe")
        _require_bounded(before, recorded, "replay_of")
        steps = parse_steps(recorded)
    others = await joined_versions(session, viewer, steps)
    return Prepared(parent, steps, recorded, data.replay_of, others)


def _require_bounded(before: Chain, added: Sequence[Mapping[str, Any]], place: str) -> None:
    """Refuse what would make the way of a version from its upload too long."""
    steps = [*before.recorded, *added]
    if len(steps) > MOST_RECORDED_STEPS:
        most, unit = MOST_RECORDED_STEPS, "steps"
    elif len(json.dumps(steps, ensure_ascii=False)) > MOST_RECORDED_CHARACTERS:
        most, unit = MOST_RECORDED_CHARACTERS, "characters"
    else:
        return
    msg = (
        f"with these, the recipes since the upload would hold more than {most:,} {unit}; "
        "download the version and upload it to start anew"
    )
    raise field_error(place, msg=msg, kind="recipe")


async def chain_of(session: AsyncSession, viewer: Viewer, dataset_id: int, version: int) -> Chain:
    """The recipes that led to a version, back to the upload."""
    versions = VersionRepository(session, viewer)
    start, *made = await versions.chain(dataset_id, version)
    return Chain(start, made)


async def require_joined(session: AsyncSession, viewer: Viewer, prepared: Prepared) -> None:
    """Ask again, once the work is done, whether the viewer may still read what it joined.

    Raises
    ------
    NotFound
        Not any more.
    """
    await joined_versions(session, viewer, prepared.steps)


async def joined_versions(
    session: AsyncSession, viewer: Viewer, steps: Sequence[AnyStep]
) -> dict[TableKey, DatasetVersion]:
    """The versions that steps join; each must be a table that the viewer may read."""
    found: dict[TableKey, DatasetVersion] = {}
    for at, step in enumerate(steps):
        if not isinstance(step, Join) or (step.dataset_id, step.version) in found:
            continue
        dataset = await DatasetRepository(session, viewer).get(step.dataset_id)
        if dataset.kind != "table":
            msg = "this dataset holds images; recipes join tables"
            raise field_error("steps", at, "dataset_id", msg=msg, kind="recipe")
        row = await VersionRepository(session, viewer).get(step.dataset_id, step.version)
        found[step.dataset_id, step.version] = row
    return found


@dataclass(frozen=True, slots=True)
class ScriptFacts:
    """What `cleaning.script` takes."""

    start: TableFacts
    stages: list[Stage]
    others: dict[TableKey, TableFacts]


async def script_facts(
    session: AsyncSession, viewer: Viewer, dataset: Dataset, chain: Chain
) -> ScriptFacts:
    """What a script about the chain says of its versions and of those that they join.

    Raises
    ------
    Conflict
        One of them is not there any more for this viewer.
    """
    datasets = DatasetRepository(session, viewer)
    try:
        rows = await joined_versions(session, viewer, parse_steps(chain.recorded))
        others = {key: _facts((await datasets.get(key[0])).name, row) for key, row in rows.items()}
    except NotFound:
        raise Conflict(
            "A step joins a dataset that you may not read, or that is in the trash. Take the "
            "recipe as JSON."
        ) from None
    start = await VersionRepository(session, viewer).get(dataset.id, chain.start.version)
    stages = [Stage(row.version, parse_steps(row.recipe or [])) for row in chain.made]
    return ScriptFacts(_facts(dataset.name, start), stages, others)


def _facts(name: str, row: DatasetVersion) -> TableFacts:
    source = row.source or {}
    return TableFacts(
        name=name,
        version=row.version,
        content_digest=row.content_digest,
        columns={column["name"]: column["type"] for column in row.columns},
        delimiter=source.get("delimiter") or ",",
        encoding=source.get("encoding") or "utf8",
    )
