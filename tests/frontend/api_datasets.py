"""Datasets of the stand-in for the API: uploads, versions, profiles, uses, and the trash."""

from datetime import timedelta
from io import BytesIO
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from PIL import Image

from backend.accounts.schemas import UserOut
from backend.core.access import ProjectRole
from backend.core.schemas import Page
from backend.datasets.profile_schemas import ProfileOut, VersionDiff
from backend.datasets.schemas import (
    DatasetOut,
    ImageList,
    ImageOut,
    PreviewOut,
    ReadOptions,
    VersionOut,
)
from backend.datasets.usage_schemas import LinkCreate, LinkOut, PurgeOut, UsageOut
from tests.frontend.dataset_world import make_dataset, make_version, no_use
from tests.frontend.world import IMAGE_PROFILE, NOW, PROFILE, Refusal, World

FormatQuery = Annotated[str, Query(alias="format")]
BASE = "/api/v1/datasets"


def visible_dataset(world: World, me: UserOut, number: int, *, trashed: bool = False) -> DatasetOut:
    dataset = world.datasets.get(number)
    if (
        dataset is None
        or not world.may_read(me, dataset.project_id)
        or (dataset.trashed_at is not None) != trashed
    ):
        raise Refusal(404, "There is no such dataset.", code="not_found")
    return dataset


def add_version(world: World, number: int, **more: Any) -> VersionOut:
    """The next version of a dataset, as every way to one makes it."""
    dataset = world.datasets[number]
    known = versions_of(world, dataset)
    made = make_version(dataset, dataset.latest_version + 1, **more)
    world.shelf.versions[number] = [made, *known]
    world.datasets[number] = dataset.model_copy(update={"latest_version": made.version})
    return made


def versions_of(world: World, dataset: DatasetOut) -> list[VersionOut]:
    made_up = [make_version(dataset, number) for number in range(dataset.latest_version, 0, -1)]
    return world.shelf.versions.get(dataset.id, made_up)


def _refuse(world: World) -> None:
    """A text stands for a refusal of the whole file."""
    if isinstance(world.refuse_upload, str) and world.refuse_upload:
        raise Refusal(422, world.refuse_upload, file=world.refuse_upload)
    if isinstance(world.refuse_upload, Refusal):
        raise world.refuse_upload


async def _received(world: World, request: Request) -> tuple[str, dict[str, str]]:
    """The file's name and what came along with it."""
    async with request.form() as form:
        file = form["file"]
        assert not isinstance(file, str)
        fields = {name: str(value) for name, value in form.items() if name != "file"}
    world.shelf.tried_keys.append(request.headers["idempotency-key"])
    _refuse(world)
    name = str(file.filename)
    world.uploads.append(name)
    world.shelf.fields.append(fields)
    world.sent_keys.append(request.headers["idempotency-key"])
    return name, fields


def add_dataset_lists(app: FastAPI, world: World, user: Any) -> None:
    @app.get(BASE)
    def list_datasets(
        request: Request,
        project_id: int | None = None,
        name_contains: str = "",
        kind: str | None = None,
        mine: bool = False,
        trashed: bool = False,
        me: UserOut = user,
    ) -> Page[DatasetOut]:
        world.shelf.queries.append(dict(request.query_params))
        items = [
            dataset
            for dataset in world.datasets.values()
            if world.may_read(me, dataset.project_id)
            and project_id in (None, dataset.project_id)
            and kind in (None, dataset.kind)
            and name_contains in dataset.name
            and (not mine or dataset.created_by == me.username)
            and trashed == (dataset.trashed_at is not None)
        ]
        return Page[DatasetOut](items=items, next_cursor=None)

    @app.post(BASE, status_code=201)
    async def upload(request: Request, me: UserOut = user) -> DatasetOut:
        name, fields = await _received(world, request)
        number = next(world.counter)
        project_id = int(fields.get("project_id", me.id))
        world.datasets[number] = make_dataset(number, name.split(".")[0], me.username, project_id)
        return world.datasets[number]

    @app.post(BASE + "/sample", status_code=201)
    def sample(data: dict[str, int], request: Request, me: UserOut = user) -> DatasetOut:
        world.sent_keys.append(request.headers["idempotency-key"])
        number = next(world.counter)
        project_id = data.get("project_id", me.id)
        world.datasets[number] = make_dataset(number, "Palmer penguins", me.username, project_id)
        return world.datasets[number]

    @app.get(BASE + "/{number}")
    def read(number: int, me: UserOut = user) -> DatasetOut:
        return visible_dataset(world, me, number)


def add_dataset_versions(app: FastAPI, world: World, user: Any) -> None:
    base = BASE + "/{number}/versions"

    @app.get(base)
    def versions(number: int, me: UserOut = user) -> Page[VersionOut]:
        items = versions_of(world, visible_dataset(world, me, number))
        return Page[VersionOut](items=items, next_cursor=None)

    @app.post(base, status_code=201)
    async def upload_version(number: int, request: Request, me: UserOut = user) -> VersionOut:
        visible_dataset(world, me, number)
        name, _ = await _received(world, request)
        return add_version(world, number, file_name=name)

    @app.post(base + "/{version}/read-again", status_code=201)
    def read_again(number: int, version: int, data: ReadOptions, me: UserOut = user) -> VersionOut:
        visible_dataset(world, me, number)
        _refuse(world)
        world.shelf.fields.append(data.model_dump(exclude_none=True))
        return add_version(world, number, parent_version=version)

    @app.get(base + "/{version}")
    def read(number: int, version: int, me: UserOut = user) -> VersionOut:
        found = versions_of(world, visible_dataset(world, me, number))
        for known in found:
            if known.version == version:
                return known
        raise Refusal(404, "There is no such version.", code="not_found")

    @app.get(base + "/{version}/diff")
    def diff(number: int, version: int, against: int, me: UserOut = user) -> VersionDiff:
        visible_dataset(world, me, number)
        known = world.shelf.diffs.get((number, against, version))
        if known is None:
            raise Refusal(404, "There is no such version.", code="not_found")
        return known


def add_dataset_content(app: FastAPI, world: World, user: Any) -> None:
    base = BASE + "/{number}/versions/{version}"

    @app.get(base + "/profile")
    def profile(
        number: int, version: int, target: str | None = None, me: UserOut = user
    ) -> ProfileOut:
        dataset = visible_dataset(world, me, number)
        if version > dataset.latest_version:
            raise Refusal(404, "There is no such version.", code="not_found")
        usual = IMAGE_PROFILE if dataset.kind == "image" else PROFILE
        found = world.shelf.profile(number, version) or usual
        return found.model_copy(update={"target": target})

    @app.post(base + "/profile", status_code=202)
    def profile_again(number: int, version: int, me: UserOut = user) -> ProfileOut:
        visible_dataset(world, me, number)
        again = PROFILE.model_copy(update={"state": "queued", "progress": 0.0})
        world.shelf.profiles[number, version] = [again, PROFILE]
        return again

    @app.get(base + "/images")
    def images(number: int, version: int, limit: int, me: UserOut = user) -> ImageList:
        total = visible_dataset(world, me, number).rows
        items = [ImageOut(row=row, label='<b>"7"', name=f"{row}.png") for row in range(limit)]
        assert version
        return ImageList(items=items, total=total)

    @app.get(base + "/images/{row}.png")
    def image(number: int, version: int, row: int, me: UserOut = user) -> Response:
        if row >= visible_dataset(world, me, number).rows:
            raise Refusal(404, "This version has no such image.")
        buffer = BytesIO()
        Image.new("L", (28, 28), version).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png", headers={"ETag": '"image"'})

    @app.get(base + "/preview")
    def preview(number: int, version: int, me: UserOut = user) -> PreviewOut:
        visible_dataset(world, me, number)
        columns = ["species", "flipper_length_mm", "body_mass_g"]
        rows: list[list[Any]] = [["Adelie", 181, 3750], ["![x](http://evil.test/x.png)", None, 1]]
        return PreviewOut(columns=columns, rows=rows, total_rows=344 + version)


def add_dataset_uses(app: FastAPI, world: World, user: Any) -> None:
    base = BASE + "/{number}"

    @app.get(base + "/used-by")
    def used_by(number: int, version: int | None = None, me: UserOut = user) -> UsageOut:
        dataset = world.datasets.get(number)
        in_trash = dataset is not None and dataset.trashed_at is not None
        found = visible_dataset(world, me, number, trashed=in_trash)
        role = world.projects.members[found.project_id].get(me.username)
        if in_trash and role is ProjectRole.VIEWER:  # only who may restore it hears of it
            raise Refusal(404, "There is no such dataset.", code="not_found")
        usage = world.shelf.usage.get(number, no_use())
        items = [item for item in usage.items if version in (None, item.version)]
        return usage.model_copy(update={"items": items})

    @app.delete(base, status_code=204)
    def trash(number: int, me: UserOut = user) -> None:
        dataset = visible_dataset(world, me, number)
        if world.shelf.usage.get(number, no_use()).champions:
            text = "1 champion depends on this dataset."
            raise Refusal(409, text, code="champion_depends")
        world.datasets[number] = dataset.model_copy(update={"trashed_at": NOW})

    @app.post(base + "/restore")
    def restore(number: int, me: UserOut = user) -> DatasetOut:
        dataset = visible_dataset(world, me, number, trashed=True)
        world.datasets[number] = dataset.model_copy(update={"trashed_at": None})
        return world.datasets[number]

    @app.post(base + "/purge")
    def purge(number: int, me: UserOut = user) -> PurgeOut:
        visible_dataset(world, me, number, trashed=True)
        world.shelf.purged.append(number)
        del world.datasets[number]
        return PurgeOut(freed_bytes=15_241)


def add_dataset_files(app: FastAPI, world: World, user: Any) -> None:
    base = BASE + "/{number}/versions/{version}"

    @app.post(base + "/link")
    def link(number: int, version: int, data: LinkCreate, me: UserOut = user) -> LinkOut:
        visible_dataset(world, me, number)
        world.shelf.links.append((number, version, data.format))
        url = f"http://api.test/api/v1/downloads/{number}.{version}.{data.format}"
        return LinkOut(url=url, expires_at=NOW + timedelta(minutes=10))

    @app.get(base + "/download")
    def download(
        number: int, version: int, form: FormatQuery = "none", me: UserOut = user
    ) -> Response:
        visible_dataset(world, me, number)
        name = f"v{version}-{form}"
        headers = {"Content-Disposition": f"attachment; filename={name}", "ETag": '"abc"'}
        return Response(b"a,b\n1,2\n", media_type="application/octet-stream", headers=headers)
