"""Lists of fits in any order, quick among very many.

Postgres takes the first rows of each visible project off an index, merges them, and writes the
page as JSON itself: building objects of fifty rows to write them out again costs more than finding
them. `FitSummary` says what an item looks like, which a test holds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    extract,
    func,
    literal_column,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.access import Viewer
from backend.core.pagination import CursorSigner, PageRequest, query_problem
from backend.fits.claiming import queue_positions
from backend.fits.filtering import asked_for, conditions, is_starred, visible_projects
from backend.fits.schemas import FitFilter, FitSummary
from backend.fits.states import FitState
from backend.science.metrics import METRICS
from backend.tables import (
    Dataset,
    DatasetVersion,
    Fit,
    FitMetric,
    User,
)

POSITION: Final = "position"


# Compared by identity, as a key of statements.
@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What a list is sorted by.

    Attributes
    ----------
    column
        Each fit's value; indexed together with the project where it is not a rare order.
    nullable
        Whether a fit may have none; these come last in either direction, by their ids.
    metric
        The name under which the value stands in a table of its own.
    """

    column: ColumnElement[Any]
    nullable: bool = False
    metric: str | None = None


_SECONDS: Final = cast(extract("epoch", Fit.finished_at - Fit.started_at), Float)
ORDERS: Final[Mapping[str, Order]] = MappingProxyType(
    {
        "created_at": Order(Fit.created_at.expression),
        "name": Order(Fit.name.expression),
        "estimator": Order(Fit.estimator.expression),
        "started_at": Order(Fit.started_at.expression, nullable=True),
        "finished_at": Order(Fit.finished_at.expression, nullable=True),
        "seconds": Order(_SECONDS, nullable=True),
        "main_metric": Order(cast(Fit.metrics[Fit.main_metric].astext, Float), nullable=True),
        **{
            f"metrics.{name}": Order(FitMetric.value.expression, nullable=True, metric=name)
            for name in METRICS
        },
    }
)
# Few fits wait; who goes before whom is the dispatcher's to say.
_BY_POSITION: Final = Order(
    func.array_position(
        bindparam("queued", type_=ARRAY(BigInteger)), Fit.id.expression, type_=Integer
    ),
    nullable=True,
)


def _moment(column: Any) -> ColumnElement[str]:
    """RFC 3339 in UTC, as answers write it."""
    pattern: ColumnElement[str] = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")
    return func.to_char(func.timezone(literal_column("'UTC'"), column), pattern)


_NONE: Final[ColumnElement[Any]] = literal_column("'{}'::jsonb")
# All of FitSummary but `starred`, which depends on the viewer, and `position`, on the queue.
_COLUMNS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "id": Fit.id,
        "name": Fit.name,
        "project_id": Fit.project_id,
        "state": Fit.state,
        "progress": Fit.progress,
        "progress_message": Fit.progress_message,
        "attempt": Fit.attempt,
        "task": func.coalesce(Fit.task, Fit.spec["task"].astext),
        "estimator": Fit.estimator,
        "dataset_id": Fit.dataset_id,
        "dataset_name": Dataset.name,
        "version": DatasetVersion.version,
        "target": Fit.target,
        "main_metric": Fit.main_metric,
        "metrics": Fit.metrics,
        "baseline_metrics": Fit.baseline_metrics,
        "metric_spread": func.coalesce(Fit.metric_spread, _NONE),
        "warnings": Fit.warnings,
        "tracking": Fit.tracking,
        "error": Fit.error,
        "leaderboard_id": Fit.leaderboard_id,
        "created_by": User.username,
        "created_at": _moment(Fit.created_at),
        "started_at": _moment(Fit.started_at),
        "finished_at": _moment(Fit.finished_at),
        "archived_at": _moment(Fit.archived_at),
        "trashed_at": _moment(Fit.trashed_at),
        "seconds": _SECONDS,
        "estimated_seconds": Fit.estimated_seconds,
        "tags": Fit.tags,
    }
)


@dataclass(frozen=True, slots=True)
class _Position:
    """Behind which row a page begins; none of it for the first page."""

    value: Any
    row_id: int


@dataclass(frozen=True, slots=True)
class _Item:
    id: int
    key: Any
    state: str
    text: str


def _as_json() -> ColumnElement[str]:
    pairs: list[Any] = []
    for name, column in {**_COLUMNS, "starred": is_starred()}.items():
        pairs += [literal_column(f"'{name}'"), column]
    return cast(func.json_build_object(*pairs), Text)


_JSON: Final = _as_json()


def _behind(order: Order, down: bool, *, known: bool) -> ColumnElement[bool]:
    after_id = bindparam("after_id", type_=BigInteger)
    if not known:
        return Fit.id < after_id if down else Fit.id > after_id
    row_id = Fit.id if order.metric is None else FitMetric.fit_id
    pair = tuple_(order.column, row_id)
    place = tuple_(bindparam("after_value", type_=order.column.type), after_id)
    return pair < place if down else pair > place


def _described(page: Any) -> Select[Any]:
    return (
        select(Fit.id, page.c.key, Fit.state, _JSON)
        .select_from(page)
        .join(Fit, Fit.id == page.c.id)
        .join(User, User.id == Fit.created_by)
        .join(Dataset, Dataset.id == Fit.dataset_id)
        .join(DatasetVersion, DatasetVersion.id == Fit.dataset_version_id)
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The first rows, or those behind a position, that have a value or that have none."""

    order: Order
    down: bool
    limit: int
    known: bool
    is_behind: bool


# Putting a statement together takes longer than running it; one that is kept is compiled, too.
# What is asked for by value is a parameter, or a statement for each would push out all others.
@lru_cache(maxsize=128)
def _statement(viewer: Viewer, asked: frozenset[str], wanted: _Wanted) -> Select[Any]:
    """Rows that have a value apart from those that have none.

    Either alone is read off an index in its order; together they would be sorted.
    """
    order, down, known = wanted.order, wanted.down, wanted.known
    # In the text of the statement: a plan for any number of rows would read whole tables.
    first: ColumnElement[int] = literal_column(str(wanted.limit))
    projects = visible_projects(asked, viewer).subquery("project")
    best = select(Fit.id, (order.column if known else null()).label("key"))
    best = best.where(Fit.project_id == projects.c.id).where(*conditions(asked))
    if wanted.is_behind:
        best = best.where(_behind(order, down, known=known))
    row_id: Any = Fit.id
    if order.metric is None:
        best = best.where(order.column.is_not(None) if known else order.column.is_(None))
    else:
        named = and_(FitMetric.fit_id == Fit.id, FitMetric.name == order.metric)
        if known:
            row_id = FitMetric.fit_id
            in_project = FitMetric.project_id == projects.c.id
            best = best.join(FitMetric, named).where(in_project)
        else:
            best = best.where(~exists().where(named))

    def in_order(key: Any, tie: Any) -> list[Any]:
        keys = [key, tie] if known else [tie]
        return [k.desc() if down else k.asc() for k in keys]

    each = best.order_by(*in_order(order.column, row_id)).limit(first).lateral("best")
    merged = (
        select(each.c.id, each.c.key)
        .select_from(projects.join(each, true()))
        .order_by(*in_order(each.c.key, each.c.id))
        .limit(first)
        .subquery("page")
    )
    return _described(merged).order_by(*in_order(merged.c.key, merged.c.id))


@dataclass(frozen=True, slots=True)
class Listing:
    """One list as one viewer asked for it."""

    session: AsyncSession
    viewer: Viewer
    filter_by: FitFilter

    async def page(self, page: PageRequest, signer: CursorSigner) -> str:
        """The page of `FitSummary` as JSON."""
        down = page.sort.startswith("-")
        order = self._order(page.sort.removeprefix("-"))
        after = _decoded(page, order, signer)
        values = self._values()
        if order is _BY_POSITION:
            values["queued"] = await self._queued()
        items: list[_Item] = []
        if after is None or after.value is not None:
            wanted = _Wanted(order, down, page.limit + 1, True, after is not None)
            items = await self._read(wanted, after, values)
            after = None
        if order.nullable and len(items) <= page.limit:
            # As many as a page has, though fewer are missing: each number is another statement.
            wanted = _Wanted(order, down, page.limit + 1, False, after is not None)
            items += (await self._read(wanted, after, values))[: page.limit + 1 - len(items)]
        shown = items[: page.limit]
        cursor = None
        if len(items) > page.limit:
            cursor = signer.encode(page.sort, shown[-1].key, shown[-1].id)
        texts = ",".join(await self._placed(shown))
        return f'{{"items":[{texts}],"next_cursor":{json.dumps(cursor)}}}'

    async def summaries(self, fit_ids: Sequence[int]) -> dict[int, FitSummary]:
        """Those of these fits that the viewer may read, for pages that rank them otherwise."""
        statement = _described(self._chosen().where(Fit.id.in_(fit_ids)).subquery("page"))
        items = [_Item(*row) for row in await self.session.execute(statement, self._values())]
        texts = await self._placed(items)
        return {
            item.id: FitSummary.model_validate_json(text)
            for item, text in zip(items, texts, strict=True)
        }

    def _order(self, name: str) -> Order:
        if name == POSITION:
            return _BY_POSITION
        if name not in ORDERS:
            known = ", ".join(sorted((*ORDERS, POSITION)))
            raise query_problem("sort", f"sort must be one of {known}, or -name")
        return ORDERS[name]

    async def _queued(self) -> list[int]:
        """The fits that wait, those that go first before the others."""
        waiting = select(Fit.id).where(Fit.state == FitState.QUEUED.value)
        ids = (await self.session.execute(waiting)).scalars().all()
        places = await queue_positions(self.session, ids)
        return sorted(places, key=lambda fit_id: places[fit_id])

    def _values(self) -> dict[str, Any]:
        return {"viewer_id": self.viewer.user_id, **asked_for(self.filter_by)}

    def _chosen(self) -> Any:
        """Ids of the fits that may be shown, without any order."""
        asked = frozenset(asked_for(self.filter_by))
        return (
            select(Fit.id, null().label("key"))
            .where(Fit.project_id.in_(visible_projects(asked, self.viewer)))
            .where(*conditions(asked))
        )

    async def _read(
        self, wanted: _Wanted, after: _Position | None, values: dict[str, Any]
    ) -> list[_Item]:
        # What the statement does not depend on would only keep it from being found again.
        who = replace(self.viewer, username="", session_id=None, token_id=None, address=None)
        if after is not None:
            values = {**values, "after_id": after.row_id}
            if wanted.known:
                values["after_value"] = after.value
        statement = _statement(who, frozenset(asked_for(self.filter_by)), wanted)
        return [_Item(*row) for row in await self.session.execute(statement, values)]

    async def _placed(self, items: Sequence[_Item]) -> list[str]:
        """With the places of those that wait."""
        waiting = [item.id for item in items if item.state == FitState.QUEUED]
        places = await queue_positions(self.session, waiting) if waiting else {}
        return [
            f'{item.text[:-1]},"position":{json.dumps(places.get(item.id))}}}' for item in items
        ]


def _decoded(page: PageRequest, order: Order, signer: CursorSigner) -> _Position | None:
    if page.cursor is None:
        return None
    value, row_id = signer.decode(page.cursor, page.sort)
    if isinstance(value, str) and order.column.type.python_type is datetime:
        value = datetime.fromisoformat(value)
    return _Position(value, row_id)
