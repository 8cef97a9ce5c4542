"""Trying a model by hand and by file, and the file's way to the browser."""

import io
import shlex
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from frontend.batch import read_preview
from frontend.model_code import predict_command
from frontend.predictions import KEPT_FILES, PredictedFiles, new_file, predicted_files
from frontend.routes import Bridge
from frontend.settings import dashboard_settings
from tests.frontend.conftest import Open, drop, press, texts
from tests.frontend.model_world import add_model
from tests.frontend.world import Refusal, World

ROWS = b"flipper_length_mm,species\n181,Adelie\n195,Gentoo\n"


def _try_it(sign_in: Open, world: World) -> AppTest:
    add_model(world, 3, [41, 42], champion=2)
    return sign_in("ada", "model", id="3", tab="Try it")


def test_form_asks_for_each_input_in_its_own_kind_and_asks_the_champion(
    sign_in: Open, world: World
) -> None:
    app = press(_try_it(sign_in, world), "Predict")
    assert world.registry.asked == [
        {
            "flipper_length_mm": 202,
            "bill_depth_mm": 17.3,
            "species": "Adelie",
            "tagged": False,
            "seen_on": None,
        }
    ]
    assert [metric.value for metric in app.metric] == [plain_number("4,322")]
    assert "Empty, so filled as in training: seen\\_on." in texts(app)


def plain_number(shown: str) -> str:
    return shown.replace(",", "\\,")


def test_value_outside_the_training_range_is_marked(sign_in: Open, world: World) -> None:
    app = _try_it(sign_in, world)
    assert "Outside the training range" not in texts(app)
    app.number_input(key="try.3.2.flipper_length_mm").set_value(999)
    assert "Outside the training range, 172 to 231" in texts(app.run())


def test_category_is_chosen_and_what_is_cleared_is_missing(sign_in: Open, world: World) -> None:
    app = _try_it(sign_in, world)
    app.number_input(key="try.3.2.flipper_length_mm").set_value(None)
    app.segmented_control(key="try.3.2.tagged").set_value(None)
    app.selectbox(key="try.3.2.species").set_value("Gentoo")
    press(app, "Predict")
    assert world.registry.asked[0]["tagged"] is None
    assert world.registry.asked[0]["flipper_length_mm"] is None
    assert world.registry.asked[0]["species"] == "Gentoo"


def test_refused_prediction_names_every_input(sign_in: Open, world: World) -> None:
    app = _try_it(sign_in, world)
    world.registry.refuse = Refusal(
        422, "Two problems.", rows__0__species="species must be a text", rows__0__x="x is missing"
    )
    said = texts(press(app, "Predict")).replace("\\", "")
    assert "species must be a text" in said
    assert "x is missing" in said


def test_prediction_is_marked_once_the_form_has_changed(sign_in: Open, world: World) -> None:
    app = press(_try_it(sign_in, world), "Predict")
    assert "before your last change" not in texts(app)
    app.number_input(key="try.3.2.bill_depth_mm").set_value(20.0)
    assert "before your last change" in texts(app.run())


def test_command_survives_a_shell(api_address: str) -> None:
    assert api_address
    row = {"it's": 'a "b" $c', "n": None}
    words = shlex.split(predict_command(3, 2, row).replace("$GOODFIT_TOKEN", "t"))
    assert words[-1] == '{"rows": [{"it\'s": "a \\"b\\" $c", "n": null}], "version": 2}'


def test_dropped_file_comes_back_with_predictions(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41], champion=1)
    app = drop(sign_in("ada", "model", id="3", tab="Batch"), "rows.csv", ROWS)
    assert world.registry.asked == [{"version": 1, "lines": 3}]
    assert list(app.dataframe[0].value["prediction"]) == ["4321.5", "4321.5"]
    link = next(link.proto.url for link in app.get("link_button") if link.proto.label == "Download")
    token = link.removeprefix("/goodfit/predictions/")
    found = predicted_files.open(token, user_id=world.users["ada"].id)
    assert found is not None
    assert b"".join(found[1]).startswith(b"flipper_length_mm,species,prediction\n181,Adelie,4321.5")


def test_refused_file_says_all_that_is_wrong(sign_in: Open, world: World) -> None:
    add_model(world, 3, [41], champion=1)
    world.registry.refuse = Refusal(
        422, "2 problems.", file__width="width is missing", file__x="x is not an input"
    )
    app = drop(sign_in("ada", "model", id="3", tab="Batch"), "rows.csv", ROWS)
    said = app.error[0].value
    assert "width is missing" in said
    assert "x is not an input" in said
    assert "Nothing was stored." in said


def test_preview_leaves_out_a_row_that_the_reading_cut() -> None:
    rows = "a,b\n" + "\n".join(f'{number},"x\ny"' for number in range(3)) + "\n"
    shown = read_preview(io.BytesIO(rows.encode()))
    assert shown == tuple({"a": str(number), "b": "x\ny"} for number in range(3))
    long = b"a\n" + b"x" * 100_000 + b"\n" + b"y" * 100_000 + b"\n"
    assert [row["a"][0] for row in read_preview(io.BytesIO(long))] == ["x"]


@pytest.fixture
async def browser(api_address: str) -> AsyncIterator[httpx.AsyncClient]:
    assert api_address
    bridge = Bridge(dashboard_settings())
    transport = httpx.ASGITransport(Starlette(routes=bridge.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://dashboard.test") as client:
        yield client
    await bridge.close()


async def test_file_of_predictions_is_for_the_user_who_asked(
    browser: httpx.AsyncClient, world: World
) -> None:
    content = new_file()
    content.write(b"a,prediction\n1,2\n")
    content.flush()
    token = predicted_files.add(content, name="ä b.csv", user_id=world.users["ada"].id)
    address = f"/goodfit/predictions/{token}"
    assert (await browser.get(address)).status_code == 303
    browser.cookies.set("goodfit_session", world.new_token("gb_", "bob"))
    assert (await browser.get(address)).status_code == 404
    browser.cookies.set("goodfit_session", world.new_token("gb_", "ada"))
    answer = await browser.get(address)
    assert answer.content == b"a,prediction\n1,2\n"
    assert answer.headers["content-disposition"].endswith("UTF-8''%C3%A4%20b.csv")
    predicted_files.discard(token)
    gone = await browser.get(address)
    assert gone.status_code == 404
    assert "no longer kept" in gone.text


def test_old_files_make_room_and_one_that_is_sent_goes_on() -> None:
    files = PredictedFiles()
    first = new_file()
    first.write(b"content")
    first.flush()
    token = files.add(first, name="a.csv", user_id=1)
    opened = files.open(token, user_id=1)
    others = [files.add(new_file(), name="b.csv", user_id=1) for _ in range(KEPT_FILES)]
    assert files.open(token, user_id=1) is None
    assert opened is not None
    assert b"".join(opened[1]) == b"content"
    for other in others:
        files.discard(other)
