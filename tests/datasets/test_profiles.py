"""Profiles over HTTP and in the worker, and the difference of two versions."""

from typing import Any

import httpx
import pytest

from tests.conftest import SignIn, upload_csv

ROWS = 60
LEAKY = "x,double,place,group\n" + "".join(
    f"{i},{2 * i},{'north' if i % 2 else 'south'},{i % 2}\n" for i in range(ROWS)
)


async def uploaded(client: httpx.AsyncClient, text: str, dataset: int | None = None) -> int:
    where = "/api/v1/datasets" if dataset is None else f"/api/v1/datasets/{dataset}/versions"
    answer = await client.post(where, files={"file": ("t.csv", text.encode(), "text/csv")})
    assert answer.status_code == 201, answer.text
    return dataset or int(answer.json()["id"])


def column(profile: Any, name: str) -> Any:
    return next(one for one in profile["columns"] if one["name"] == name)


async def test_member_reads_the_profile_with_the_upload(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = (await upload_csv(ada)).json()["id"]
    profile = (await ada.get(f"/api/v1/datasets/{dataset}/versions/1/profile")).json()
    assert (profile["state"], profile["duplicate_rows"], profile["rows"]) == ("ready", 0, 344)
    mass = column(profile, "body_mass_g")
    assert (mass["nulls"], mass["distinct"], mass["min"], mass["max"]) == (2, 94, 2700, 6300)
    assert mass["mean"] == pytest.approx(4201.754385964912)
    assert mass["quantiles"]["0.5"] == 4050
    assert column(profile, "sex")["top"][0] == {"value": "male", "count": 168}


async def test_target_shows_associations_and_leaks_first(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = await uploaded(ada, LEAKY)
    url = f"/api/v1/datasets/{dataset}/versions/1/profile"
    profile = (await ada.get(url, params={"target": "double"})).json()
    assert column(profile, "double")["association"] is None
    assert column(profile, "place")["association"]["kind"] == "correlation_ratio"
    profile = (await ada.get(url, params={"target": "place"})).json()
    assert column(profile, "group")["association"] == {
        "kind": "correlation_ratio",
        "value": pytest.approx(1),
        "pairs": ROWS,
    }
    assert [w["kind"] for w in column(profile, "group")["warnings"]] == ["leak"]
    assert profile["warnings"][0].startswith("group: each of its values has only one place")
    refused = await ada.get(url, params={"target": "nothing"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["query", "target"]


async def test_diff_tells_what_changed_between_two_versions(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    dataset = await uploaded(ada, "a,b,c\n1,x,1\n2,y,2\n2,y,2\n")
    await uploaded(ada, "a,c,d\n1,one,5\n2,two,6\n4,three,7\n", dataset)
    await uploaded(ada, "a,b,c\n2,y,2\n1,x,1\n3,z,2\n", dataset)
    url = f"/api/v1/datasets/{dataset}/versions"
    diff = (await ada.get(f"{url}/2/diff", params={"against": 1})).json()
    assert {one["name"]: one["change"] for one in diff["columns"]} == {
        "a": "changed",
        "c": "changed",
        "d": "added",
        "b": "dropped",
    }
    assert (column(diff, "c")["type_before"], column(diff, "c")["type_after"]) == (
        "integer",
        "string",
    )
    assert (diff["rows_only_before"], diff["rows_only_after"]) == (None, None)
    diff = (await ada.get(f"{url}/3/diff", params={"against": 1})).json()
    assert (diff["rows_only_before"], diff["rows_only_after"]) == (1, 1)
    assert (diff["before"], diff["after"], diff["same_content"]) == (1, 3, False)
    assert column(diff, "b")["categories_added"] == ["z"]
    assert column(diff, "c")["change"] == "same"
    same = (await ada.get(f"{url}/1/diff", params={"against": 1})).json()
    assert same["same_content"]
    assert {one["change"] for one in same["columns"]} == {"same"}
    assert (await ada.get(f"{url}/1/diff", params={"against": 9})).status_code == 404
    assert (await ada.get(f"{url}/1/diff")).status_code == 422
