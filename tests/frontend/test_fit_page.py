"""The page of a fit: live parts, tabs, notes, and what is done with it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from backend.fits.result_schemas import EventOut
from backend.fits.schemas import FitErrorOut
from backend.fits.states import FitState
from frontend.fit_notes import pieces
from tests.frontend.conftest import Open, go_to, labels, press, said, texts
from tests.frontend.fit_world import make_coefficients, make_trials
from tests.frontend.world import World, make_fit


def _event(number: int, kind: str, **content: Any) -> EventOut:
    values = {"id": number, "attempt": 1, "kind": kind, "content": content}
    return EventOut.model_validate({**values, "at": datetime.now(UTC)})


def _code(app: AppTest) -> str:
    return "\n".join(element.value for element in app.code)


def _links(app: AppTest) -> list[str]:
    return [element.proto.label for element in app.get("page_link")]


def test_waiting_fit_says_its_place_and_the_usual_time(sign_in: Open, world: World) -> None:
    world.polls_until_done = 100
    world.fits[60] = make_fit(60, "ada", 1, FitState.RUNNING, started_at=None)
    world.fits[60] = world.fits[60].model_copy(
        update={"position": 2, "progress_message": "", "estimated_seconds": 75.0}
    )
    app = sign_in("ada", "fit", id="60")
    assert "similar fits took about 75 s" in texts(app)
    assert "Cancel" in labels(app)


def test_running_fit_shows_log_folds_and_trials(sign_in: Open, world: World) -> None:
    world.polls_until_done = 100
    world.fits[60] = make_fit(60, "ada", 1, FitState.RUNNING, search={"kind": "tpe"})
    world.desk.trials[60] = make_trials(4)
    world.desk.events[60] = [
        _event(1, "log", text="344 rows read"),
        _event(2, "metrics", fold=1, metrics={"r2": 0.8}),
    ]
    app = sign_in("ada", "fit", id="60")
    assert "344 rows read" in _code(app)
    assert "Best: trial 2 with R² 0.52" in said(app)
    assert [list(row) for row in app.dataframe[-1].value.to_numpy()] == [[2, "0.8"]]
    world.desk.events[60].append(_event(3, "log", text="fold 2 of 5"))
    app = app.run()
    assert _code(app).count("344 rows read") == 1
    assert "fold 2 of 5" in _code(app)


def test_failed_fit_gives_cause_advice_and_the_end_of_its_log(sign_in: Open, world: World) -> None:
    world.fits[43] = world.fits[43].model_copy(
        update={"error": FitErrorOut(message="memory limit 2 GB", code="memory_limit")}
    )
    world.desk.events[43] = [_event(number, "log", text=f"line {number}") for number in range(30)]
    app = sign_in("ada", "fit", id="43")
    assert "memory limit 2 GB" in said(app)
    assert "Give it more memory" in said(app)
    assert "line 29" in _code(app)
    assert "line 9\n" not in _code(app)
    assert "Rerun with changes" in _links(app)


def test_metrics_tab_has_intervals_and_folds(sign_in: Open, world: World) -> None:
    folds = [
        {"repeat": 0, "fold": fold, "rows": 69, "metrics": {"r2": 0.8 + fold / 100}}
        for fold in range(3)
    ]
    changed = {**world.fits[42].model_dump(), "fold_metrics": folds}
    changed["metric_spread"] = {"r2": {"mean": 0.81, "sd": 0.01}}
    world.fits[42] = type(world.fits[42]).model_validate(changed)
    app = sign_in("ada", "fit", id="42")
    assert "R²: 95 % interval from 0.81 to 0.9" in said(app)
    assert "Over 3 folds: 0.81 ± 0.01" in said(app)
    every, by_fold = (table.value for table in app.dataframe[:2])
    assert list(every["Metric"]) == ["R²", "RMSE", "Mean absolute error"]
    assert list(every["Better is"]) == ["more", "less", "less"]
    assert list(by_fold["Fold"]) == [1, 2, 3]


def test_coefficients_tab_warns_on_top(sign_in: Open, world: World) -> None:
    world.desk.coefficients[42] = make_coefficients(
        rank=1, warnings=["The design is rank-deficient: 1 of 2 terms."]
    )
    app = sign_in("ada", "fit", id="42", tab="Coefficients")
    assert "The design is rank-deficient" in said(app)
    assert app.error
    assert "adjusted R² **0.758**" in texts(app)
    assert "condition number **2,890**" in texts(app)
    table = app.dataframe[0].value
    assert list(table["Term"]) == ["(Intercept)", "flipper_length_mm"]
    assert {"Estimate", "Std. error", "t", "p", "95 % low", "95 % high", "VIF"} <= set(table)


def test_trials_tab_reruns_with_the_best(sign_in: Open, world: World) -> None:
    world.fits[42] = world.fits[42].model_copy(
        update={"search": {"kind": "tpe"}, "best_params": {"fit_intercept": False}}
    )
    world.desk.trials[42] = make_trials(5)
    app = sign_in("ada", "fit", id="42", tab="Trials")
    assert list(app.dataframe[0].value["Trial"]) == [0, 1, 2, 3, 4]
    press(app, "Rerun with the best")
    changes = {"params": {"fit_intercept": False}, "search": None}
    assert world.desk.reruns[-1] == (42, changes)


def test_reproduce_tab_tells_the_verdict(sign_in: Open, world: World) -> None:
    world.fits[42] = world.fits[42].model_copy(
        update={"environment": {"python": "3.11.9", "packages": {"numpy": "2.1"}}}
    )
    app = sign_in("ada", "fit", id="42", tab="Reproduce")
    assert "Not tried yet" in texts(app)
    app = press(app, "Reproduce")
    assert "Bit-identical" in texts(app)
    assert "2.1" in app.table[0].value.to_string()


def test_second_run_that_goes_on_is_cancelled(sign_in: Open, world: World) -> None:
    world.desk.second_runs_end = "running"
    app = press(sign_in("ada", "fit", id="42", tab="Reproduce"), "Reproduce")
    app = press(app, "Cancel")
    assert [run.state for run in world.desk.reproductions[42]] == ["cancelled"]
    assert "Cancelled." in texts(app)


def test_editor_stars_renames_archives_and_trashes(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "fit", id="42"), "☆")
    assert "★" in labels(app)
    next(box for box in app.text_input if box.label == "Name").set_value("best so far")
    app = press(app, "Rename")
    assert "best so far" in said(app)
    app = press(app, "Archive")
    assert world.fits[42].archived_at is not None
    app = press(app, "Move to the trash")
    assert world.fits[42].trashed_at is not None
    assert "Fit 42 is in the trash." in said(app)


def test_notes_are_shown_as_safe_markdown(sign_in: Open, world: World) -> None:
    evil = (
        "# Why\n![x](http://evil.test/x.png) <img src=x> [a]: http://e.test\n\n```\na[0] <b>\n```"
    )
    world.fits[42] = world.fits[42].model_copy(update={"notes": evil})
    app = sign_in("ada", "fit", id="42", tab="Notes & tags")
    shown = [element.value for element in app.markdown]
    assert any(value.startswith("# Why") for value in shown)
    assert r"\!\[x\](http\://evil.test/x.png) \<img src=x> \[a\]\: http\://e.test" in texts(app)
    assert "a[0] <b>" in _code(app)
    press(app, "Edit notes")


def test_reader_changes_nothing(sign_in: Open, world: World) -> None:
    world.fits[62] = make_fit(62, "vic", 3, FitState.SUCCEEDED, notes="read me", tags={"k": "v"})
    app = sign_in("vic", "fit", id="62", tab="Notes & tags")
    assert "read me" in texts(app)
    assert "k = v" in said(app)
    forbidden = {"Edit notes", "Save tags", "Rename", "Archive", "Move to the trash"}
    assert not forbidden & set(labels(app))
    assert "☆" in labels(go_to(app, "fit", id="62"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain **bold**", [(False, "plain **bold**")]),
        ("![x](u)", [(False, r"\!\[x\](u)")]),
        ("`a` $b$ :smile:", [(False, r"\`a\` \$b\$ \:smile\:")]),
        ("a\n```\n[b]\n```\n[c]", [(False, "a"), (True, "[b]"), (False, r"\[c\]")]),
        ("~~~\n```\n[b]", [(False, ""), (True, "```\n[b]")]),
    ],
)
def test_pieces_of_notes(source: str, expected: list[tuple[bool, str]]) -> None:
    assert list(pieces(source)) == expected
