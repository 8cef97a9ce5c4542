"""What was made of a dataset, in all projects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from backend.core.access import Viewer
from backend.datasets.usage_schemas import UseOut
from backend.projects.service import visible_in_project
from backend.tables import (
    Dataset,
    DatasetVersion,
    Fit,
    Model,
    ModelAlias,
    ModelVersion,
    Project,
    Retraining,
    RetrainingPolicy,
    User,
)

# The registry's name for it; that slice stands above this one.
CHAMPION: Final = "champion"
MOST_LISTED: Final = 1_000
_NOTHING: Final = null()
_NO_ALIASES: Final[ColumnElement[Any]] = literal([], JSONB)
_ALIASES: Final = func.coalesce(
    select(func.jsonb_agg(ModelAlias.alias))
    .where(ModelAlias.model_id == ModelVersion.model_id, ModelAlias.version == ModelVersion.version)
    .scalar_subquery(),
    _NO_ALIASES,
)


@dataclass(frozen=True, slots=True)
class Uses:
    """Where a dataset was used: what the viewer may read, and how much else there is."""

    items: list[UseOut]
    unlisted: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Champions:
    """The models whose champion learnt from a dataset."""

    count: int
    # Of those that the viewer may read.
    names: list[str]


def _live(
    statement: Select[Any],
    project_id: InstrumentedAttribute[int],
    created_by: InstrumentedAttribute[int],
) -> Select[Any]:
    """Where the project is not in the trash, with the name of who made it."""
    return (
        statement.join(Project, Project.id == project_id)
        .join(User, User.id == created_by)
        .where(Project.trashed_at.is_(None))
    )


def _columns(
    kind: str,
    viewer: Viewer,
    *,
    row: Any,
    name: Any,
    project_id: InstrumentedAttribute[int],
    created_at: Any,
    version: Any = DatasetVersion.version,
    made_version: Any = _NOTHING,
    state: Any = _NOTHING,
    aliases: ColumnElement[Any] = _NO_ALIASES,
) -> Select[Any]:
    """What is told of one use, whatever its kind."""
    return select(
        literal(kind).label("kind"),
        row.label("id"),
        name.label("name"),
        version.label("version"),
        cast(made_version, Integer).label("made_version"),
        cast(state, String).label("state"),
        aliases.label("aliases"),
        project_id.label("project_id"),
        User.username.label("created_by"),
        created_at.label("created_at"),
        visible_in_project(project_id, viewer).label("is_readable"),
    )


def _fits(dataset_id: int, viewer: Viewer) -> Select[Any]:
    statement = (
        _columns(
            "fit",
            viewer,
            row=Fit.id,
            name=Fit.name,
            project_id=Fit.project_id,
            created_at=Fit.created_at,
            state=Fit.state,
        )
        .select_from(Fit)
        .join(DatasetVersion, DatasetVersion.id == Fit.dataset_version_id)
        .where(Fit.dataset_id == dataset_id, Fit.trashed_at.is_(None))
    )
    return _live(statement, Fit.project_id, Fit.created_by)


def _model_versions(dataset_id: int, viewer: Viewer) -> Select[Any]:
    """Also those whose fit is in the trash: the model has it still."""
    statement = (
        _columns(
            "model_version",
            viewer,
            row=Model.id,
            name=Model.name,
            project_id=Model.project_id,
            created_at=ModelVersion.created_at,
            made_version=ModelVersion.version,
            aliases=_ALIASES,
        )
        .select_from(ModelVersion)
        .join(Model, Model.id == ModelVersion.model_id)
        .join(Fit, Fit.id == ModelVersion.fit_id)
        .join(DatasetVersion, DatasetVersion.id == Fit.dataset_version_id)
        .where(Fit.dataset_id == dataset_id, Model.trashed_at.is_(None))
    )
    return _live(statement, Model.project_id, ModelVersion.created_by)


def _retrainings(dataset_id: int, viewer: Viewer) -> Select[Any]:
    statement = (
        _columns(
            "retraining",
            viewer,
            row=Retraining.id,
            name=Model.name,
            project_id=Model.project_id,
            created_at=Retraining.created_at,
            state=Retraining.state,
        )
        .select_from(Retraining)
        .join(Model, Model.id == Retraining.model_id)
        .join(DatasetVersion, DatasetVersion.id == Retraining.dataset_version_id)
        .where(DatasetVersion.dataset_id == dataset_id, Model.trashed_at.is_(None))
    )
    return _live(statement, Model.project_id, Retraining.requested_by)


def _policies(dataset_id: int, viewer: Viewer) -> Select[Any]:
    statement = (
        _columns(
            "retraining_policy",
            viewer,
            row=Model.id,
            name=Model.name,
            project_id=Model.project_id,
            created_at=RetrainingPolicy.updated_at,
            version=Dataset.latest_version,
        )
        .select_from(RetrainingPolicy)
        .join(Model, Model.id == RetrainingPolicy.model_id)
        .join(Dataset, Dataset.id == RetrainingPolicy.dataset_id)
        .where(Dataset.id == dataset_id, Model.trashed_at.is_(None))
    )
    return _live(statement, Model.project_id, RetrainingPolicy.updated_by)


def _derived(dataset_id: int, viewer: Viewer) -> Select[Any]:
    """Versions of other datasets whose recipe joined this one."""
    made = aliased(DatasetVersion)
    used = (
        func.jsonb_array_elements(made.inputs)
        .table_valued("value", joins_implicitly=True)
        .render_derived()
    )
    reference = cast(used.c.value, JSONB)
    statement = (
        _columns(
            "dataset",
            viewer,
            row=Dataset.id,
            name=Dataset.name,
            project_id=Dataset.project_id,
            created_at=made.created_at,
            version=cast(reference["version"].astext, Integer),
            made_version=made.version,
        )
        .select_from(made)
        .join(Dataset, Dataset.id == made.dataset_id)
        .join(used, true())
        .where(made.inputs.contains([{"dataset_id": dataset_id}]))
        .where(cast(reference["dataset_id"].astext, BigInteger) == dataset_id)
        .where(Dataset.id != dataset_id, Dataset.trashed_at.is_(None))
    )
    return _live(statement, Dataset.project_id, made.created_by)


def _uses(dataset_id: int, viewer: Viewer) -> Subquery:
    kinds = (_fits, _model_versions, _retrainings, _policies, _derived)
    return union_all(*(kind(dataset_id, viewer) for kind in kinds)).subquery()


async def find_uses(
    session: AsyncSession, viewer: Viewer, dataset_id: int, version: int | None
) -> Uses:
    """Where a dataset, or one of its versions, was used."""
    uses = _uses(dataset_id, viewer)
    wanted = true() if version is None else uses.c.version == version
    shown = [column for column in uses.c if column.name != "is_readable"]
    listed = (
        select(*shown)
        .where(wanted, uses.c.is_readable)
        .order_by(uses.c.created_at.desc(), uses.c.kind, uses.c.id.desc())
        .limit(MOST_LISTED)
    )
    items = [UseOut.model_validate(row) for row in await session.execute(listed)]
    counts = select(
        func.count().filter(uses.c.is_readable), func.count().filter(~uses.c.is_readable)
    ).where(wanted)
    readable, hidden = (await session.execute(counts)).one()
    return Uses(items=items, unlisted=readable - len(items), hidden=hidden)


async def find_champions(session: AsyncSession, viewer: Viewer, dataset_id: int) -> Champions:
    """Models of all projects whose champion learnt from a version of the dataset."""
    pointed_at = and_(
        ModelAlias.model_id == ModelVersion.model_id, ModelAlias.version == ModelVersion.version
    )
    statement = (
        select(Model.name, visible_in_project(Model.project_id, viewer))
        .join(Project, Project.id == Model.project_id)
        .join(ModelVersion, ModelVersion.model_id == Model.id)
        .join(ModelAlias, pointed_at)
        .join(Fit, Fit.id == ModelVersion.fit_id)
        .where(ModelAlias.alias == CHAMPION, Fit.dataset_id == dataset_id)
        .where(Model.trashed_at.is_(None), Project.trashed_at.is_(None))
        .order_by(Model.name)
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return Champions(len(rows), [name for name, is_readable in rows if is_readable])
