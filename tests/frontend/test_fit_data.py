"""Fits whose dataset stayed in another project."""

import pytest
from streamlit.testing.v1 import AppTest

from backend.core.access import ProjectRole
from backend.fits.states import FitState
from tests.frontend.conftest import Open, go_to, labels, said
from tests.frontend.model_world import add_model
from tests.frontend.world import World, make_fit

TEAM = 20
UNSEEN = "Its dataset is not shared with you, so you cannot run this fit again."
READ_ONLY = "Its dataset is in ada's project, which you may only read: you cannot run this fit"


@pytest.fixture
def shared(world: World) -> World:
    """Two fits and a model in a project that bob edits; their dataset is in ada's own one."""
    world.projects.add(TEAM, "ada", "Penguin team")
    world.projects.members[TEAM]["bob"] = ProjectRole.EDITOR
    for number in (41, 43):
        world.fits[number] = world.fits[number].model_copy(update={"project_id": TEAM})
    add_model(world, 3, [41])
    return world


def _targets(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


def test_fit_of_an_unseen_dataset_cannot_be_rerun(sign_in: Open, shared: World) -> None:
    assert shared.projects.members[TEAM]["bob"] is ProjectRole.EDITOR
    app = sign_in("bob", "fit", id="41")
    assert UNSEEN in said(app)
    assert "Rerun" not in labels(app)
    assert "Dataset 7 · penguins, version 1, not shared with you" in said(app)
    assert not [label for label in _targets(app) if "Dataset 7" in label]
    app = go_to(app, "fit", id="43")
    assert UNSEEN in said(app)
    assert "Change the form" not in _targets(app)
    app = go_to(app, "model", id="3")
    assert "penguins, version 1, not shared with you" in said(app)


def test_list_of_fits_offers_no_rerun_either(sign_in: Open, shared: World) -> None:
    shared.fits[50] = shared.fits[50].model_copy(update={"dataset_id": 8})
    app = sign_in("bob", "fits")
    assert "Rerun" in labels(app)
    app = next(box for box in app.selectbox if box.label == "Fit no.").set_value(41).run()
    assert "Rerun" not in labels(app)
    assert UNSEEN in said(app)


def test_reader_of_the_dataset_is_told_where_it_is(sign_in: Open, shared: World) -> None:
    shared.projects.members[1]["bob"] = ProjectRole.VIEWER
    app = sign_in("bob", "fit", id="41")
    assert READ_ONLY in said(app)
    assert "Rerun" not in labels(app)
    assert [label for label in _targets(app) if "Dataset 7" in label]
    shared.projects.members[1]["bob"] = ProjectRole.EDITOR
    app = app.run()
    assert "Its dataset" not in said(app)
    assert "Rerun" in labels(app)


def test_reader_of_the_fit_is_told_once(sign_in: Open, shared: World) -> None:
    shared.projects.members[TEAM]["bob"] = ProjectRole.VIEWER
    app = sign_in("bob", "fit", id="41")
    assert "You may read this project." in said(app)
    assert UNSEEN not in said(app)


def test_unfinished_fit_is_only_watched(sign_in: Open, shared: World) -> None:
    shared.polls_until_done = 9
    shared.fits[44] = make_fit(44, "ada", TEAM, FitState.RUNNING)
    app = sign_in("bob", "fit", id="44")
    assert "Cancel" in labels(app)
    assert UNSEEN not in said(app)
