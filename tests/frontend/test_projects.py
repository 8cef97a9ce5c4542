"""The list of projects, and a project's content, members and settings."""

from backend.core.access import ProjectRole
from backend.fits.states import FitState
from tests.frontend.conftest import Open, drop, go_to, labels, press, said, texts
from tests.frontend.world import World, make_dataset, make_fit

TEAM = 20


def _share(world: World, **roles: ProjectRole) -> None:
    """A project of ada's with a fit, a dataset and the members."""
    world.projects.add(TEAM, "ada", "Penguin team")
    world.projects.members[TEAM] |= roles
    world.fits[60] = make_fit(60, "ada", TEAM, FitState.SUCCEEDED, name="the team's fit")
    world.datasets[61] = make_dataset(61, "the team's data", "ada", TEAM)


def test_member_finds_projects_by_name_and_opens_one(sign_in: Open, world: World) -> None:
    _share(world, bob=ProjectRole.VIEWER)
    app = sign_in("bob", "projects")
    table = app.dataframe[0].value
    assert dict(zip(table["Name"], table["My role"], strict=True)) == {
        "bob's project": "owner",
        "Penguin team": "viewer",
    }
    app.text_input(key="project_name").set_value("Penguin")
    app = app.run()
    assert list(app.dataframe[0].value["Name"]) == ["Penguin team"]
    app = press(app, "Open")
    assert app.query_params["id"] == str(TEAM)
    assert [title.value for title in app.title] == ["Penguin team"]
    assert "You may read what is in it." in said(app)


def test_archived_projects_are_shown_when_asked_for(sign_in: Open, world: World) -> None:
    _share(world)
    world.projects.found[TEAM] = world.projects.found[TEAM].model_copy(update={"archived": True})
    app = sign_in("ada", "projects")
    assert list(app.dataframe[0].value["Name"]) == ["ada's project"]
    app = app.selectbox(key="shown").set_value("archived").run()
    assert list(app.dataframe[0].value["Name"]) == ["Penguin team"]


def test_member_makes_a_project_and_is_led_to_its_members(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "projects"), "New project")
    app = press(app, "Make project")
    assert "A project needs a name." in said(app)
    app.text_input(key="new_project.name").set_value("Penguin team")
    app = press(app, "Make project")
    made = max(world.projects.found)
    assert world.projects.found[made].name == "Penguin team"
    assert app.query_params["id"] == str(made)
    assert "Add a member" in labels(app)


def test_content_leads_to_what_is_in_the_project(sign_in: Open, world: World) -> None:
    _share(world)
    app = sign_in("ada", "project", id=str(TEAM))
    names = [name for table in app.dataframe for name in table.value["Name"]]
    assert names == ["the team's fit", "the team's data"]
    app = app.button(key=f"fits_of_{TEAM}.open").click().run()
    assert app.query_params["id"] == "60"


def test_file_dropped_on_a_project_goes_into_it(sign_in: Open, world: World) -> None:
    _share(world)
    drop(sign_in("ada", "project", id=str(TEAM)), "more.csv", b"a,b\n1,2\n")
    assert world.datasets[max(world.datasets)].project_id == TEAM


def test_upload_goes_into_the_chosen_project_and_the_choice_is_kept(
    sign_in: Open, world: World
) -> None:
    _share(world)
    app = sign_in("ada", "datasets")
    assert app.selectbox(key="datasets.project").value == 1
    app = app.selectbox(key="datasets.project").set_value(TEAM).run()
    drop(app, "more.csv", b"a,b\n1,2\n")
    assert world.datasets[max(world.datasets)].project_id == TEAM
    app = go_to(app, "")
    assert app.selectbox(key="home.project").value == TEAM


def test_lists_are_filtered_by_the_project_in_the_address(sign_in: Open, world: World) -> None:
    _share(world)
    app = sign_in("ada", "fits", project=str(TEAM))
    table = app.dataframe[0].value
    assert list(zip(table["No."], table["Project"], strict=True)) == [(60, "Penguin team")]
    app = go_to(app, "datasets", project=str(TEAM))
    assert list(app.dataframe[0].value["No."]) == [61]


def test_owner_changes_a_role_and_removes_a_member(sign_in: Open, world: World) -> None:
    _share(world, bob=ProjectRole.VIEWER)
    app = sign_in("ada", "project", id=str(TEAM), tab="Members")
    box = next(box for box in app.selectbox if box.label == "Role of bob")
    app = box.set_value("editor").run()
    assert world.projects.members[TEAM]["bob"] is ProjectRole.EDITOR
    assert "bob is an editor now." in said(app)
    app = press(app, "Remove")
    app = app.button(key="remove_member_now.confirm").click().run()
    assert "bob" not in world.projects.members[TEAM]
    assert "bob is no longer a member." in said(app)


def test_refused_role_is_explained_once(sign_in: Open, world: World) -> None:
    _share(world, vic=ProjectRole.VIEWER)
    app = sign_in("ada", "project", id=str(TEAM), tab="Members")
    box = next(box for box in app.selectbox if box.label == "Role of vic")
    app = box.set_value("editor").run()
    assert "this account may only read" in said(app)
    app = app.run()
    assert "this account may only read" not in said(app)
    assert next(box for box in app.selectbox if box.label == "Role of vic").value == "viewer"


def test_member_leaves_and_the_project_is_gone(sign_in: Open, world: World) -> None:
    _share(world, bob=ProjectRole.VIEWER)
    app = press(sign_in("bob", "project", id=str(TEAM), tab="Members"), "Leave this project")
    app = app.button(key="leave_now.confirm").click().run()
    assert "You have left Penguin team." in said(app)
    app = go_to(app, "fit", id="60")
    assert "No fit 60, or it is not shared with you." in said(app)


def test_last_owner_is_told_why_they_cannot_leave(sign_in: Open, world: World) -> None:
    _share(world)
    app = sign_in("ada", "project", id=str(TEAM), tab="Members")
    assert "You cannot leave: nobody else owns this project. Give it to somebody" in said(app)
    assert "Leave this project" not in labels(app)
    world.projects.members[TEAM]["bob"] = ProjectRole.OWNER
    app = press(app.run(), "Leave this project")
    assert "nobody else owns this project" not in said(app)
    del world.projects.members[TEAM]["bob"]
    app = app.button(key="leave_now.confirm").click().run()
    assert "This is the project's last owner." in said(app)
    assert "ada" in world.projects.members[TEAM]


def test_owner_gives_the_project_away(sign_in: Open, world: World) -> None:
    _share(world, bob=ProjectRole.VIEWER)
    app = press(sign_in("ada", "project", id=str(TEAM), tab="Members"), "Give it to somebody")
    app.selectbox(key=f"transfer.{TEAM}.username").set_value("bob")
    app = press(app, "Give it away")
    assert world.projects.members[TEAM]["bob"] is ProjectRole.OWNER
    assert "Members are let in by bob." in said(app)


def test_owner_archives_and_takes_out_again(sign_in: Open, world: World) -> None:
    _share(world)
    app = press(sign_in("ada", "project", id=str(TEAM), tab="Settings"), "Archive")
    assert "becomes read-only; planned retrainings do not start" in said(app)
    world.projects.members[TEAM]["bob"] = ProjectRole.VIEWER
    assert "read-only for all of its 2 members; planned" in said(app.run())
    app = press(app, "Archive this project")
    assert world.projects.found[TEAM].archived
    assert "Take it out of the archive" in said(app)
    app = press(app, "Take out of the archive")
    assert not world.projects.found[TEAM].archived


def test_project_is_deleted_only_by_its_typed_name(sign_in: Open, world: World) -> None:
    _share(world)
    app = press(sign_in("ada", "project", id=str(TEAM), tab="Settings"), "Delete")
    app = press(app, "Delete this project")
    assert "That is not the project's name." in said(app)
    app.text_input(key=f"delete_project.{TEAM}.name").set_value("Penguin team")
    app = press(app, "Delete this project")
    assert TEAM not in world.projects.found
    assert f"Project {TEAM}, Penguin team, is in the trash" in said(app)


def test_personal_project_says_what_cannot_be_done(sign_in: Open) -> None:
    app = sign_in("ada", "project", id="1", tab="Settings")
    assert "cannot be archived, deleted or given away" in said(app)
    assert not {"Archive", "Delete"} & set(labels(app))
    app = go_to(app, "project", id="1", tab="Members")
    assert not {"Leave this project", "Give it to somebody"} & set(labels(app))


def test_reader_sees_members_and_settings_without_buttons(sign_in: Open, world: World) -> None:
    _share(world, bob=ProjectRole.VIEWER)
    app = sign_in("bob", "project", id=str(TEAM), tab="Members")
    assert list(app.dataframe[0].value["User"]) == ["ada", "bob"]
    assert not {"Add a member", "Remove", "Give it to somebody"} & set(labels(app))
    app = go_to(app, "project", id=str(TEAM), tab="Settings")
    assert "Its owner changes these: ada." in said(app)
    assert not {"Save", "Archive", "Delete"} & set(labels(app))


def test_absent_and_foreign_project_read_the_same(sign_in: Open, world: World) -> None:
    _share(world)
    app = sign_in("bob")
    for number in (TEAM, 999):
        app = go_to(app, "project", id=str(number))
        assert f"No project {number}, or it is not shared with you." in said(app)
        assert "ada" not in said(app)


def test_text_of_projects_is_never_markdown(sign_in: Open, world: World) -> None:
    evil = "![x](http://evil.test/x.png) <b>bold</b>"
    _share(world)
    update = {"name": evil, "description": evil}
    world.projects.found[TEAM] = world.projects.found[TEAM].model_copy(update=update)
    app = sign_in("ada")
    for page, parameters in (
        ("projects", {}),
        ("project", {"id": str(TEAM)}),
        ("project", {"id": str(TEAM), "tab": "Settings"}),
        ("fit", {"id": "60"}),
        ("dataset", {"id": "61"}),
    ):
        app = go_to(app, page, **parameters)
        assert "![x]" not in texts(app)
        assert all("![x]" not in link.proto.label for link in app.get("page_link"))
