"""The only cache of data: per browser session and per user.

`st.cache_data` alone, with the token in an argument that is not hashed, gave one user another's
rows. Here the user's id is always part of the key, and the entries live in the session.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import streamlit as st

from frontend.client import Api, SignedOut
from frontend.state import state

Client = TypeVar("Client", bound=Api)
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
MAXIMUM_ENTRIES: Final = 50


def cached_per_user(
    ttl: timedelta,
) -> Callable[
    [Callable[Concatenate[Client, Arguments], Answer]],
    Callable[Concatenate[Client, Arguments], Answer],
]:
    """Keeps what a call of the API answered, for its user alone."""

    def decorate(
        call: Callable[Concatenate[Client, Arguments], Answer],
    ) -> Callable[Concatenate[Client, Arguments], Answer]:
        name = f"{call.__module__}.{call.__qualname__}"

        @st.cache_data(scope="session", ttl=ttl, max_entries=MAXIMUM_ENTRIES, show_spinner=False)
        def answer(
            name: str,  # noqa: ARG001  # part of the key: closures of one source share a cache
            user_id: int,  # noqa: ARG001  # part of the key
            _api: Client,
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
        ) -> Answer:
            return call(_api, *args, **kwargs)

        def wrapper(api: Client, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            if state.user is None:
                raise SignedOut
            kept: Answer = answer(name, state.user.id, api, args, kwargs)
            return kept

        return wrapper

    return decorate
