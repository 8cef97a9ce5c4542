"""One user's rows never reach another."""

from streamlit.testing.v1 import AppTest

from tests.frontend.conftest import Open, go_to, submit_sign_in, texts
from tests.frontend.world import World, make_world

SCRIPT = """
from datetime import timedelta
import streamlit as st
from frontend.caching import cached_per_user
from frontend.state import state

@cached_per_user(ttl=timedelta(hours=1))
def rows(api, number):
    calls = st.session_state.setdefault("calls", [])
    calls.append(number)
    return f"rows {number} of {state.user.username}"

st.text(rows(object(), 7))
"""


def test_cache_is_kept_per_user() -> None:
    users = make_world().users
    app = AppTest.from_string(SCRIPT)
    for name in ("ada", "ada", "bob"):
        app.session_state["goodfit.user"] = users[name]
        app.run()
        assert not app.exception
        assert app.text[0].value == f"rows 7 of {name}"
    assert app.session_state["calls"] == [7, 7]


def test_second_user_of_a_tab_gets_own_answers(sign_in: Open, world: World) -> None:
    """The profile is cached for the first user, and refused to the second."""
    app = sign_in("ada", "dataset", id="7")
    assert "penguins" in texts(app)
    world.sign_out_everywhere("ada")
    app.run()
    app = submit_sign_in(app, "bob")
    app = go_to(app, "dataset", id="7")
    assert "No dataset 7, or it is not shared with you." in texts(app)
    assert "penguins" not in texts(app)
