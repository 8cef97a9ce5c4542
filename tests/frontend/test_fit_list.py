"""The list of fits: what stays where it is, what is asked for, and what is done with several."""

import pytest
from streamlit.testing.v1 import AppTest

from backend.fits.states import FitState
from tests.frontend.conftest import Open, choose_fits, go_to, labels, press, said, texts
from tests.frontend.world import World, make_fit


def _numbers(app: AppTest) -> list[int]:
    return [int(number) for number in app.dataframe[0].value["No."]]


def test_ticked_fit_stays_and_no_row_moves_when_another_arrives(
    sign_in: Open, world: World
) -> None:
    app = sign_in("ada")
    app.session_state["goodfit.ticked_fits"] = (41,)
    app = go_to(app, "fits")
    before = _numbers(app)
    world.fits[70] = make_fit(70, "ada", 1, FitState.SUCCEEDED)
    app = app.run()
    assert _numbers(app) == before
    app = press(app, "Show 1 new fit")
    assert _numbers(app) == [70, *before]
    assert app.session_state["goodfit.ticked_fits"] == (41,)
    assert press(app, "Open").query_params["id"] == "41"


def test_reader_who_comes_back_finds_the_newest(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "fits")
    world.fits[70] = make_fit(70, "ada", 1, FitState.SUCCEEDED)
    app = go_to(go_to(app, "datasets"), "fits")
    assert _numbers(app)[0] == 70
    assert "Show 1 new fit" not in labels(app)


def test_row_tells_state_spread_and_baseline(sign_in: Open, world: World) -> None:
    world.fits[42] = world.fits[42].model_copy(
        update={"metric_spread": {"r2": {"mean": 0.86, "sd": 0.0123}}, "starred": True}
    )
    world.fits[60] = make_fit(60, "ada", 1, FitState.QUEUED, position=2)
    table = sign_in("ada", "fits").dataframe[0].value.set_index("No.")
    assert table.loc[60, "State"] == "queued, 2 before you"
    assert table.loc[42, "Result"] == "R² 0.8615 ± 0.0123"
    assert table.loc[42, "Baseline"] == "-0.003"
    assert table.loc[42, "★"] == "★"


def test_address_says_filters_and_order(sign_in: Open, world: World) -> None:
    parameters = {"sort": "metrics.rmse", "search": "mass", "tag": "season", "shelf": "archived"}
    app = sign_in("ada", "fits", **parameters, mine="true")
    asked = world.desk.asked[-1]
    for part in ("sort=metrics.rmse", "search=mass", "tag=season", "archived=true", "mine=true"):
        assert part in asked
    assert "No fit matches these filters." in texts(app)
    order = next(box for box in app.selectbox if box.label == "Order")
    assert order.options[order.index or 0] == "RMSE, best first"


def test_older_fits_are_on_the_next_page(sign_in: Open, world: World) -> None:
    world.desk.page_size = 2
    app = sign_in("ada", "fits")
    assert _numbers(app) == [43, 42]
    app = press(app, "Older ones")
    assert _numbers(app) == [41]
    assert "Older ones" not in labels(app)
    assert _numbers(press(app, "Newer ones")) == [43, 42]


@pytest.mark.parametrize(
    ("label", "action"), [("Star", "star"), ("Archive", "archive"), ("Trash", "trash")]
)
def test_editor_acts_on_several_at_once(
    sign_in: Open, world: World, label: str, action: str
) -> None:
    app = press(choose_fits(sign_in("ada", "fits"), 41, 42), label)
    sent = world.desk.bulk[-1]
    assert (sent.action, sent.ids) == (action, [41, 42])
    assert "2 fits" in said(app)
    assert (_numbers(app) == [43]) is (action != "star")


def test_trash_gives_back(sign_in: Open, world: World) -> None:
    world.fits[41] = world.fits[41].model_copy(update={"trashed_at": world.fits[41].created_at})
    app = choose_fits(sign_in("ada", "fits", shelf="trash"), 41)
    assert "Open" not in labels(app)
    press(app, "Restore")
    assert world.fits[41].trashed_at is None


def test_viewer_of_a_project_may_star_only(sign_in: Open, world: World) -> None:
    world.fits[62] = make_fit(62, "vic", 3, FitState.SUCCEEDED)
    app = choose_fits(sign_in("vic", "fits"), 62)
    assert {"Open", "Star"} <= set(labels(app))
    assert not {"Archive", "Trash", "Add tag", "Rerun"} & set(labels(app))
