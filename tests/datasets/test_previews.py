"""Previews of tables whose texts are long: what is answered and read stays small."""

import io
from typing import Any

import httpx
import polars as pl
import pytest

from backend.datasets import router
from tests.conftest import SignIn

LONG = 900_000
SHOWN = 1_000
MOST_BYTES = 12_000_000


async def _preview(client: httpx.AsyncClient, frame: pl.DataFrame, limit: int) -> dict[str, Any]:
    sink = io.BytesIO()
    frame.write_parquet(sink)
    files = {"file": ("x.parquet", sink.getvalue())}
    made = await client.post("/api/v1/datasets", files=files)
    assert made.status_code == 201, made.text
    url = f"{made.headers['location']}/versions/1/preview"
    answer = await client.get(url, params={"limit": limit})
    assert answer.status_code == 200, answer.text
    assert len(answer.content) < MOST_BYTES
    preview: dict[str, Any] = answer.json()
    return preview


async def test_long_text_is_shown_by_its_beginning(sign_in: SignIn) -> None:
    texts = ["ä" * SHOWN, "ö" * (LONG // 2), None]
    preview = await _preview(await sign_in("ada"), pl.DataFrame({"x": texts}), 100)
    assert preview["rows"] == [["ä" * SHOWN], ["ö" * SHOWN + "…"], [None]]
    assert preview["is_cut"]


async def test_text_of_just_the_length_is_shown_whole(sign_in: SignIn) -> None:
    frame = pl.DataFrame({"x": ["a" * SHOWN, "b"], "n": [1, None]})
    preview = await _preview(await sign_in("ada"), frame, 100)
    assert preview["rows"] == [["a" * SHOWN, 1], ["b", None]]
    assert not preview["is_cut"]


@pytest.mark.parametrize("most_text", [router.MOST_TEXT_HERE, 0])
async def test_long_text_in_each_row_makes_no_large_answer(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, most_text: int
) -> None:
    # Without room for text in this process another one reads it.
    monkeypatch.setattr(router, "MOST_TEXT_HERE", most_text)
    frame = pl.DataFrame({"row": range(300)}).with_columns(x=pl.lit("x" * LONG))
    preview = await _preview(await sign_in("ada"), frame, 1_000)
    assert preview["rows"] == [[row, "x" * SHOWN + "…"] for row in range(300)]
    assert preview["is_cut"]


async def test_rows_that_are_large_together_are_fewer(sign_in: SignIn) -> None:
    texts = {f"c{column}": [f"{column}" * 500] * 1_000 for column in range(10, 60)}
    preview = await _preview(await sign_in("ada"), pl.DataFrame(texts), 1_000)
    assert 100 < len(preview["rows"]) < 300
    assert (preview["total_rows"], preview["is_cut"]) == (1_000, True)


async def test_preview_waits_without_a_database_connection(sign_in: SignIn, app: Any) -> None:
    ada = await sign_in("ada")
    made = await ada.post("/api/v1/datasets", files={"file": ("x.csv", b"x\n1\n")})
    blobs, used = app.state.blobs, []

    class Watched(type(blobs)):  # type: ignore[misc]  # the store, watched
        def open(self, digest: str) -> Any:
            used.append(app.state.engine.pool.checkedout())
            return super().open(digest)

    app.state.blobs = Watched(app.state.settings.files_url)
    try:
        answer = await ada.get(f"{made.headers['location']}/versions/1/preview")
    finally:
        app.state.blobs = blobs
    assert answer.json()["rows"] == [[1]]
    assert used == [0]
