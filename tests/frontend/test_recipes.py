"""The tab that cleans a table: steps are chosen, tried at once, and made into the next version."""

from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import FileUploader

from backend.core.access import ProjectRole
from backend.datasets.schemas import DoubtOut
from frontend.recipe_files import read_recipe
from frontend.recipe_sentences import sentence
from frontend.state import Recipe
from tests.frontend.api_datasets import add_version
from tests.frontend.conftest import Open, go_to, labels, press, said, stop_answering, texts
from tests.frontend.test_routes import _sign_in as put_cookie
from tests.frontend.test_routes import browser as browser
from tests.frontend.world import PROFILE, Refusal, World

TO_NUMBER: dict[str, Any] = {
    "kind": "cast",
    "columns": ["species"],
    "to": "number",
    "errors": "null",
}
DROP: dict[str, Any] = {"kind": "drop_columns", "columns": ["sex"]}
NEW: dict[str, Any] = {"kind": "derive", "name": "half", "expression": "body_mass_g / 2"}
WRONG: dict[str, Any] = {"kind": "drop_columns", "columns": ["island"]}
KEEP: dict[str, Any] = {"kind": "drop_nulls", "columns": ["species"]}


def seed(app: AppTest, *steps: dict[str, Any], version: int = 1) -> AppTest:
    """Steps that were chosen before."""
    recipes = {(7, version): Recipe(7, version, steps, "key")}
    app.session_state["goodfit.recipes"] = recipes
    return app.run()


def chosen(app: AppTest, version: int = 1) -> list[dict[str, Any]]:
    recipe: Recipe = app.session_state["goodfit.recipes"][7, version]
    return list(recipe.steps)


def choose(app: AppTest, kind: str) -> AppTest:
    [box] = [box for box in app.selectbox if box.label == "Step"]
    return box.set_value(kind).run()


def press_at(app: AppTest, label: str, at: int) -> AppTest:
    return [button for button in app.button if button.label == label][at].click().run()


def open_recipe(sign_in: Open) -> AppTest:
    return sign_in("ada", "dataset", id="7", tab="Recipe")


def test_step_is_tried_at_once_and_made_into_the_next_version(sign_in: Open, world: World) -> None:
    latest = world.datasets[7].latest_version
    app = choose(open_recipe(sign_in), "drop_nulls")
    app = press(app, "Add step")
    assert "**1.** Drop the rows in which any column is missing" in texts(app)
    assert "3 → 1 rows · 4 → 4 columns · 3 → 0 missing values" in texts(app)
    assert "The next version would have 1 row, 4 columns." in texts(app)
    assert world.datasets[7].latest_version == latest
    app = press(app, "Make the next version")
    assert not app.exception
    assert f"Version {latest + 1} is made." in said(app)
    steps = [{"kind": "drop_nulls", "columns": None}]
    assert world.recipes == [(True, steps), (False, steps)]


def test_steps_say_that_a_reload_loses_them_and_can_be_saved(sign_in: Open) -> None:
    app = seed(open_recipe(sign_in), KEEP, DROP)
    assert "when the page is loaded anew they are lost" in texts(app)
    [save] = app.get("download_button")
    assert save.proto.label == "Save the steps"


def test_first_changed_rows_are_shown(sign_in: Open) -> None:
    app = seed(open_recipe(sign_in), TO_NUMBER)
    [table] = [frame.value for frame in app.dataframe if "It is" in frame.value]
    assert list(table["species"]) == ["Adelie → missing", "? → missing"]
    assert list(table["It is"]) == ["changed", "changed"]


def test_refused_step_is_told_beside_it_and_those_before_keep_their_numbers(
    sign_in: Open, world: World
) -> None:
    app = seed(open_recipe(sign_in), KEEP, WRONG, DROP)
    assert "columns.0: there is no column 'island'" in said(app)
    assert "3 → 2 rows" in texts(app)
    assert "The next version would have" not in texts(app)
    [make] = [button for button in app.button if button.label == "Make the next version"]
    assert make.disabled
    app = press_at(app, "Remove", 1)
    assert "2 rows, 3 columns" in texts(app)
    assert world.recipes[-1] == (True, [KEEP, DROP])


def test_steps_are_moved_and_removed(sign_in: Open) -> None:
    app = seed(open_recipe(sign_in), KEEP, DROP, NEW)
    app = press_at(app, "Down", 0)
    assert chosen(app) == [DROP, KEEP, NEW]
    app = press_at(app, "Up", 2)
    assert chosen(app) == [DROP, NEW, KEEP]
    app = press(app, "Remove all")
    assert "No step yet." in texts(app)


def test_later_form_offers_the_columns_that_steps_made(sign_in: Open) -> None:
    app = choose(seed(open_recipe(sign_in), NEW, DROP), "sort")
    [box] = [box for box in app.selectbox if box.label == "Column"]
    assert "half" in box.options
    assert "sex" not in box.options


def test_doubt_is_mended_with_one_click(
    sign_in: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = DoubtOut(
        column="species",
        message="species: 1 of 3 values are not numbers: '?'",
        values=1,
        examples=["?"],
        step=TO_NUMBER,
    )
    monkeypatch.setattr(PROFILE, "doubts", [doubt])
    app = press(open_recipe(sign_in), "Fix it")
    assert "Fix it" not in labels(app)
    press(app, "Make the next version")
    assert world.recipes[-1] == (False, [TO_NUMBER])


def test_steps_survive_a_server_that_does_not_answer(
    sign_in: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = seed(open_recipe(sign_in), DROP)
    world.refuse_recipe = Refusal(503, "Not now.")
    app = press(app, "Make the next version")
    assert "The server does not answer. Your form is kept. Try again." in said(app)
    assert chosen(app) == [DROP]
    stop_answering(monkeypatch)
    app.run()
    assert chosen(app) == [DROP]


def test_dry_run_without_answer_is_tried_again_on_demand(sign_in: Open, world: World) -> None:
    app = open_recipe(sign_in)
    world.refuse_recipe = Refusal(429, "Wait a moment.")
    app = seed(app, DROP)
    assert "Wait a moment." in said(app)
    assert "Make the next version" in labels(app)
    world.refuse_recipe = None
    app = press(app, "Try again")
    assert "3 rows, 3 columns" in texts(app)
    assert "Wait a moment." not in said(app)


def test_steps_of_a_large_table_are_tried_on_demand(
    sign_in: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PROFILE, "rows", 200_001)
    app = seed(open_recipe(sign_in), DROP)
    assert world.recipes == []
    app = press(app, "Try")
    assert world.recipes == [(True, [DROP])]
    assert "3 rows, 3 columns" in texts(app)


def test_each_version_keeps_its_own_steps(sign_in: Open, world: World) -> None:
    add_version(world, 7)
    app = seed(open_recipe(sign_in), DROP, version=2)
    assert "**1.** Drop the column sex" in texts(app)
    app = go_to(app, "dataset", id="7", v="1", tab="Recipe")
    assert "No step yet." in texts(app)
    app = go_to(app, "dataset", id="7", v="2", tab="Preview")
    app = go_to(app, "dataset", id="7", v="2", tab="Recipe")
    assert "**1.** Drop the column sex" in texts(app)


def test_recipe_of_another_version_is_tried_replayed_or_taken_over(
    sign_in: Open, world: World
) -> None:
    add_version(world, 7, origin="recipe", recipe=[KEEP], parent_version=1)
    add_version(world, 7)
    app = press(open_recipe(sign_in), "Try it here")
    assert "3 → 2 rows" in texts(app)
    app = press(app, "Take its steps")
    assert chosen(app, 3) == [KEEP]
    app = press(app, "Replay it here")
    assert "Version 4 is made by the recipe of version 2." in said(app)
    assert world.recipes[-1] == (False, [KEEP])


def test_replay_that_does_not_fit_names_the_step(sign_in: Open, world: World) -> None:
    add_version(world, 7, origin="recipe", recipe=[DROP, WRONG], parent_version=1)
    add_version(world, 7)
    app = press(open_recipe(sign_in), "Replay it here")
    assert "Step 2, Drop the column island: there is no column 'island'" in said(app)
    assert world.datasets[7].latest_version == 3


def test_viewer_reads_how_a_version_was_made_and_changes_nothing(
    sign_in: Open, world: World
) -> None:
    add_version(world, 7, origin="recipe", recipe=[KEEP], parent_version=1)
    world.projects.members[1]["vic"] = ProjectRole.VIEWER
    app = sign_in("vic", "dataset", id="7", tab="Recipe")
    assert "**1.** Drop the rows in which species is missing" in texts(app)
    links = [link.proto.label for link in app.get("link_button")]
    assert {"Recipe as JSON", "Recipe as a Python script"} <= set(links)
    assert not {"Add step", "Make the next version"} & set(labels(app))


def test_recipe_of_a_file_is_added(sign_in: Open) -> None:
    app = open_recipe(sign_in)
    zone = app.get("file_uploader")[0]
    assert isinstance(zone, FileUploader)
    zone.upload("recipe.json", b'{"steps": [{"kind": "drop_columns", "columns": ["sex"]}]}')
    app.run()
    assert chosen(app) == [DROP]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b'{"a": 1}', b"[3]", b"[" * 9999])
def test_file_that_is_no_recipe_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|recipe|kind"):
        read_recipe(content)


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e999", b'"\\ud800"'])
def test_file_with_what_no_request_can_carry_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"infinite|surrogate"):
        read_recipe(b'[{"kind": "clip", "columns": {"a": {"lower": %b}}}]' % value)


def test_large_file_is_refused() -> None:
    with pytest.raises(ValueError, match="1 MB"):
        read_recipe(b" " * 1_000_001)


def test_unchecked_step_still_has_a_sentence() -> None:
    assert sentence({"kind": "clip", "columns": "?"}) == "clip (columns: ?)"
    assert sentence({"kind": "new_kind", "a": [1, None]}) == "new kind (a: 1, missing)"


async def test_recipe_is_downloaded_as_a_file(browser: httpx.AsyncClient, world: World) -> None:
    put_cookie(browser, world)
    for wanted, name in (("json", "recipe.json"), ("polars", "recipe.py"), ("../x", "recipe.json")):
        answer = await browser.get("/goodfit/datasets/7/1/recipe", params={"format": wanted})
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


async def test_download_passes_a_known_format_on(browser: httpx.AsyncClient, world: World) -> None:
    put_cookie(browser, world)
    for wanted, passed in (("csv", "csv"), ("parquet", "parquet"), ("../../users", "none")):
        answer = await browser.get("/goodfit/datasets/7/1", params={"format": wanted})
        assert f"v1-{passed}" in answer.headers["content-disposition"]
