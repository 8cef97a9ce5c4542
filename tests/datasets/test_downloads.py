"""Downloads: the bytes as sent, Parquet, and CSV that a spreadsheet does not run."""

import io
from pathlib import Path

import polars as pl

from tests.conftest import SignIn, upload_csv

HOSTILE = """name,value,-note
=1+1,-5,ok
"+cmd|' /C calc'!A0",2.5,@SUM(A1)
-7,,
"\ttab",1e3,"two
lines"
"""


async def test_csv_keeps_formulas_from_running_and_numbers_as_they_are(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada, HOSTILE.encode(), "odd name.csv")).headers["location"]
    answer = await ada.get(f"{path}/versions/1/download?format=csv")
    name = "attachment; filename=\"odd name.csv\"; filename*=UTF-8''odd%20name.csv"
    assert answer.headers["content-disposition"] == name
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].startswith("text/csv")
    frame = pl.read_csv(io.BytesIO(answer.content), infer_schema=False)
    assert frame.columns == ["name", "value", "'-note"]
    assert frame["name"].to_list() == ["'=1+1", "'+cmd|' /C calc'!A0", "-7", "'\ttab"]
    assert frame["value"].to_list() == ["-5.0", "2.5", None, "1000.0"]
    assert frame["'-note"].to_list() == ["ok", "'@SUM(A1)", None, "two\nlines"]
    original = await ada.get(f"{path}/versions/1/download?format=original")
    assert original.content == HOSTILE.encode()


async def test_csv_sent_back_is_the_same_table(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    first = await upload_csv(ada)
    answer = await ada.get(f"{first.headers['location']}/versions/1/download?format=csv")
    again = await upload_csv(ada, answer.content)
    assert again.json()["content_digest"] == first.json()["content_digest"]


async def test_dates_are_written_in_iso_8601(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    content = b"day,moment,yes\n2024-05-17,2024-05-17T08:30:00,true\n2024-05-18,,false\n"
    path = (await upload_csv(ada, content)).headers["location"]
    answer = await ada.get(f"{path}/versions/1/download?format=csv")
    assert answer.text == content.decode()


async def test_table_of_many_parts_is_whole(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    content = "n\n" + "".join(f"{number}\n" for number in range(45_000))
    path = (await upload_csv(ada, content.encode())).headers["location"]
    answer = await ada.get(f"{path}/versions/1/download?format=csv")
    assert answer.text == content


async def test_parquet_holds_the_typed_table(sign_in: SignIn, tmp_path: Path) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada)).headers["location"]
    answer = await ada.get(f"{path}/versions/1/download?format=parquet")
    assert answer.headers["content-disposition"].endswith("penguins.parquet")
    assert int(answer.headers["content-length"]) == len(answer.content)
    file = tmp_path / "table.parquet"
    file.write_bytes(answer.content)
    frame = pl.read_parquet(file)
    assert frame.shape == (344, 8)
    assert frame["species"][0] == "Adelie"


async def test_unknown_format_is_refused(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada)).headers["location"]
    answer = await ada.get(f"{path}/versions/1/download?format=xlsx")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "format"]
