"""The tab that cleans a table: steps are chosen, tried, and made into the next version."""

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from tests.frontend import world as worlds
from tests.frontend.conftest import Open, labels, press, said, texts
from tests.frontend.test_routes import _sign_in as put_cookie
from tests.frontend.test_routes import browser as browser
from tests.frontend.world import World

DOUBT = "species: 3 of 344 values are not numbers ('?')"


def choose(app: AppTest, step: str) -> AppTest:
    [box] = [box for box in app.selectbox if box.label == "Step"]
    return box.set_value(step).run()


def test_steps_are_tried_and_made_into_the_next_version(sign_in: Open, world: World) -> None:
    latest = world.datasets[7].latest_version
    app = choose(sign_in("ada", "dataset", id="7"), "Drop rows with missing values")
    app = press(app, "Add step")
    assert "**1.** drop nulls" in texts(app)
    app = press(app, "Try")
    assert "3 → 1 rows" in texts(app)
    assert world.datasets[7].latest_version == latest
    app = press(app, "Make the next version")
    assert not app.exception
    assert f"Version {latest + 1} is made." in said(app)
    steps = [{"kind": "drop_nulls", "columns": None}]
    assert world.recipes == [(True, steps), (False, steps)]


def test_doubtful_column_is_repaired_with_one_click(
    sign_in: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds.PROFILE, "warnings", [DOUBT])
    app = sign_in("ada", "dataset", id="7")
    app = press(app, "Read species as numbers; the rest becomes missing")
    app = press(app, "Make the next version")
    assert [step["kind"] for _, steps in world.recipes for step in steps] == ["cast"]


def test_refused_step_is_told_and_kept(sign_in: Open, world: World) -> None:
    app = choose(sign_in("ada", "dataset", id="7"), "Fill missing values")
    app = press(app, "Add step")
    app = press(app, "Try")
    assert "there is no column" in texts(app)
    assert "Remove" in labels(app)
    app = press(app, "Remove")
    assert "No step yet." in texts(app)
    assert world.recipes == []


@pytest.mark.parametrize(
    "step",
    [
        "Drop columns",
        "Read as another type",
        "Fill missing values",
        "Drop rows with missing values",
        "Keep rows that meet a condition",
        "Replace a value",
        "Rename a column",
        "Clip numbers",
        "Drop rows that repeat",
        "Sort rows",
        "Draw a sample of rows",
    ],
)
def test_form_of_every_step_draws(sign_in: Open, step: str) -> None:
    app = choose(sign_in("ada", "dataset", id="7"), step)
    assert not app.exception
    assert "Add step" in labels(app)


async def test_download_passes_a_known_format_on(browser: httpx.AsyncClient, world: World) -> None:
    put_cookie(browser, world)
    for wanted, passed in (("csv", "csv"), ("parquet", "parquet"), ("../../users", "none")):
        answer = await browser.get("/goodfit/datasets/7/1", params={"format": wanted})
        assert f"v1-{passed}" in answer.headers["content-disposition"]
