"""Sharing: who comes, who goes, and what each role may do."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.access import Role, Viewer
from backend.core.errors import NotFound
from backend.projects import service, trash
from backend.projects.repository import ProjectRepository
from backend.tables import Fit, Project, User
from tests.conftest import SignIn, upload_csv, viewer_of
from tests.projects.sharing import V1, make_project, members, personal, refused, share
from tests.registry.registering import PENGUINS_KNN, make_model

Sessions = async_sessionmaker[AsyncSession]


async def shared_dataset(client: httpx.AsyncClient, project: int) -> int:
    dataset: int = (await upload_csv(client)).json()["id"]
    moved = await client.patch(f"{V1}/datasets/{dataset}", json={"project_id": project})
    assert moved.status_code == 200, moved.text
    return dataset


async def test_a_viewer_reads_at_once_and_not_one_request_after_the_end(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    project = await make_project(ada)
    dataset = await shared_dataset(ada, project)
    paths = [f"{V1}/projects/{project}", f"{V1}/datasets/{dataset}"]
    absent = (await ben.get(f"{V1}/datasets/999999")).json()
    for path in paths:
        hidden = await ben.get(path)
        assert hidden.status_code == 404
    assert hidden.json()["detail"] == absent["detail"]
    await share(ada, project, BEN="viewer")
    assert {(await ben.get(path)).status_code for path in paths} == {200}
    assert (await ben.get(paths[0])).json()["my_role"] == "viewer"
    assert (await ada.delete(f"{paths[0]}/members/ben")).status_code == 204
    assert {(await ben.get(path)).status_code for path in paths} == {404}
    assert (await ada.delete(f"{paths[0]}/members/ben")).status_code == 404


async def test_each_role_may_what_it_may(app: FastAPI, sign_in: SignIn) -> None:
    owner = await sign_in("olga")
    clients = {name: await sign_in(name) for name in ("vera", "edda", "stranger")}
    project = await make_project(owner)
    await share(owner, project, vera="viewer", edda="editor")
    model = await make_model(owner, app)
    base = f"{V1}/models/{model['id']}"
    assert (await owner.patch(base, json={"project_id": project})).status_code == 200
    dataset = await shared_dataset(owner, project)
    rows = {"rows": [{"bill_length_mm": 39.1, "flipper_length_mm": 181}]}
    expected = {"vera": (200, 403, 403), "edda": (200, 202, 403), "stranger": (404, 404, 404)}
    for name, client in clients.items():
        predicted = await client.post(f"{base}/predict", json=rows)
        fit = await client.post(f"{V1}/fits", json={"dataset_id": dataset, **PENGUINS_KNN})
        shared = await client.put(
            f"{V1}/projects/{project}/members/stranger", json={"role": "viewer"}
        )
        statuses = (predicted.status_code, fit.status_code, shared.status_code)
        assert statuses == expected[name], name
        renamed = await client.patch(f"{V1}/projects/{project}", json={"name": "mine"})
        assert renamed.status_code == expected[name][2]


async def test_nobody_is_added_who_cannot_come(sign_in: SignIn, sessions: Sessions) -> None:
    ada, _gone = await sign_in("ada"), await sign_in("gone")
    await sign_in("vera", Role.VIEWER)
    async with sessions() as session:
        disabled = update(User).where(User.username == "gone")
        await session.execute(disabled.values(disabled_at=User.created_at))
        await session.commit()
    url = f"{V1}/projects/{await make_project(ada)}"
    told = []
    for name in ("gone", "nobody"):
        answer = await ada.put(f"{url}/members/{name}", json={"role": "viewer"})
        told.append(
            (answer.status_code, answer.json()["errors"][0]["loc"], answer.json()["detail"])
        )
    assert told[0] == told[1] == (422, ["body", "username"], told[0][2])
    for role in ("editor", "owner"):
        answer = await ada.put(f"{url}/members/vera", json={"role": role})
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "role"])
    handed = await ada.post(f"{url}/transfer", json={"username": "vera"})
    assert (handed.status_code, handed.json()["errors"][0]["loc"]) == (422, ["body", "username"])
    assert (await ada.put(f"{url}/members/vera", json={"role": "viewer"})).status_code == 200
    assert (await ada.put(f"{url}/members/%20", json={"role": "viewer"})).status_code == 422


async def test_members_leave_and_the_last_owner_stays(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    project = await make_project(ada)
    url = f"{V1}/projects/{project}/members"
    await share(ada, project, ben="viewer")
    assert (await ben.delete(f"{url}/ada")).status_code == 403
    assert refused(await ada.delete(f"{url}/ada")) == (409, "last_owner")
    assert refused(await ada.put(f"{url}/ada", json={"role": "viewer"})) == (409, "last_owner")
    await share(ada, project, ben="owner")
    assert (await ada.delete(f"{url}/ada")).status_code == 204
    assert (await ada.get(url)).status_code == 404
    assert refused(await ben.delete(f"{url}/ben")) == (409, "last_owner")
    assert await members(ben, project) == {"ben": "owner"}


async def test_an_owner_who_is_disabled_does_not_count(sign_in: SignIn, sessions: Sessions) -> None:
    ada, _ben = await sign_in("ada"), await sign_in("ben")
    project = await make_project(ada)
    await share(ada, project, ben="owner")
    async with sessions() as session:
        disabled = update(User).where(User.username == "ben")
        await session.execute(disabled.values(disabled_at=User.created_at))
        await session.commit()
    leaving = await ada.delete(f"{V1}/projects/{project}/members/ada")
    assert refused(leaving) == (409, "last_owner")


async def test_an_owner_who_may_only_read_does_not_count(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    root = await sign_in("root", Role.ADMIN)
    project = await make_project(ada)
    await share(ada, project, ben="owner")
    ids = [(await client.get(f"{V1}/users/me")).json()["id"] for client in (ada, ben)]
    demoted = await root.patch(f"{V1}/users/{ids[1]}", json={"role": "viewer"})
    assert demoted.status_code == 200, demoted.text
    url = f"{V1}/projects/{project}/members"
    assert refused(await ada.delete(f"{url}/ada")) == (409, "last_owner")
    assert refused(await ada.put(f"{url}/ada", json={"role": "editor"})) == (409, "last_owner")
    async with sessions() as session:
        held = [[row.project.id for row in await service.holdings(session, one)] for one in ids]
    assert project in held[0]
    assert project not in held[1]


async def test_an_administrator_puts_the_heir_in_the_place_of_all_owners(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada, _ben = await sign_in("ada"), await sign_in("ben")
    root, dora = await sign_in("root", Role.ADMIN), await sign_in("dora")
    project = await make_project(dora)
    await share(dora, project, ada="owner", ben="owner")
    async with sessions() as session:
        gone = update(User).where(User.username == "dora")
        await session.execute(gone.values(disabled_at=User.created_at))
        less = update(User).where(User.username == "ben")
        await session.execute(less.values(role="viewer"))
        await session.commit()
    url = f"{V1}/projects/{project}/transfer"
    assert (await root.post(url, json={"username": "ada"})).status_code == 200
    assert await members(ada, project) == {"ada": "owner", "ben": "editor", "dora": "editor"}


async def test_nobody_finds_out_by_sharing_who_has_an_account(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    root = await sign_in("root", Role.ADMIN)
    project = await make_project(ada)
    base, role = f"{V1}/projects/{project}", {"role": "viewer"}
    for number in range(29):
        unknown = await ada.put(f"{base}/members/nobody{number}", json=role)
        assert unknown.status_code == 422
        assert (await ada.put(f"{base}/members/ben", json=role)).status_code == 200
    handed = await ada.post(f"{base}/transfer", json={"username": "nobody"})
    assert (handed.status_code, handed.json()["errors"][0]["loc"]) == (422, ["body", "username"])
    for name in ("ben", "nobody"):
        limited = await ada.put(f"{base}/members/{name}", json=role)
        assert limited.status_code == 429
        assert 14 * 60 < int(limited.headers["Retry-After"]) < 16 * 60
    assert (await ada.post(f"{base}/transfer", json={"username": "ben"})).status_code == 429
    own = await make_project(ben)
    assert (await ben.put(f"{V1}/projects/{own}/members/ada", json=role)).status_code == 200
    assert (await root.put(f"{base}/members/nobody", json=role)).status_code == 422
    assert (await ada.delete(f"{base}/members/ben")).status_code == 204


async def test_the_old_owner_edits_after_a_transfer(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    project = await make_project(ada)
    answer = await ada.post(f"{V1}/projects/{project}/transfer", json={"username": "Ben"})
    assert (answer.status_code, answer.json()["my_role"]) == (200, "editor")
    assert await members(ben, project) == {"ada": "editor", "ben": "owner"}
    root = await sign_in("root", Role.ADMIN)
    taken = await root.post(f"{V1}/projects/{project}/transfer", json={"username": "ada"})
    assert taken.json()["my_role"] is None
    assert await members(ben, project) == {"ada": "owner", "ben": "editor"}


async def test_a_token_for_one_project_sees_and_makes_nothing_elsewhere(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    project, other = await make_project(ada, "One"), await make_project(ada, "Two")
    me = (await ada.get(f"{V1}/users/me")).json()
    limited = Viewer(me["id"], "ada", Role.ADMIN, token_id=1, project_id=project)
    async with sessions() as session:
        listed = (await session.execute(ProjectRepository(session, limited).scoped())).all()
        assert [row[0].id for row in listed] == [project]
        assert (await service.writable_project(session, limited, None)).id == project
        with pytest.raises(NotFound):
            await service.writable_project(session, limited, other)


async def test_an_heir_gets_what_would_be_nobodys(sign_in: SignIn, sessions: Sessions) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    root = await sign_in("root", Role.ADMIN)
    own, heirs = await personal(ada), await personal(ben)
    alone, joint = await make_project(ada, "Alone"), await make_project(ada, "Joint")
    await share(ada, joint, ben="owner")
    await upload_csv(ada)
    name = {client: (await client.get(f"{V1}/users/me")).json() for client in (ada, ben, root)}
    async with sessions() as session:
        leaver = await session.get_one(User, name[ada]["id"])
        heir = await session.get_one(User, name[ben]["id"])
        admin = viewer_of(await session.get_one(User, name[root]["id"]))
        held = await service.holdings(session, leaver.id)
        assert [(row.project.id, row.datasets, row.is_empty) for row in held] == [
            (own["id"], 1, False),
            (alone, 0, True),
        ]
        await service.hand_over(session, admin, held[0].project, heir)
        await service.trash_project(session, admin, held[1].project)
        await service.leave_all(session, admin, leaver)
        await session.commit()
    listed = (await ben.get(f"{V1}/projects")).json()["items"]
    roles = {row["id"]: (row["personal"], row["my_role"], row["members"]) for row in listed}
    assert roles == {
        own["id"]: (False, "owner", 1),
        heirs["id"]: (True, "owner", 1),
        joint: (False, "owner", 1),
    }


async def test_a_fit_of_somebody_who_was_put_out_goes_on(sign_in: SignIn) -> None:
    ada, ben = await sign_in("ada"), await sign_in("ben")
    project = await make_project(ada)
    await share(ada, project, ben="editor")
    dataset = await shared_dataset(ada, project)
    started = await ben.post(f"{V1}/fits", json={"dataset_id": dataset, **PENGUINS_KNN})
    assert started.status_code == 202, started.text
    await ada.delete(f"{V1}/projects/{project}/members/ben")
    fit = f"{V1}/fits/{started.json()['id']}"
    assert (await ben.get(fit)).status_code == 404
    assert (await ben.post(f"{fit}/cancel")).status_code == 404
    shown = (await ada.get(fit)).json()
    assert (shown["state"], shown["created_by"]) == ("queued", "ben")


async def test_the_trash_ends_what_runs_also_what_was_started_in_that_moment(
    sign_in: SignIn, sessions: Sessions
) -> None:
    ada = await sign_in("ada")
    project = await make_project(ada)
    dataset = await shared_dataset(ada, project)
    body = {"dataset_id": dataset, **PENGUINS_KNN}
    first, second = [(await ada.post(f"{V1}/fits", json=body)).json()["id"] for _ in range(2)]
    async with sessions() as session:
        await session.execute(update(Fit).where(Fit.id == second).values(state="succeeded"))
        await session.commit()
    assert (await ada.delete(f"{V1}/projects/{project}")).status_code == 204
    async with sessions() as session:
        assert (await session.get_one(Fit, first)).state == "cancelled"
        late = update(Fit).where(Fit.id == second)
        await session.execute(late.values(state="queued"))
        await session.commit()
    async with sessions() as session:
        await trash.cancel_left_behind(session)
        await session.commit()
    async with sessions() as session:
        row = await session.get_one(Fit, second)
        assert (row.state, row.progress_message) == (
            "cancelled",
            "The project was moved to the trash",
        )
        gone = await session.get_one(Project, project)
        assert gone.revision > gone.mirrored_revision
