"""Registering a fit, the list of models, versions and aliases, as each role sees them."""

from backend.fits.states import FitState
from frontend.text import plain
from tests.frontend.conftest import Open, go_to, labels, press, texts
from tests.frontend.model_world import add_model
from tests.frontend.world import Refusal, World, make_fit


def test_fit_becomes_a_model_and_leads_there(sign_in: Open, world: World) -> None:
    app = press(sign_in("ada", "fit", id="42"), "Register as model")
    app.text_input(key="register.name").set_value("Mass")
    app = press(app, "Register")
    (model,) = world.registry.models.values()
    assert (model.name, world.registry.versions[model.id][0].fit_id) == ("Mass", 42)
    assert app.query_params["id"] == str(model.id)
    assert [title.value for title in app.title] == ["Mass"]
    assert "No champion" in texts(app)


def test_recording_is_not_watched_while_the_dialog_is_open(sign_in: Open, world: World) -> None:
    world.fits[42] = world.fits[42].model_copy(update={"tracking": "pending"})
    app = sign_in("ada", "fit", id="42")
    assert "Being recorded in MLflow" in texts(app)
    app = press(app, "Register as model")
    assert "Being recorded in MLflow" not in texts(app)


def test_fit_becomes_the_next_version_of_a_model_with_its_target(
    sign_in: Open, world: World
) -> None:
    add_model(world, 3, [41], champion=1)
    app = press(sign_in("ada", "fit", id="42"), "Register as model")
    app = press(app, "Add version")
    assert [version.fit_id for version in world.registry.versions[3]] == [41, 42]
    assert app.query_params["id"] == "3"
    assert "Fit 42 is version 2" in texts(app)


def test_refused_name_keeps_the_dialog(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41])
    app = press(sign_in("ada", "fit", id="42"), "Register as model")
    app.segmented_control(key="register.kind").set_value("A new model")
    app = app.run()
    app.text_input(key="register.name").set_value(world.registry.models[3].name)
    app = press(app, "Register")
    assert plain(f"This project has a model named {world.registry.models[3].name}") in texts(app)
    assert "Register" in labels(app)


def test_registered_fit_shows_its_model_instead(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42])
    app = sign_in("ada", "fit", id="42")
    assert "Register as model" not in labels(app)
    links = [link.proto.label for link in app.get("page_link")]
    assert f"Version 2 of model {plain(world.registry.models[3].name)}" in links


def test_only_a_succeeded_fit_of_ones_own_can_be_registered(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "fit", id="43")
    assert "Register as model" not in labels(app)
    world.fits[62] = make_fit(62, "vic", 3, FitState.SUCCEEDED)
    app = sign_in("vic", "fit", id="62")
    assert app.metric
    assert "Register as model" not in labels(app)


def test_list_shows_who_answers_and_how_well(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "models")
    assert "Register a fit as a model." in texts(app)
    add_model(world, 3, [41, 42], champion=1, challenger=2)
    app = app.run()
    row = app.dataframe[0].value.iloc[0]
    assert (row["Champion"], row["Challenger"]) == ("v1 · R² 0.8615", "v2")
    assert not any("/versions/" in call for call in world.calls)
    assert press(app, "Open").query_params["id"] == "3"


def test_list_is_filtered_by_the_server(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41])
    app = sign_in("ada", "models")
    app = app.text_input(key="model_name").set_value("absent").run()
    assert "No model matches these filters." in texts(app)
    assert any("name_contains=absent" in call for call in world.calls)


def test_forbidden_and_absent_model_read_the_same(sign_in: Open, world: World) -> None:
    add_model(world, 3, [50])
    app = sign_in("ada")
    for number in ("3", "999"):
        app = go_to(app, "model", id=number)
        assert f"No model {number}, or it is not shared with you." in texts(app)


def test_promotion_takes_a_reason_and_moves_the_champion(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42], champion=1)
    app = press(sign_in("ada", "model", id="3"), "Promote version 2")
    app = press(app, "Make version 2 the champion")
    assert "Say why" in texts(app)
    assert world.registry.models[3].aliases == {"champion": 1}
    app.text_area(key="promote.reason").set_value("it errs less")
    app = press(app, "Make version 2 the champion")
    assert world.registry.models[3].aliases == {"champion": 2}
    assert world.registry.changes[3][0].reason == "it errs less"
    assert "Version 2 is the champion" in texts(app)
    assert "Make version 2 the champion" not in labels(app)


def test_figures_on_different_data_are_not_called_better(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42], champion=1)
    app = sign_in("ada", "model", id="3")
    assert "Better" in app.table[0].value
    other = world.registry.versions[3][1].model_copy(update={"dataset_digest": "e" * 64})
    world.registry.versions[3][1] = other
    app = app.run()
    assert "Better" not in app.table[0].value
    assert "do not tell which is better" in texts(app)


def test_refused_promotion_keeps_the_reason(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42], champion=1)
    world.registry.refuse = Refusal(409, "Somebody was faster.")
    app = press(sign_in("ada", "model", id="3"), "Promote version 2")
    app.text_area(key="promote.reason").set_value("it errs less")
    app = press(app, "Make version 2 the champion")
    assert "Somebody was faster" in texts(app)
    assert app.text_area(key="promote.reason").value == "it errs less"


def test_rollback_says_where_it_leads_and_goes_there(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42], champion=1)
    app = sign_in("ada", "model", id="3")
    assert not any(label.startswith("Roll back") for label in labels(app))
    app = press(app, "Promote version 2")
    app.text_area(key="promote.reason").set_value("better")
    app = press(app, "Make version 2 the champion")
    app = press(app, "Roll back to version 1")
    app.text_area(key="rollback.reason").set_value("worse after all")
    app.button(key="rollback.confirm").click()
    app = app.run()
    assert world.registry.models[3].aliases == {"champion": 1}
    assert world.registry.changes[3][0].kind == "rollback"
    assert "Version 1 is the champion again" in texts(app)


def test_model_is_renamed_and_described_and_only_that_is_sent(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41])
    app = press(sign_in("ada", "model", id="3"), "Rename or describe")
    app.text_input(key="change_model.3.name").set_value(" Mass of penguins ")
    app = press(app, "Save")
    assert world.registry.asked == [{"name": "Mass of penguins"}]
    assert [title.value for title in app.title] == ["Mass of penguins"]
    app = press(app, "Rename or describe")
    app.text_area(key="change_model.3.description").set_value("For the field team")
    app = press(app, "Save")
    assert world.registry.asked[1:] == [{"description": "For the field team"}]
    assert "For the field team" in [str(getattr(line, "value", "")) for line in app.get("text")]


def test_refused_name_of_a_model_keeps_what_was_typed(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41])
    app = press(sign_in("ada", "model", id="3"), "Rename or describe")
    app.text_input(key="change_model.3.name").set_value(" ")
    app = press(app, "Save")
    assert "A model needs a name." in texts(app)
    world.registry.refuse = Refusal(409, "This project has a model named Mass.")
    app.text_input(key="change_model.3.name").set_value("Mass")
    app = press(app, "Save")
    assert "This project has a model named Mass" in texts(app)
    assert app.text_input(key="change_model.3.name").value == "Mass"


def test_deletion_says_what_happens_and_links_to_the_list(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41], champion=1)
    app = press(sign_in("ada", "model", id="3"), "Delete")
    said = texts(app)
    assert "404" in said
    assert "fits" in said
    app = press(app, "Not now")
    assert 3 in world.registry.models
    assert "Delete this model" not in labels(app)
    app = press(press(app, "Delete"), "Delete this model")
    assert world.registry.models == {}
    assert "is in the trash" in texts(app)
    assert "Models" in [link.proto.label for link in app.get("page_link")]


def test_alias_is_set_with_a_reason_and_taken_away(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42], champion=1)
    app = sign_in("ada", "model", id="3")
    app = app.selectbox(key="alias.3.0.name").set_value("staging").run()
    app = press(app, "Point at version 2")
    assert "Say why" in texts(app)
    app.text_input(key="alias.3.0.reason").set_value("for the test")
    app = press(app, "Point at version 2")
    assert world.registry.models[3].aliases == {"champion": 1, "staging": 2}
    assert "staging is version 2" in texts(app)
    app = app.selectbox(key="alias.3.1.name").set_value("staging").run()
    app.text_input(key="alias.3.1.reason").set_value("tested")
    app = press(app, "Take away from version 2")
    assert world.registry.models[3].aliases == {"champion": 1}
    change = world.registry.changes[3][0]
    assert (change.kind, change.reason) == ("removed", "tested")


def test_champion_is_not_among_the_other_aliases(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41, 42], champion=1, challenger=2)
    app = sign_in("ada", "model", id="3")
    assert app.selectbox(key="alias.3.0.name").options == ["challenger", "shadow", "staging"]


def test_reader_of_a_model_is_offered_nothing_that_writes(sign_in: Open, world: World) -> None:
    for number in (62, 63):
        world.fits[number] = make_fit(number, "vic", 3, FitState.SUCCEEDED)
    add_model(world, 3, [62, 63], champion=1)
    app = sign_in("vic", "model", id="3")
    assert app.dataframe
    writing = ("Promote", "Roll back", "Rename", "Delete", "Point")
    assert not any(label.startswith(writing) for label in labels(app))


def test_names_of_models_and_reasons_are_never_markdown(sign_in: Open, world: World) -> None:
    evil = "![x](http://evil.test/x.png)"
    add_model(world, 3, [41, 42], champion=1)
    world.registry.models[3] = world.registry.models[3].model_copy(
        update={"name": evil, "description": evil, "target": evil}
    )
    world.registry.versions[3][1] = world.registry.versions[3][1].model_copy(
        update={"fit_name": evil, "dataset_name": evil, "params": {"a": evil}}
    )
    app = sign_in("ada")
    for page, parameters in (
        ("models", {}),
        ("model", {"id": "3"}),
        ("model", {"id": "3", "tab": "Try it"}),
        ("model", {"id": "3", "tab": "Use it"}),
        ("fit", {"id": "41"}),
    ):
        app = go_to(app, page, **parameters)
        assert not app.exception
        assert "![x]" not in texts(app)
        assert all("![x]" not in link.proto.label for link in app.get("page_link"))
