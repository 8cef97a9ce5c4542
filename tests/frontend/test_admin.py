"""What administrators do, and that nobody else is offered it."""

from datetime import time

import pytest

from backend.core.access import Role
from frontend.schedule import Schedule, in_words, read_cron
from tests.frontend.conftest import Open, drop, labels, press, texts
from tests.frontend.model_world import add_model, make_job, make_retraining
from tests.frontend.world import Refusal, World


@pytest.fixture
def admin(world: World) -> World:
    """A world with an administrator who has a password, and a model with two versions."""
    world.add_user("root", Role.ADMIN)
    add_model(world, 3, [41, 42], champion=1, challenger=2)
    world.registry.models[4] = world.registry.models[3].model_copy(
        update={"id": 4, "created_by": "root", "project_id": 5}
    )
    world.registry.versions[4] = world.registry.versions[3]
    return world


@pytest.mark.parametrize("username", ["ada", "vic"])
def test_others_are_told_that_the_page_is_not_for_them(
    sign_in: Open, world: World, username: str
) -> None:
    app = sign_in(username, "admin", section="Jobs")
    assert "This page is for administrators." in texts(app)
    assert not any("/operations" in call or "/users?" in call for call in world.calls)
    assert not app.dataframe


def test_jobs_are_tried_again_and_cancelled(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "admin", section="Jobs")
    assert "Nothing waits or runs." in texts(app)
    assert "mlflow: It does not answer" in texts(app)
    admin.jobs = {7: make_job(7, "failed"), 8: make_job(8, "running")}
    app = press(app.run(), "Try again now")
    assert admin.jobs[7].state == "waiting"
    app = app.selectbox(key="job_state").set_value("running").run()
    assert list(app.dataframe[0].value["No."]) == [8]
    press(app, "Cancel")
    assert set(admin.jobs) == {7}


def test_model_is_retrained_from_a_stored_version(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "model", id="3", tab="Retraining")
    assert "Not retrained by itself." in texts(app)
    app.number_input(key="retrain.3.gain").set_value(0.02)
    app = press(app, "Retrain")
    sent = {"dataset_id": 7, "version": 1, "metric": "r2", "minimum_gain": 0.02}
    assert admin.registry.asked == [{**sent, "require_approval": False, "has_file": False}]
    assert "is on its way" in texts(app)
    assert "Cancel" in labels(app)


def test_model_is_retrained_with_a_file(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "model", id="3", tab="Retraining")
    app.segmented_control(key="retrain.3.source").set_value("A new file")
    app = drop(app.run(), "new.csv", b"a,b\n1,2\n")
    app.toggle(key="retrain.3.approval").set_value(True)
    press(app, "Retrain")
    sent = {"metric": "r2", "minimum_gain": 0.0, "require_approval": True, "has_file": True}
    assert admin.registry.asked == [sent]


def test_refused_retraining_names_every_column(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "model", id="3", tab="Retraining")
    admin.registry.refuse = Refusal(
        422, "no", dataset__column__a="a is missing", dataset__column__b="b must hold numbers"
    )
    said = texts(press(app, "Retrain"))
    assert "a is missing" in said
    assert "b must hold numbers" in said


def test_waiting_challenger_shows_its_evidence_and_takes_a_decision(
    sign_in: Open, admin: World
) -> None:
    admin.registry.retrainings[9] = make_retraining(9, 3, state="waiting_for_approval")
    app = sign_in("root", "admin", section="Retraining")
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Champion v1"] == "0.81"
    assert shown["Gain"] == "+0.05"
    assert "95 % interval of the gain: +0.02 to +0.08" in texts(app)
    app = press(press(app, "Approve"), "Promote it")
    assert "Say why" in texts(app)
    assert admin.registry.retrainings[9].decision_reason is None
    app.text_area(key="approve.reason").set_value("worth it")
    app = press(app, "Promote it")
    assert admin.registry.retrainings[9].state == "promoted"
    assert admin.registry.retrainings[9].decision_reason == "worth it"


def test_rejected_challenger_may_be_promoted_and_rolled_back(sign_in: Open, admin: World) -> None:
    admin.registry.retrainings[9] = make_retraining(9, 3, state="rejected")
    app = press(sign_in("root", "admin", section="Retraining"), "Promote version 2 anyway")
    app.text_area(key="promote_anyway.reason").set_value("the old data are gone")
    press(app, "Promote it")
    assert admin.registry.models[3].aliases["champion"] == 2
    admin.registry.retrainings[9] = make_retraining(9, 3, state="promoted")
    app = press(app.run(), "Roll back to version 1")
    app.text_area(key="rollback_run.reason").set_value("worse")
    press(app, "Roll back")
    assert admin.registry.models[3].aliases["champion"] == 1


def test_running_retraining_shows_progress_and_can_be_cancelled(
    sign_in: Open, admin: World
) -> None:
    admin.registry.retrainings[9] = make_retraining(9, 3, state="running")
    app = sign_in("root", "admin", section="Retraining")
    assert app.dataframe[0].value["Progress"][0] == 0.4
    app = press(app, "Cancel")
    assert admin.registry.retrainings[9].state == "cancelled"
    assert "Cancel" not in labels(app.run())


def test_others_read_the_evidence_and_are_offered_no_decision(sign_in: Open, admin: World) -> None:
    admin.registry.retrainings[9] = make_retraining(9, 3, state="waiting_for_approval")
    app = sign_in("ada", "model", id="3", tab="Retraining")
    assert "R² is better by 0" in texts(app)
    assert not {"Approve", "Reject", "Retrain", "Save", "Cancel"} & set(labels(app))


def test_failed_retraining_says_why_and_what_is_safe(sign_in: Open, admin: World) -> None:
    error = {"message": "It has one value only.", "column": "sex"}
    admin.registry.retrainings[9] = make_retraining(9, 3, state="failed", error=error)
    said = texts(sign_in("ada", "model", id="3", tab="Retraining"))
    assert "It has one value only" in said
    assert "The champion goes on answering." in said


def test_schedule_is_saved_and_said_in_words(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "model", id="3", tab="Retraining")
    app = app.toggle(key="policy.3.on").set_value(True).run()
    app.selectbox(key="policy.3.weekday").set_value(3)
    app.time_input(key="policy.3.at").set_value(time(7, 30))
    app.selectbox(key="policy.3.zone").set_value("Europe/Vienna")
    app = press(app, "Save")
    saved = admin.registry.policies[3]
    assert (saved.schedule, saved.timezone) == ("30 7 * * 3", "Europe/Vienna")
    said = texts(app).replace("\\", "")
    assert "every Wednesday at 07:30, Europe/Vienna" in said
    assert "Next:" in said
    app = app.toggle(key="policy.3.on").set_value(False).run()
    press(app, "Save")
    assert admin.registry.policies[3].schedule is None


def test_schedule_is_removed_with_all_of_it(sign_in: Open, admin: World) -> None:
    app = sign_in("root", "model", id="3", tab="Retraining")
    assert "Remove the schedule" not in labels(app)
    app = press(app.toggle(key="policy.3.on").set_value(True).run(), "Save")
    app = press(app, "Remove the schedule")
    assert admin.registry.policies == {}
    assert "The schedule is removed" in texts(app)
    assert "Remove the schedule" not in labels(app)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("hour", time(0, 15)),
        Schedule("day", time(6, 30)),
        Schedule("weekday"),
        Schedule("week", weekday=0),
        Schedule("month", day=28),
    ],
)
def test_usual_schedule_is_read_back(schedule: Schedule) -> None:
    assert read_cron(schedule.cron()) == schedule
    assert in_words(schedule.cron()) == schedule.words()


@pytest.mark.parametrize(
    "cron", ["*/5 * * * *", "0 25 * * *", "60 * * * *", "0 6 29 * *", "0 6 1 1 *", "0 6 1 * 1", "x"]
)
def test_unusual_schedule_stays_a_cron_expression(cron: str) -> None:
    assert read_cron(cron) is None
    assert in_words(cron) == f"by cron {cron}"
