"""The share and the move dialogs of datasets, fits and models."""

import pytest
from streamlit.testing.v1 import AppTest

from backend.core.access import ProjectRole
from tests.frontend.conftest import Open, labels, press, said
from tests.frontend.model_world import add_model
from tests.frontend.world import World

TEAM = 20


def _fill(app: AppTest, username: str) -> AppTest:
    app.text_input(key="share.username").set_value(username)
    return app.button(key="share.confirm").click().run()


def test_owner_shares_the_project_and_gets_the_link(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "fit", id="42"), "Share")
    assert "ada's project** is shared as a whole" in said(app)
    assert "it holds 1 dataset and 3 fits now" in said(app)
    app = _fill(app, "bob")
    assert world.projects.members[1]["bob"] is ProjectRole.VIEWER
    assert "bob is a viewer of" in said(app)
    assert [code.value for code in app.code if "fit?id=42" in code.value]
    app = press(app, "Done")
    assert "Send this link" not in said(app)


def test_unknown_user_name_is_said_in_the_dialog(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "dataset", id="7", tab="Share"), "Share")
    app = _fill(app, "")
    assert "Say with whom" in said(app)
    app = _fill(app, "nobody")
    assert "there is nobody with this user name" in said(app)
    assert set(world.projects.members[1]) == {"ada"}


def test_member_is_not_made_less_by_the_dialog(sign_in: Open, world: World) -> None:
    world.projects.members[1]["bob"] = ProjectRole.EDITOR
    app = _fill(press(sign_in("ada", "fit", id="42"), "Share"), "bob")
    assert "already, as editor" in said(app)
    assert world.projects.members[1]["bob"] is ProjectRole.EDITOR


def test_single_fit_is_shared_by_a_new_project(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "fit", id="42"), "Share")
    app = app.segmented_control(key="share.what").set_value("Only this fit").run()
    assert "Its dataset stays where it is" in said(app)
    app = _fill(app, "bob")
    assert "The new project needs a name." in said(app)
    app.text_input(key="share.project").set_value("For bob")
    app = _fill(app, "nobody")
    assert "The fit is where it was" in said(app)
    assert not world.projects.moved
    app = _fill(app, "bob")
    assert len(world.projects.sent_keys) == 1  # the second press made no second project
    made = max(world.projects.found)
    assert world.projects.moved == [("fit", 42, made)]
    assert world.projects.members[made] == {"ada": ProjectRole.OWNER, "bob": ProjectRole.VIEWER}
    assert set(world.projects.members[1]) == {"ada"}
    assert "For bob" in said(app)


def test_reader_is_told_whom_to_ask(sign_in: Open, world: World) -> None:
    world.projects.members[1]["bob"] = ProjectRole.VIEWER
    app = sign_in("bob", "fit", id="42")
    assert "You may read this project. Ask ada to let you edit." in said(app)
    app = press(app, "Share")
    assert "Only an owner shares: ask ada" in said(app)
    assert "share.confirm" not in [button.key for button in app.button]


@pytest.mark.parametrize(("kind", "number"), [("fit", "42"), ("dataset", "7")])
def test_owner_moves_it_into_another_project(
    sign_in: Open, world: World, kind: str, number: str
) -> None:
    world.projects.add(TEAM, "ada", "Penguin team")
    tab = {"tab": "Share"} if kind == "dataset" else {}
    app = sign_in("ada", kind, id=number, **tab)
    app = app.button(key=f"move_{kind}").click().run()
    app = app.button(key=f"move_{kind}_now.confirm").click().run()
    assert world.projects.moved == [(kind, int(number), TEAM)]
    assert "It is in the project Penguin team now." in said(app)
    assert any(link.proto.label == "In Penguin team" for link in app.get("page_link"))


def test_move_without_another_project_says_so(sign_in: Open) -> None:
    app = press(sign_in("ada", "fit", id="42"), "Move")
    assert "You own no other project" in said(app)


def test_fit_of_a_model_moves_with_the_model(sign_in: Open, world: World) -> None:
    add_model(world, 3, [42])
    app = sign_in("ada", "fit", id="42")
    assert "It is a version of penguin mass 3: move the model, and it goes along." in said(app)
    assert "Move" not in labels(app)
    app = press(app, "Share")
    assert "share.what" not in [choice.key for choice in app.segmented_control]
    app = _fill(app, "bob")
    assert world.projects.members[1]["bob"] is ProjectRole.VIEWER


def test_only_owners_are_offered_a_move(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41])
    world.projects.members[1]["bob"] = ProjectRole.EDITOR
    app = sign_in("bob", "model", id="3")
    assert "Share" in labels(app)
    assert "Move" not in labels(app)


def test_end_of_a_share_is_said_with_the_next_action(sign_in: Open, world: World) -> None:
    world.projects.members[1]["bob"] = ProjectRole.EDITOR
    app = sign_in("bob", "fit", id="42")
    del world.projects.members[1]["bob"]
    app = press(app, "Rerun")
    assert "No fit 42, or it is not shared with you." in said(app)
    assert "Rerun" not in labels(app)
