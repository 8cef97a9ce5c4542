"""The form of a new fit: what its blocks send, and what it starts from."""

from typing import Any

from streamlit.testing.v1 import AppTest

from backend.fits.states import FitState
from frontend.text import plain
from tests.frontend.conftest import Open, go_to, labels, press, said, texts
from tests.frontend.world import Refusal, World, make_fit


def _box(app: AppTest, kind: str, label: str) -> Any:
    return next(box for box in app.get(kind) if getattr(box, "label", "") == label)


def _form(sign_in: Open, **parameters: str) -> AppTest:
    return sign_in("ada", "new", dataset="7", **parameters)


def test_form_as_it_comes_sends_the_usual_request(sign_in: Open, world: World) -> None:
    press(_form(sign_in), "Run fit")
    sent = world.sent_fits[-1]
    assert sent.validation.model_dump() == {
        "kind": "holdout",
        "test_size": 0.2,
        "shuffle": True,
    }
    assert sent.preprocessing.columns == {}
    assert sent.preprocessing.features == ()
    assert (sent.search, sent.main_metric, sent.weights) == (None, None, None)
    assert (sent.limits.seconds, sent.limits.memory_bytes) == (None, None)


def test_summary_and_estimate_say_what_will_run(sign_in: Open, world: World) -> None:
    app = _form(sign_in)
    assert "predicts **body_mass_g** from all usable columns; 20 % of 344 rows" in said(app)
    assert "Takes about 4.2 s, by 3 similar fits." in said(app)
    assert world.desk.estimated[-1]["target"] == "body_mass_g"


def test_repeated_folds_with_metric_limits_and_notes_are_sent(sign_in: Open, world: World) -> None:
    app = _form(sign_in)
    app = _box(app, "selectbox", "Scored by").set_value("repeated").run()
    _box(app, "number_input", "Repeats").set_value(4)
    _box(app, "selectbox", "Main metric").set_value("rmse")
    _box(app, "number_input", "Time limit in seconds").set_value(60)
    _box(app, "number_input", "Memory limit in GB").set_value(1.5)
    _box(app, "text_area", "Notes").set_value("# why")
    press(app, "Run fit")
    sent = world.sent_fits[-1]
    assert sent.validation.model_dump() == {"kind": "repeated", "folds": 5, "repeats": 4}
    assert (sent.main_metric, sent.notes) == ("rmse", "# why")
    assert (sent.limits.seconds, sent.limits.memory_bytes) == (60, 1_500_000_000)


def test_validation_by_columns_and_by_another_fit(sign_in: Open, world: World) -> None:
    app = _form(sign_in)
    for kind in ("group", "time", "same_rows"):
        app = go_to(app, "new", dataset="7")
        app = _box(app, "selectbox", "Scored by").set_value(kind).run()
        app = press(app, "Run fit")
    group, time, same = (fit.validation.model_dump() for fit in world.sent_fits)
    assert group == {"kind": "group", "column": "species", "folds": 5}
    assert time == {"kind": "time", "column": None, "folds": 5, "gap": 0}
    assert same == {"kind": "same_rows", "fit_id": same["fit_id"]}
    assert same["fit_id"] in world.fits


def test_preset_and_search_over_the_shown_space(sign_in: Open, world: World) -> None:
    app = _form(sign_in)
    app = _box(app, "selectbox", "Estimator").set_value(2).run()
    app = _box(app, "button_group", "Preset").set_value("fast").run()
    assert _box(app, "number_input", "Trees").value == 30
    app = _box(app, "toggle", "Search").set_value(True).run()
    _box(app, "number_input", "Trials").set_value(12)
    press(app, "Run fit")
    sent = world.sent_fits[-1]
    assert (sent.estimator, sent.preset, sent.params) == ("random_forest", "fast", {})
    assert sent.search is not None
    assert (sent.search.kind, sent.search.trials, sent.search.space) == ("tpe", 12, None)


def test_preprocessing_is_sent(sign_in: Open, world: World) -> None:
    app = _form(sign_in)
    _box(app, "multiselect", "Spline of").set_value(["flipper_length_mm"])
    _box(app, "button_group", "Transform the target").set_value("log")
    _box(app, "selectbox", "Weights of the rows").set_value("year")
    app = app.run()
    assert "Spline of flipper_length_mm" in said(app)
    press(app, "Run fit")
    sent = world.sent_fits[-1]
    assert (sent.target_transform, sent.weights) == ("log", "year")
    assert [step.model_dump() for step in sent.preprocessing.features] == [
        {"kind": "spline", "columns": ("flipper_length_mm",), "knots": 5, "degree": 3}
    ]


def test_problem_stands_in_its_block_and_by_the_button(sign_in: Open, world: World) -> None:
    world.refuse_fit = Refusal(422, "no", validation__column="is no column")
    app = press(_form(sign_in), "Run fit")
    shown = [error.value for error in app.error]
    assert f"{plain('validation.column')}: is no column" in shown
    assert "column: is no column" in shown
    assert "Run fit" in labels(app)


def test_rerun_with_changes_starts_from_the_fit(sign_in: Open, world: World) -> None:
    world.fits[42] = make_fit(
        42,
        "ada",
        1,
        FitState.SUCCEEDED,
        estimator="random_forest",
        params={"n_estimators": 77, "max_depth": None},
        features=["species", "year"],
        validation={"kind": "kfold", "folds": 7, "shuffle": True},
        seed=5,
    )
    app = press(sign_in("ada", "fit", id="42"), "Rerun with changes")
    assert app.query_params["again"] == "42"
    app = go_to(app, "new", dataset="7", v="1", again="42")
    assert _box(app, "number_input", "Trees").value == 77
    assert _box(app, "number_input", "Folds").value == 7
    _box(app, "number_input", "Seed").set_value(6)
    press(app, "Run fit")
    number, changes = world.desk.reruns[-1]
    assert number == 42
    assert (changes["params"], changes["seed"]) == ({"n_estimators": 77}, 6)
    assert changes["features"] == ["species", "year"]
    assert changes["validation"] == {"kind": "kfold", "folds": 7, "shuffle": True}
    assert changes["search"] is None


def test_silent_estimate_keeps_nobody_from_running(sign_in: Open, world: World) -> None:
    world.desk.estimate = world.desk.estimate.model_copy(update={"seconds": None})
    app = _form(sign_in)
    assert "Takes about" not in texts(app)
    assert "Run fit" in labels(app)


def test_several_estimators_become_a_leaderboard(sign_in: Open, world: World) -> None:
    app = _form(sign_in)
    _box(app, "multiselect", "Estimators").set_value(["random_forest", "ordinary_least_squares"])
    _box(app, "number_input", "Time budget in minutes").set_value(2)
    app = press(app, "Start the leaderboard")
    sent = world.desk.sent_boards[-1]
    assert sent.estimators == ["random_forest", "ordinary_least_squares"]
    assert (sent.budget_seconds, sent.target, sent.preset) == (120, "body_mass_g", "balanced")
    assert app.query_params["id"] == str(max(world.desk.boards))
