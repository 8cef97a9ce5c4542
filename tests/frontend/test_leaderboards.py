"""The pages of leaderboards."""

import pytest

from backend.fits.schemas import FitErrorOut
from backend.fits.states import FitState
from tests.frontend.api_fits import make_board
from tests.frontend.conftest import Open, labels, press, said, texts
from tests.frontend.world import World, make_fit


@pytest.fixture
def board(world: World) -> int:
    """Two fits are done, one waits and one failed."""
    states = {
        70: (FitState.SUCCEEDED, {"r2": 0.7}),
        71: (FitState.SUCCEEDED, {"r2": 0.9}),
        72: (FitState.QUEUED, {}),
        73: (FitState.FAILED, {}),
    }
    for number, (state, metrics) in states.items():
        world.fits[number] = make_fit(
            number,
            "ada",
            1,
            state,
            metrics=metrics,
            estimator="random_forest",
            leaderboard_id=3,
            error=FitErrorOut(message="It broke.") if state is FitState.FAILED else None,
        )
    left_out = [{"estimator": "k_nearest_neighbors", "reason": "it takes no weights"}]
    world.desk.boards[3] = make_board(3, "ada", 1, total=4, request={"left_out": left_out})
    return 3


def test_ranking_is_by_the_main_metric(sign_in: Open, board: int) -> None:
    app = sign_in("ada", "leaderboard", id=str(board))
    table = app.dataframe[0].value
    assert list(table["Fit"])[:2] == [71, 70]
    assert list(table["Rank"])[:2] == [1, 2]
    assert "It broke." in list(table["Why"])
    assert "Left out: k-nearest neighbours, it takes no weights." in said(app)
    assert press(app, "Open").query_params["id"] == "71"


def test_running_board_is_cancelled_and_then_deleted(
    sign_in: Open, world: World, board: int
) -> None:
    app = press(sign_in("ada", "leaderboard", id=str(board)), "Cancel")
    assert world.desk.boards[board].state == "cancelled"
    app = press(press(app, "Delete"), "Delete")
    app = next(one for one in app.button if one.key == "delete_leaderboard.3.confirm").click().run()
    assert not world.desk.boards
    assert "Leaderboard 3 is deleted." in said(app)


def test_finished_board_offers_its_best_as_a_model(sign_in: Open, world: World, board: int) -> None:
    world.desk.boards[board] = make_board(
        board, "ada", 1, state="finished", best_fit_id=71, seconds_left=None
    )
    app = sign_in("ada", "leaderboard", id=str(board))
    assert next(box for box in app.selectbox if box.label == "Fit no.").value == 71
    assert "Register as model" in labels(app)


def test_list_opens_one_and_strangers_find_nothing(sign_in: Open, board: int) -> None:
    app = sign_in("ada", "leaderboards")
    assert list(app.dataframe[0].value["No."]) == [board]
    assert press(app, "Open").query_params["id"] == str(board)
    app = sign_in("bob", "leaderboard", id=str(board))
    assert f"No leaderboard {board}, or it is not shared with you." in texts(app)
