"""Datasets of images on the dashboard: thumbnails, the form of a fit, and what is not installed."""

import httpx
import pytest

from tests.frontend import world as worlds
from tests.frontend.conftest import Open, labels, press, texts
from tests.frontend.test_routes import _sign_in as put_cookie
from tests.frontend.test_routes import browser as browser
from tests.frontend.world import World, make_dataset

IMAGE = "/goodfit/datasets/9/1/images/0.png"


@pytest.fixture(autouse=True)
def digits(world: World) -> None:
    world.datasets[9] = make_dataset(9, "digits", "ada", 1, kind="image", rows=5_000, columns=2)


def test_dataset_page_shows_images_with_their_labels(sign_in: Open) -> None:
    app = sign_in("ada", "dataset", id="9")
    [grid] = [e.proto.body for e in app.get("html") if "/images/0.png" in e.proto.body]
    assert grid.count("<img") == 60
    assert 'alt="Image 0, labelled &lt;b&gt;&quot;7&quot;"' in grid
    assert "<b>" not in grid
    assert "5,000 images" in texts(app)
    assert "The first 60 of 5,000." in texts(app)


def test_form_offers_networks_for_images_and_the_rest_for_tables(
    sign_in: Open, world: World
) -> None:
    app = sign_in("ada", "new", dataset="9")
    [box] = [box for box in app.selectbox if box.label == "Estimator"]
    assert box.options == ["Convolutional network"]
    press(app, "Run fit")
    assert (world.sent_fits[-1].estimator, world.sent_fits[-1].target) == (
        "convolutional_network",
        "label",
    )
    app = sign_in("ada", "new", dataset="7")
    [box] = [box for box in app.selectbox if box.label == "Estimator"]
    assert "Convolutional network" not in box.options


def test_form_says_how_to_install_what_is_missing(
    sign_in: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = [entry.model_copy(update={"available": False}) for entry in worlds.ESTIMATORS.items]
    monkeypatch.setattr(worlds.ESTIMATORS, "items", missing)
    app = sign_in("ada", "new", dataset="9")
    assert "Convolutional network is not installed" in texts(app)
    assert [code.value for code in app.code] == ["pip install -e '.[torch]'"]
    assert "Run fit" not in labels(app)


async def test_image_is_for_the_cookies_user(browser: httpx.AsyncClient, world: World) -> None:
    put_cookie(browser, world)
    answer = await browser.get(IMAGE)
    assert answer.status_code == 200
    assert answer.content.startswith(b"\x89PNG")
    assert answer.headers["cache-control"].startswith("private")
    assert "no such image" in (await browser.get(IMAGE.replace("/0.", "/5000."))).text
    browser.cookies.delete("goodfit_session")
    put_cookie(browser, world, "bob")
    assert (await browser.get(IMAGE)).status_code == 404
