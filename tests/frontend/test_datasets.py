"""Datasets on the dashboard: the list, uploads with options and their failures, the trash."""

import gzip

import pytest
from streamlit.testing.v1 import AppTest

from backend.core.access import ProjectRole
from backend.datasets.schemas import DoubtOut, ReadOptions
from backend.datasets.usage_schemas import UsageOut, UseOut
from frontend.state import Chosen
from frontend.text import plain
from frontend.upload_problems import _text
from frontend.uploads import FILE_TYPES
from tests.frontend.conftest import Open, drop, labels, press, said, stop_answering, texts
from tests.frontend.dataset_world import NOW, make_dataset
from tests.frontend.world import PROFILE, Refusal, World

CSV = b"a;b\n1;2\n3;4;5\n"


def choose(app: AppTest, label: str, value: str) -> AppTest:
    [found] = [box for box in app.selectbox if box.label == label]
    return found.set_value(value).run()


def test_list_shows_versions_warnings_and_uses(sign_in: Open, world: World) -> None:
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, fits=3, warnings=["a", "b"])
    app = sign_in("ada", "datasets")
    [row] = app.dataframe[0].value.to_dict("records")
    assert (row["Name"], row["Version"], row["Warnings"], row["Fits"]) == ("penguins", 1, 2, 3)
    assert (row["By"], row["Profile"]) == ("ada", "ready")


def test_filters_and_order_come_from_the_address(sign_in: Open, world: World) -> None:
    world.datasets[9] = make_dataset(9, "digits", "ada", 1, kind="image")
    app = sign_in("ada", "datasets", dataset_name="dig", kind="image", my_datasets="true")
    assert [row["Name"] for row in app.dataframe[0].value.to_dict("records")] == ["digits"]
    assert world.shelf.queries[-1] == {
        "name_contains": "dig",
        "kind": "image",
        "mine": "true",
        "sort": "-updated_at",
        "limit": "200",
    }
    app = choose(app, "Order", "name")
    assert world.shelf.queries[-1]["sort"] == "name"


def test_options_go_along_with_the_file(sign_in: Open, world: World) -> None:
    app = choose(sign_in("ada", "datasets"), "Delimiter", ";")
    app = choose(app, "Encoding", "windows-1252")
    app = drop(app, "odd.csv", CSV)
    assert not app.exception
    assert world.uploads == ["odd.csv"]
    assert world.shelf.fields == [{"delimiter": ";", "encoding": "windows-1252"}]
    assert app.query_params["id"] == str(max(world.datasets))


def test_refused_file_shows_its_line_and_is_sent_again_with_other_options(
    sign_in: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = "Not a CSV: line 3 has 3 fields, expected 2."
    refusal = Refusal(422, problem, file__line__3=problem)
    monkeypatch.setattr(world, "refuse_upload", refusal)
    app = drop(sign_in("ada", "datasets"), "odd.csv", CSV)
    assert plain(problem) in app.error[0].value
    assert "Nothing was stored." in app.error[0].value
    assert [code.value for code in app.code] == ["       1  a;b\n       3  3;4;5"]
    assert world.uploads == []
    monkeypatch.setattr(world, "refuse_upload", None)
    app = choose(app, "Delimiter", ";")
    assert world.uploads == []  # only a press sends it again
    app = press(app, "Send it again")
    assert world.uploads == ["odd.csv"]
    assert world.shelf.fields == [{"delimiter": ";"}]


def test_encoding_that_is_proposed_is_chosen_already(sign_in: Open, world: World) -> None:
    detail = (
        "Line 1, byte 7: not UTF-8. It looks like windows-1252: "
        "send it again with encoding=windows-1252."
    )
    world.refuse_upload = Refusal(422, detail, file__line__1=detail)
    app = drop(sign_in("ada", "datasets"), "umlauts.csv", b"gr\xf6\xdfe\n1\n")
    assert not app.exception
    assert "windows-1252 is chosen in the options, press Send it again." in said(app)
    assert "encoding=" not in said(app)
    [options] = [found for found in app.expander if found.label == "Options"]
    assert options.proto.expanded
    world.refuse_upload = None
    app = press(app, "Send it again")
    assert world.shelf.fields == [{"encoding": "windows-1252"}]


@pytest.mark.parametrize("encoding", ["idna", "no-such", "base64"])
def test_line_is_shown_whatever_encoding_was_typed(encoding: str) -> None:
    assert _text(b"a;b\r\n", ReadOptions.model_construct(encoding=encoding)) == "a;b"


def test_line_of_a_compressed_file_is_not_shown(sign_in: Open, world: World) -> None:
    world.refuse_upload = Refusal(422, "line 3 is odd", file__line__3="line 3 is odd")
    app = drop(sign_in("ada", "datasets"), "odd.csv.gz", gzip.compress(CSV))
    assert "line 3 is odd" in said(app)
    assert not app.code


def test_silent_server_stores_a_repeated_upload_once(
    sign_in: Open, world: World, api_address: str
) -> None:
    app = sign_in("ada", "datasets")
    world.refuse_upload = Refusal(503, "The database does not answer.")
    app = drop(app, "odd.csv", CSV)
    assert "a repeated upload is not stored twice" in texts(app)
    app = press(app, "Send it again")
    world.refuse_upload = None
    app = press(app, "Send it again")
    assert world.shelf.tried_keys[0] == world.shelf.tried_keys[1] == world.shelf.tried_keys[2]
    assert world.uploads == ["odd.csv"]
    assert api_address


def test_full_quota_says_where_room_is(sign_in: Open, world: World) -> None:
    detail = "You use 9.9 GB of 10 GB."
    world.refuse_upload = Refusal(413, detail, code="quota_exceeded")
    app = drop(sign_in("ada", "datasets"), "odd.csv", CSV)
    assert detail in said(app)
    assert "Delete datasets for good in the trash to make room." in texts(app)


@pytest.mark.parametrize("page", ["", "datasets", "new"])
def test_sample_is_one_press_away_where_nothing_is(sign_in: Open, world: World, page: str) -> None:
    world.datasets.clear()
    app = press(sign_in("ada", page), "Use the sample")
    assert not app.exception
    [sample] = world.datasets.values()
    assert sample.name == "Palmer penguins"
    assert "Palmer penguins" in said(app)


def test_reader_is_offered_no_upload_and_no_trash(sign_in: Open) -> None:
    app = sign_in("vic", "datasets")
    assert not app.get("file_uploader")
    assert "Use the sample" not in labels(app)
    assert "Trash" not in [toggle.label for toggle in app.toggle]


def test_deleted_dataset_is_restored_from_the_trash(sign_in: Open, world: World) -> None:
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, trashed_at=NOW)
    app = sign_in("ada", "datasets", trash="true")
    assert [row["Name"] for row in app.dataframe[0].value.to_dict("records")] == ["penguins"]
    app = press(app, "Restore")
    assert "Dataset 7, penguins, is back." in said(app)
    assert "The trash is empty." in texts(app)
    assert world.datasets[7].trashed_at is None


def test_purge_says_what_it_frees_before_and_after(sign_in: Open, world: World) -> None:
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, trashed_at=NOW)
    app = press(sign_in("ada", "datasets", trash="true"), "Delete for good")
    assert "It frees 15.2 kB" in said(app)
    assert world.shelf.purged == []
    confirm = [button for button in app.button if button.label == "Delete for good"][-1]
    app = confirm.click().run()
    assert world.shelf.purged == [7]
    assert "Dataset 7, penguins, is deleted: 15.2 kB are free." in said(app)


def test_editor_restores_but_does_not_delete_for_good(sign_in: Open, world: World) -> None:
    world.projects.add(20, "ada", "Team")
    world.projects.members[20]["bob"] = ProjectRole.EDITOR
    world.datasets[9] = make_dataset(9, "shared", "ada", 20, trashed_at=NOW)
    app = sign_in("bob", "datasets", trash="true")
    assert "Restore" in labels(app)
    assert "Delete for good" not in labels(app)


def use(kind: str, number: int, name: str, **more: object) -> UseOut:
    values = {"kind": kind, "id": number, "name": name, "version": 1, "project_id": 1}
    return UseOut.model_validate({**values, "created_by": "ada", "created_at": NOW, **more})


def usage(*items: UseOut, hidden: int = 0, champions: int = 0) -> UsageOut:
    return UsageOut(
        items=list(items),
        hidden=hidden,
        champions=champions,
        frees_bytes=15_241,
        total_bytes=20_000,
    )


def test_delete_names_the_consequences_and_moves_to_the_trash(sign_in: Open, world: World) -> None:
    world.shelf.usage[7] = usage(use("fit", 42, "mass by OLS"), hidden=2)
    app = press(sign_in("ada", "dataset", id="7"), "Delete")
    told = said(app)
    assert "It was used by 1 fit, 2 in projects that are not shared with you." in told
    assert "15.2 kB become free when it is deleted for good" in told
    app = press(app, "Move to the trash")
    assert not app.exception
    assert world.datasets[7].trashed_at is not None
    assert "Dataset 7, penguins, is in the trash." in said(app)


def test_champion_keeps_its_dataset(sign_in: Open, world: World) -> None:
    champion = use("model_version", 3, "mass", made_version=2, aliases=["champion"])
    world.shelf.usage[7] = usage(champion, champions=1)
    app = press(sign_in("ada", "dataset", id="7"), "Delete")
    assert "1 champion depends on it (mass v2), so it cannot be deleted" in said(app)
    assert "Move to the trash" not in labels(app)
    press(app, "Close")
    assert world.datasets[7].trashed_at is None


def test_uses_are_listed_and_open(sign_in: Open, world: World) -> None:
    model = use("model_version", 3, "mass", made_version=2, aliases=["champion"])
    world.shelf.usage[7] = usage(use("fit", 42, "mass by OLS", state="succeeded"), model)
    app = sign_in("ada", "dataset", id="7", tab="Used by")
    rows = app.dataframe[0].value.to_dict("records")
    assert [(row["What"], row["Name"], row["State"]) for row in rows] == [
        ("fit", "mass by OLS", "succeeded"),
        ("model version", "mass v2", "champion"),
    ]
    app = press(app, "Open")
    assert app.query_params["id"] == "42"
    assert "R²" in [metric.label for metric in app.metric]


def test_silent_server_on_the_list_is_said(sign_in: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = sign_in("ada", "datasets")
    stop_answering(monkeypatch)
    assert "The server does not answer." in texts(app.run())


def test_home_shows_a_doubt_with_the_way_to_mend_it(sign_in: Open, world: World) -> None:
    fix = {"kind": "cast", "columns": ["sex"], "to": "number", "errors": "null"}
    message = "sex: 6 of 398 values are not numbers: '?'"
    doubt = DoubtOut(column="sex", message=message, values=6, examples=["?"], step=fix)
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, warnings=[message, "other"])
    world.shelf.profiles[7, 1] = [PROFILE.model_copy(update={"doubts": [doubt]})]
    app = sign_in("ada")
    app.session_state["goodfit.chosen"] = Chosen(7, 1, "penguins")
    app = app.run()
    assert [warning.value.replace("\\", "") for warning in app.warning] == [message, "other"]
    assert labels(app).count("Fix it") == 1
    app = press(app, "Fix it")
    assert not app.exception
    assert app.query_params == {"id": "7", "v": "1", "tab": "Recipe"}
    assert app.session_state["goodfit.recipes"][7, 1].steps == (fix,)


def test_only_files_that_are_read_may_be_dropped() -> None:
    assert "xlsx" in FILE_TYPES
    assert "xls" not in FILE_TYPES
