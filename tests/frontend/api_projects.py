"""Projects, members and moves of the stand-in for the API."""

from typing import Any

from fastapi import FastAPI, Request

from backend.accounts.schemas import UserOut
from backend.core.access import ProjectRole, Role
from backend.core.schemas import Page
from backend.projects.schemas import (
    MemberList,
    MemberOut,
    MemberSet,
    ProjectCreate,
    ProjectOut,
    ProjectUpdate,
    Transfer,
)
from tests.frontend.world import Refusal, World

BASE = "/api/v1/projects"


def _shown(world: World, me: UserOut, number: int) -> ProjectOut:
    counts = {
        "datasets": sum(dataset.project_id == number for dataset in world.datasets.values()),
        "fits": sum(fit.project_id == number for fit in world.fits.values()),
        "models": sum(model.project_id == number for model in world.registry.models.values()),
    }
    return world.projects.shown(me.username, number, counts)


def _visible(world: World, me: UserOut, number: int) -> ProjectOut:
    if not world.projects.may_read(me.username, me.role, number):
        raise Refusal(404, "There is no such project, or it is not shared with you.")
    return _shown(world, me, number)


def _governed(world: World, me: UserOut, number: int) -> ProjectOut:
    project = _visible(world, me, number)
    if me.role is not Role.ADMIN and project.my_role is not ProjectRole.OWNER:
        raise Refusal(403, "Only an owner of this project may do that.")
    return project


def _require_other_owner(world: World, number: int, username: str) -> None:
    owners = [
        name for name, role in world.projects.members[number].items() if role is ProjectRole.OWNER
    ]
    if owners == [username]:
        raise Refusal(409, "This is the project's last owner.", code="last_owner")


def add_projects(app: FastAPI, world: World, user: Any) -> None:
    known = world.projects

    @app.get(BASE)
    def list_projects(
        name_contains: str = "", archived: bool | None = None, me: UserOut = user
    ) -> Page[ProjectOut]:
        items = [
            _shown(world, me, number)
            for number, project in known.found.items()
            if known.may_read(me.username, me.role, number)
            and name_contains in project.name
            and archived in (None, project.archived)
        ]
        return Page[ProjectOut](items=items, next_cursor=None)

    @app.post(BASE, status_code=201)
    def create(data: ProjectCreate, request: Request, me: UserOut = user) -> ProjectOut:
        key = request.headers["idempotency-key"]
        if key not in known.sent_keys:
            known.sent_keys.append(key)
            number = next(world.counter)
            made = known.add(number, me.username, data.name)
            known.found[number] = made.model_copy(update={"description": data.description})
        return _shown(world, me, max(known.found))

    @app.get(BASE + "/{number}")
    def read(number: int, me: UserOut = user) -> ProjectOut:
        return _visible(world, me, number)

    @app.patch(BASE + "/{number}")
    def change(number: int, data: ProjectUpdate, me: UserOut = user) -> ProjectOut:
        _governed(world, me, number)
        update = data.model_dump(exclude_unset=True)
        known.found[number] = known.found[number].model_copy(update=update)
        return _shown(world, me, number)

    @app.delete(BASE + "/{number}", status_code=204)
    def delete(number: int, me: UserOut = user) -> None:
        _governed(world, me, number)
        del known.found[number]


def add_members(app: FastAPI, world: World, user: Any) -> None:
    known = world.projects

    @app.get(BASE + "/{number}/members")
    def members(number: int, me: UserOut = user) -> MemberList:
        _visible(world, me, number)
        return MemberList(items=known.listed(number, disabled=frozenset()))

    @app.put(BASE + "/{number}/members/{username}")
    def put(number: int, username: str, data: MemberSet, me: UserOut = user) -> MemberOut:
        _governed(world, me, number)
        person = world.users.get(username)
        if person is None:
            text = "there is nobody with this user name"
            raise Refusal(422, text, username=text)
        if person.role is Role.VIEWER and data.role is not ProjectRole.VIEWER:
            text = "this account may only read: it can be a viewer"
            raise Refusal(422, text, role=text)
        if data.role is not ProjectRole.OWNER:
            _require_other_owner(world, number, username)
        known.members[number][username] = data.role
        return next(
            member
            for member in known.listed(number, disabled=frozenset())
            if member.username == username
        )

    @app.delete(BASE + "/{number}/members/{username}", status_code=204)
    def remove(number: int, username: str, me: UserOut = user) -> None:
        _visible(world, me, number)
        if username != me.username:
            _governed(world, me, number)
        _require_other_owner(world, number, username)
        del known.members[number][username]

    @app.post(BASE + "/{number}/transfer")
    def transfer(number: int, data: Transfer, me: UserOut = user) -> ProjectOut:
        _governed(world, me, number)
        known.members[number] |= {
            me.username: ProjectRole.EDITOR,
            data.username: ProjectRole.OWNER,
        }
        return _shown(world, me, number)


def add_moves(app: FastAPI, world: World, user: Any) -> None:
    def check(me: UserOut, source: int, data: dict[str, Any]) -> int:
        target = int(data["project_id"])
        _governed(world, me, source)
        _governed(world, me, target)
        return target

    @app.patch("/api/v1/fits/{number}")
    def move_fit(number: int, data: dict[str, Any], me: UserOut = user) -> Any:
        fit = world.fits[number]
        target = check(me, fit.project_id, data)
        world.projects.moved.append(("fit", number, target))
        world.fits[number] = fit.model_copy(update={"project_id": target})
        return world.fits[number]

    @app.patch("/api/v1/datasets/{number}")
    def move_dataset(number: int, data: dict[str, Any], me: UserOut = user) -> Any:
        dataset = world.datasets[number]
        target = check(me, dataset.project_id, data)
        world.projects.moved.append(("dataset", number, target))
        world.datasets[number] = dataset.model_copy(update={"project_id": target})
        return world.datasets[number]
