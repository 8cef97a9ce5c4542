"""Zips of images: whole or not at all, every limit counted, every bad entry named."""

import io
import zipfile
from collections.abc import Callable

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.science.extras import MODULES
from backend.settings import Settings
from backend.tables import Dataset
from tests.conftest import SignIn, upload_csv
from tests.datasets.test_uploads import _files as stored_files
from tests.science.images import image_zip, labels, picture, pictures, png, zipped


async def send(client: httpx.AsyncClient, content: bytes, path: str = "") -> httpx.Response:
    # The name lies; the content decides.
    return await client.post(f"/api/v1/datasets{path}", files={"file": ("pictures.csv", content)})


def with_labels(files: dict[str, bytes], text: str | bytes | None = None) -> bytes:
    lines = "\n".join(labels(len(files)))
    return zipped({**files, "labels.txt": lines if text is None else text})


async def test_zip_becomes_an_image_dataset(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    made = await send(ada, image_zip(12))
    assert made.status_code == 201, made.text
    dataset = made.json()
    assert (dataset["kind"], dataset["rows"], dataset["columns"]) == ("image", 12, 2)
    assert dataset["warnings"] == []
    path = f"{made.headers['location']}/versions/1"
    profile = (await ada.get(f"{path}/profile")).json()
    described = [(c["name"], c["type"], c["role"], c["distinct"]) for c in profile["columns"]]
    assert described == [("image", "image", "image", 12), ("label", "string", "categorical", 2)]
    assert profile["suggested_target"]["column"] == "label"
    preview = (await ada.get(f"{path}/preview?limit=2")).json()
    assert preview["columns"] == ["label", "name"]
    assert preview["rows"] == [["cross", "000.png"], ["circle", "001.png"]]
    original = await ada.get(f"{path}/download")
    assert zipfile.ZipFile(io.BytesIO(original.content)).namelist()[0] == "000.png"


async def test_images_are_listed_and_shown(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await send(ada, image_zip(300))).headers["location"] + "/versions/1/images"
    listed = (await ada.get(f"{path}?limit=2")).json()
    assert listed == {
        "items": [
            {"row": 0, "label": "cross", "name": "000.png"},
            {"row": 1, "label": "circle", "name": "001.png"},
        ],
        "total": 300,
    }
    shown = await ada.get(f"{path}/299.png")
    assert shown.headers["content-type"] == "image/png"
    assert "private" in shown.headers["cache-control"]
    sent = Image.open(io.BytesIO(picture("circle", 299)))
    assert np.array_equal(np.array(Image.open(io.BytesIO(shown.content))), np.array(sent))
    again = await ada.get(f"{path}/299.png", headers={"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await ada.get(f"{path}/300.png")).status_code == 404


async def test_table_has_no_images(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    path = (await upload_csv(ada)).headers["location"] + "/versions/1/images"
    for address in (path, f"{path}/0.png"):
        answer = await ada.get(address)
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset_without_images")


def entry(name: str, **fields: int) -> Callable[[], bytes]:
    """An archive whose first entry has this name and these fields of its header."""

    def make() -> bytes:
        info = zipfile.ZipInfo("placeholder" if "\\" in name else name)
        info.filename = info.orig_filename = name
        for field, value in fields.items():
            setattr(info, field, value)
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr(info, picture("cross", 0))
            archive.writestr("labels.txt", "cross\n")
        return sink.getvalue()

    return make


def encrypted() -> bytes:
    content = bytearray(image_zip(2))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    return bytes(content)


def damaged() -> bytes:
    files = pictures(2)
    files["001.png"] = files["001.png"][:60] + b"\x00" * 20 + files["001.png"][80:]
    return with_labels(files)


def torn() -> bytes:
    content = bytearray(image_zip(4))
    content[60:70] = b"\xff" * 10
    return bytes(content)


BAD: list[tuple[str, Callable[[], bytes], str]] = [
    ("slip", entry("../evil.png"), "Entry 1, '../evil.png', leads out of the archive"),
    ("slip within", entry("a/../../evil.png"), "leads out"),
    ("absolute", entry("/etc/evil.png"), "absolute path"),
    ("drive", entry("C:evil.png"), "absolute path"),
    ("backslash", entry("..\\evil.png"), "backslash"),
    ("control", entry("a\nb.png"), "control character"),
    ("link", entry("a.png", external_attr=0o120777 << 16), "is a link"),
    ("device", entry("a.png", external_attr=0o020666 << 16), "is a link or a device"),
    ("lzma", entry("a.png", compress_type=zipfile.ZIP_LZMA), "unusual way"),
    ("encrypted", encrypted, "encrypted"),
    ("twice", lambda: with_labels({"a.png": b"1", "A.png": b"2"}), "'A.png' stands twice"),
    ("nested", lambda: with_labels({"a.zip": image_zip(1)}), "a.zip is an archive itself"),
    ("office", lambda: zipped({"[Content_Types].xml": "<x/>"}), "Office document"),
    ("empty", lambda: zipped({}), "has no labels.txt"),
    ("no labels", lambda: zipped({"a.png": picture("cross", 0)}), "has no labels.txt"),
    ("no images", lambda: zipped({"labels.txt": "a\n"}), "no images"),
    ("count", lambda: with_labels(pictures(3), "a\nb\n"), "2 lines, but there are 3 images"),
    ("blank", lambda: with_labels(pictures(3), "a\n\nb\n"), "line 2: the label is empty"),
    ("latin", lambda: with_labels(pictures(2), "a\n\xe9\n".encode("latin-1")), "not UTF-8 (line 2"),
    ("long", lambda: with_labels(pictures(1), "x" * 201), "longer than 200"),
    ("text", lambda: with_labels({"a.png": b"hello"}), "a.png: neither a PNG nor a JPEG"),
    ("svg", lambda: with_labels({"a.svg": b"<svg/>"}), "neither a PNG nor a JPEG"),
    ("damaged", damaged, "001.png: the image is damaged"),
    ("torn", torn, "is damaged"),
    ("no end", lambda: image_zip(2)[:-10], "damaged"),
    (
        "sizes",
        lambda: with_labels({"a.png": picture("cross", 0), "b.png": picture("cross", 1, side=13)}),
        "b.png has 13 x 13 pixels, a.png has 12 x 12",
    ),
    ("large", lambda: image_zip(1, side=257), "at most 256 x 256 for now"),
    ("small", lambda: image_zip(1, side=7), "at least 8 x 8"),
    (
        "bomb",
        lambda: with_labels({"a.png": png(Image.new("1", (20_000, 20_000)))}),
        "at most 25,000,000",
    ),
    ("ratio", lambda: with_labels({"a.png": b"0" * 9_000_000}), "200 times its compressed size"),
    ("apart", lambda: zipped({"x/labels.txt": "a\n", "b.png": b""}), "is not in the folder"),
]


@pytest.mark.parametrize(("make", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_bad_archive_is_refused_and_leaves_nothing(
    sign_in: SignIn,
    sessions: async_sessionmaker[AsyncSession],
    settings: Settings,
    make: Callable[[], bytes],
    words: str,
) -> None:
    ada = await sign_in("ada")
    before = stored_files(settings)
    answer = await send(ada, make())
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert answer.json()["errors"][0]["loc"][:2] == ["body", "file"]
    assert stored_files(settings) == before
    async with sessions() as session:
        assert (await session.execute(select(func.count()).select_from(Dataset))).scalar() == 0


async def test_what_systems_leave_behind_is_passed_over(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    files: dict[str, bytes | str] = {f"digits/{k}": v for k, v in pictures(6).items()}
    files |= {"digits/": "", "__MACOSX/digits/._000.png": b"x", "digits/.DS_Store": b"x"}
    files["digits/labels.txt"] = "\ufeff" + "\r\n".join(labels(6)) + "\r\n"
    answer = await send(ada, zipped(files))
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == 6


async def test_doubts_about_images_are_named_at_once(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    files = {f"{number}.png": picture("cross", number % 9) for number in range(12)}
    texts = ["a"] * 11 + ["b"]
    answer = await send(ada, with_labels(files, "\n".join(texts)))
    warnings = " | ".join(answer.json()["warnings"])
    for words in (
        "fewer than 5 images of b",
        "2 stand there already, with the same label",
        "1 stand there already, with another label",
        "where 11.png stands before 2.png",
    ):
        assert words in warnings


async def test_digest_is_of_pixels_and_labels_not_of_files(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    one = (await send(ada, image_zip(8))).json()
    two = (await send(ada, image_zip(8, folder="sub/"))).json()
    other = (await send(ada, image_zip(8, names=["cross", "circle", *["cross"] * 6]))).json()
    assert one["content_digest"] == two["content_digest"] != other["content_digest"]


async def test_colours_anywhere_make_all_images_coloured(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    files = pictures(2)
    files["002.png"] = picture("cross", 2, mode="RGB")
    path = (await send(ada, with_labels(files))).headers["location"] + "/versions/1/images/0.png"
    assert Image.open(io.BytesIO((await ada.get(path)).content)).mode == "RGB"


async def test_next_version_is_of_the_same_kind(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    images = (await send(ada, image_zip(6))).json()["id"]
    table = (await upload_csv(ada)).json()["id"]
    second = await send(ada, image_zip(7), f"/{images}/versions")
    assert (second.status_code, second.json()["rows"]) == (201, 7)
    for dataset, content in ((images, b"x,y\n1,2\n"), (table, image_zip(6))):
        answer = await send(ada, content, f"/{dataset}/versions")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["loc"] == ["body", "file"]


async def test_estimator_and_dataset_are_of_one_kind(sign_in: SignIn) -> None:
    ada = await sign_in("ada")
    images = (await send(ada, image_zip(6))).json()["id"]
    table = (await upload_csv(ada)).json()["id"]
    for dataset, target, estimator, field in (
        (images, "label", "random_forest", "estimator"),
        (images, "image", "convolutional_network", "target"),
        (table, "species", "convolutional_network", "estimator"),
    ):
        body = {"dataset_id": dataset, "target": target, "estimator": estimator}
        answer = await ada.post("/api/v1/fits", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["loc"] == ["body", field]


async def test_without_the_extra_the_catalogue_says_what_to_install(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODULES, "torch", ("no_such_module",))
    ada = await sign_in("ada")
    entry = (await ada.get("/api/v1/estimators/convolutional_network")).json()
    assert (entry["data"], entry["available"]) == ("image", False)
    assert entry["install"].endswith("pip install -e '.[torch]'")
    images = (await send(ada, image_zip(6))).json()["id"]
    body = {"dataset_id": images, "target": "label", "estimator": "convolutional_network"}
    answer = await ada.post("/api/v1/fits", json=body)
    assert answer.status_code == 422
    assert entry["install"] in answer.json()["detail"]
