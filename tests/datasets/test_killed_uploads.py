"""kill -9 of the API in the middle of an upload: nothing half-made, nothing left, retries work."""

from collections.abc import Iterator

import pytest

from backend.stack.postgres import EmbeddedPostgres
from tests.datasets.killings import (
    check_recovery,
    kill_after,
    kill_in_body,
    random_moments,
    table,
    whole_upload_seconds,
)
from tests.datasets.live_api import LiveApi


@pytest.fixture(scope="module")
def api(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    made = LiveApi.over(postgres, "killed_uploads", tmp_path_factory.mktemp("killed"))
    made.start()
    yield made
    made.stop()


def test_api_killed_while_a_body_comes_recovers(api: LiveApi) -> None:
    content = table(1)
    kill_in_body(api, content, "in-body")
    check_recovery(api, content, "in-body")


@pytest.mark.timeout(300)
def test_api_killed_at_random_moments_recovers(api: LiveApi) -> None:
    moments = random_moments(2, whole_upload_seconds(api), seed=4)
    for number, seconds in enumerate(moments):
        content, key = table(100 + number), f"random-{number}"
        kill_after(api, content, key, seconds)
        check_recovery(api, content, key)
