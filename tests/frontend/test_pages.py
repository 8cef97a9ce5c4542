"""Each page as a user with each role sees it."""

import pytest

from backend.fits.schemas import ResidualRow
from backend.fits.states import FitState
from frontend.text import plain
from tests.frontend.conftest import Open, drop, go_to, labels, press, said, stop_answering, texts
from tests.frontend.world import Refusal, World, make_fit

CSV = b"a,b\n1,2\n"


PAGES: tuple[tuple[str, dict[str, str]], ...] = (
    ("", {}),
    ("new", {}),
    ("new", {"dataset": "7", "v": "1"}),
    ("fits", {}),
    ("fit", {"id": "42"}),
    ("fit", {}),
    ("datasets", {}),
    ("dataset", {"id": "7"}),
    ("dataset", {}),
    ("models", {}),
    ("model", {}),
    ("admin", {}),
    ("account", {}),
)


@pytest.mark.parametrize("username", ["ada", "vic", "bob"])
def test_every_page_draws_for_every_role(sign_in: Open, username: str) -> None:
    app = sign_in(username)
    for page, parameters in PAGES:
        app = go_to(app, page, **parameters)
        assert not app.exception, (page, parameters)
        assert len(app.title) == 1, (page, parameters)


@pytest.mark.parametrize(("page", "hidden"), [("fit", "50"), ("dataset", "8")])
def test_forbidden_and_absent_read_the_same(sign_in: Open, page: str, hidden: str) -> None:
    app = sign_in("ada")
    for number in (hidden, "999"):
        app = go_to(app, page, id=number)
        said = texts(app)
        assert f"No {page} {number}, or it is not shared with you." in said
        assert "bob" not in said


@pytest.mark.parametrize("number", ["9999999999999999999999", "x", "-1"])
def test_address_that_is_no_number_asks_which_one(sign_in: Open, number: str) -> None:
    app = sign_in("ada", "fit", id=number)
    assert "Which one?" in texts(app)


def test_dropped_file_becomes_a_form_and_run_leads_to_the_fit(sign_in: Open, world: World) -> None:
    app = drop(sign_in("ada"), "penguins2.csv", CSV)
    assert world.uploads == ["penguins2.csv"]
    assert [box.value for box in app.selectbox if box.label == "Predict"] == ["body_mass_g"]
    assert "Picked for you: last numeric column" in texts(app)
    app = press(app, "Run fit")
    sent = world.sent_fits[-1]
    assert (sent.target, sent.estimator) == ("body_mass_g", "ordinary_least_squares")
    assert sent.features is None
    assert sent.params == {}
    assert app.query_params["id"] == str(max(world.fits))
    assert plain(world.fits[max(world.fits)].name) in texts(app)


def test_refused_upload_says_what_is_wrong_and_what_is_safe(sign_in: Open, world: World) -> None:
    world.refuse_upload = "line 3 has 4 fields, the header has 2"
    app = drop(sign_in("ada"), "bad.csv", CSV)
    error = app.error[0].value
    assert plain("line 3 has 4 fields, the header has 2") in error
    assert "Nothing was stored." in error
    assert "Predict" not in [box.label for box in app.selectbox]


def test_form_follows_the_target(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "new", dataset="7")
    target = next(box for box in app.selectbox if box.label == "Predict")
    app = target.set_value("species").run()
    app = press(app, "Run fit")
    sent = world.sent_fits[-1]
    assert (sent.target, sent.task, sent.estimator) == ("species", "multiclass", "random_forest")


def test_form_sends_only_changed_parameters(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "new", dataset="7")
    estimator = next(box for box in app.selectbox if box.label == "Estimator")
    app = estimator.set_value(0).run()
    next(box for box in app.number_input if box.label == "Neighbours").set_value(11)
    app = press(app, "Run fit")
    sent = world.sent_fits[-1]
    assert (sent.estimator, sent.params) == ("k_nearest_neighbors", {"n_neighbors": 11})


def test_refused_fit_keeps_the_form_and_names_the_field(sign_in: Open, world: World) -> None:
    world.refuse_fit = Refusal(422, "alpha: too small", params__alpha="too small")
    app = press(sign_in("ada", "new", dataset="7"), "Run fit")
    assert f"{plain('params.alpha')}: too small" in texts(app)
    assert "Run fit" in labels(app)


def test_silent_server_keeps_the_form_and_a_second_press_is_the_same_fit(
    sign_in: Open, world: World, monkeypatch: pytest.MonkeyPatch, api_address: str
) -> None:
    app = sign_in("ada", "new", dataset="7")
    next(box for box in app.slider if box.label == "Hold-out share").set_value(30)
    world.refuse_fit = Refusal(503, "The database does not answer.")
    app = press(app, "Run fit")
    world.refuse_fit = None
    app = press(app, "Run fit")
    assert world.sent_keys[-1] == world.sent_keys[-2]
    app = go_to(app, "new", dataset="7")
    stop_answering(monkeypatch)
    app = app.run()
    assert "Your form is kept" in texts(app)
    assert api_address


def test_fit_shows_metrics_verdict_and_plot(sign_in: Open) -> None:
    app = sign_in("ada", "fit", id="42")
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown == {"R²": "0.8615", "RMSE": "301.2", "Mean absolute error": "240.1"}
    pictures = [element.proto.body for element in app.get("html") if "<img" in element.proto.body]
    assert any('src="/goodfit/plots/42/residuals.png?theme=light' in body for body in pictures)
    assert any("alt=" in body and "&quot;body_mass_g&quot;" in body for body in pictures)
    assert "The red line bends" in texts(app)
    assert "Rerun" in labels(app)


def test_running_fit_shows_progress_and_ends_in_results(sign_in: Open, world: World) -> None:
    world.fits[60] = make_fit(60, "ada", 1, FitState.RUNNING)
    world.polls_until_done = 3
    app = sign_in("ada", "fit", id="60")
    assert "Cancel" in labels(app)
    for _ in range(3):
        app = app.run()
    assert app.metric
    assert "Cancel" not in labels(app)


def test_cancel_ends_the_fit(sign_in: Open, world: World) -> None:
    world.fits[60] = make_fit(60, "ada", 1, FitState.RUNNING)
    world.polls_until_done = 100
    press(sign_in("ada", "fit", id="60"), "Cancel")
    assert world.fits[60].state is FitState.CANCELLED


def test_failed_fit_says_why_and_what_is_safe(sign_in: Open) -> None:
    said = texts(sign_in("ada", "fit", id="43"))
    assert "The target has one value only" in said.replace("\\", "")
    assert "The data are untouched" in said


def test_viewer_is_offered_nothing_that_writes(sign_in: Open, world: World) -> None:
    world.fits[61] = make_fit(61, "vic", 3, FitState.RUNNING)
    world.fits[62] = make_fit(62, "vic", 3, FitState.SUCCEEDED)
    world.polls_until_done = 100
    app = sign_in("vic")
    assert not app.get("file_uploader")
    for page, parameters in (("fits", {}), ("fit", {"id": "61"}), ("fit", {"id": "62"})):
        app = go_to(app, page, **parameters)
        assert not {"Cancel", "Rerun", "New fit", "Run fit"} & set(labels(app))


def test_fit_selected_in_the_table_stays_when_another_arrives(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "fits")
    app.session_state["goodfit.selected_fit"] = 41
    world.fits[70] = make_fit(70, "ada", 1, FitState.SUCCEEDED)
    app = app.run()
    assert app.session_state["goodfit.selected_fit"] == 41
    assert press(app, "Open").query_params["id"] == "41"


def test_user_text_is_never_markdown(sign_in: Open, world: World) -> None:
    evil = "![x](http://evil.test/x.png) <b>bold</b>"
    world.fits[42] = world.fits[42].model_copy(update={"name": evil, "dataset_name": evil})
    world.datasets[7] = world.datasets[7].model_copy(update={"name": evil})
    app = sign_in("ada")
    for page, parameters in (
        ("", {}),
        ("fit", {"id": "42"}),
        ("dataset", {"id": "7"}),
        ("new", {"dataset": "7"}),
    ):
        app = go_to(app, page, **parameters)
        assert "![x]" not in texts(app)
        assert "<b>" not in texts(app)
        assert all("![x]" not in link.proto.label for link in app.get("page_link"))


def test_end_of_another_session(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "account", part="Sessions"), "End")
    assert "ended 11 of ada" in world.calls
    assert "That session has ended." in said(app)


def test_classes_show_only_the_rows_that_were_wrong(sign_in: Open, world: World) -> None:
    changes = {"task": "multiclass", "metrics": {"accuracy": 0.9}, "baseline_metrics": {}}
    world.fits[42] = world.fits[42].model_copy(update=changes)
    world.residuals = [
        ResidualRow(row=5, observed="Gentoo", predicted="Adelie", residual=None),
        ResidualRow(row=6, observed="Adelie", predicted="Adelie", residual=None),
    ]
    app = sign_in("ada", "fit", id="42")
    assert "Wrong predictions" in texts(app)
    assert [list(row) for row in app.dataframe[0].value.to_numpy()] == [[5, "Gentoo", "Adelie"]]
