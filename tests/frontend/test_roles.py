"""What each role is offered on each page."""

import pytest

from backend.core.access import ProjectRole
from backend.fits.states import FitState
from tests.frontend.conftest import Open, go_to, labels, said
from tests.frontend.model_world import add_model
from tests.frontend.world import World, make_fit

WRITING = {
    *("Fit this", "Run fit", "Rerun", "Cancel", "Register as model", "Rename or describe"),
    *("Delete", "Promote version 1", "Roll back to version 1", "Add step", "Move"),
}
PAGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("datasets", {}),
    ("dataset", {"id": "7"}),
    ("new", {"dataset": "7"}),
    ("fits", {}),
    ("fit", {"id": "42"}),
    ("fit", {"id": "43"}),
    ("fit", {"id": "60"}),
    ("models", {}),
    ("model", {"id": "3"}),
    ("project", {"id": "1"}),
)
DROP_ZONES = ("dataset", "project")


@pytest.fixture(autouse=True)
def ada_has_a_model_and_a_running_fit(world: World) -> None:
    add_model(world, 3, [41, 42], champion=2)
    world.fits[60] = make_fit(60, "ada", 1, FitState.RUNNING)
    world.polls_until_done = 100


@pytest.mark.parametrize("username", ["bob", "vic"])
def test_reader_is_offered_nothing_that_writes(sign_in: Open, world: World, username: str) -> None:
    world.projects.members[1][username] = ProjectRole.VIEWER
    app = sign_in(username)
    for page, parameters in PAGES:
        app = go_to(app, page, **parameters)
        assert not app.exception, page
        assert not WRITING & set(labels(app)), page
        if page in DROP_ZONES:
            assert not app.get("file_uploader"), page
            assert "You may read" in said(app), page


def test_reader_is_told_whom_to_ask_on_each_page(sign_in: Open, world: World) -> None:
    world.projects.members[1]["bob"] = ProjectRole.VIEWER
    app = sign_in("bob")
    for page, parameters in PAGES:
        if page in ("models", "project"):  # these only lead to other pages, or say the role
            continue
        app = go_to(app, page, **parameters)
        assert "You may read this project. Ask ada to let you edit." in said(app), page


def test_archived_project_is_read_only_for_its_owner_too(sign_in: Open, world: World) -> None:
    world.projects.found[1] = world.projects.found[1].model_copy(update={"archived": True})
    app = sign_in("ada")
    for page, parameters in PAGES:
        app = go_to(app, page, **parameters)
        assert not app.exception, page
        assert not (WRITING - {"Cancel"}) & set(labels(app)), page
        assert page == "models" or "Take it out of the archive" in said(app), page
    app = go_to(app, "fit", id="60")
    assert "Cancel" in labels(app)  # what runs may be stopped


def test_archived_project_takes_no_upload(sign_in: Open, world: World) -> None:
    world.projects.add(20, "ada", "Penguin team")
    world.projects.add(21, "ada", "Old penguins")
    world.projects.found[21] = world.projects.found[21].model_copy(update={"archived": True})
    app = sign_in("ada", "datasets")
    assert app.selectbox(key="datasets.project").options == ["ada's project", "Penguin team"]


def test_editor_changes_but_does_not_move(sign_in: Open, world: World) -> None:
    world.projects.members[1]["bob"] = ProjectRole.EDITOR
    app = sign_in("bob", "model", id="3")
    assert {"Promote version 2", "Rename or describe", "Delete"} <= set(labels(app))
    assert "Move" not in labels(app)
    app = go_to(app, "fit", id="42")
    assert "Rerun" in labels(app)


def test_administrator_is_offered_all_in_a_foreign_project(sign_in: Open, world: World) -> None:
    world.passwords["admin"] = world.passwords["ada"]
    app = sign_in("admin", "fit", id="43")
    assert {"Rerun", "Share", "Move"} <= set(labels(app))
    app = go_to(app, "project", id="2", tab="Members")
    assert "You see it as an administrator." in said(app)
    assert "Add a member" in labels(app)


def test_platform_viewer_gets_no_new_project(sign_in: Open) -> None:
    app = sign_in("vic", "projects")
    assert app.title[0].value == "Projects"
    assert "New project" not in labels(app)


def test_archived_project_is_not_retrained(sign_in: Open, world: World) -> None:
    world.passwords["admin"] = world.passwords["ada"]
    world.projects.found[1] = world.projects.found[1].model_copy(update={"archived": True})
    app = sign_in("admin", "model", id="3", tab="Retraining")
    assert "No retraining yet." in said(app)
    assert not {"Retrain", "Save"} & set(labels(app))
