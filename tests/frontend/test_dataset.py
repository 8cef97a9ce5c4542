"""A dataset's page: progress, downloads, versions, their differences, and how they were read."""

import pytest
from streamlit.testing.v1 import AppTest

from backend.core.access import ProjectRole
from backend.datasets.profile_schemas import ColumnDiff, VersionDiff
from backend.datasets.schemas import SourceOut
from frontend.recipe_sentences import summary
from tests.frontend.conftest import Open, drop, labels, press, said, texts
from tests.frontend.dataset_world import NOW, make_dataset, make_version
from tests.frontend.world import IMAGE_PROFILE, PROFILE, Refusal, World

CSV = b"a,b\n1,2\n"
STEPS: list[dict[str, object]] = [
    {"kind": "drop_nulls", "columns": None},
    {"kind": "sort", "by": [{"column": "year", "descending": True}]},
]
COMMA = SourceOut(format="csv", encoding="utf-8", delimiter=",")
SHEETS = SourceOut(format="excel", sheet="data", sheets=["data", "notes"])


def choose(app: AppTest, label: str, value: object) -> AppTest:
    [found] = [box for box in app.selectbox if box.label == label]
    return found.set_value(value).run()


def add_versions(world: World, count: int, **more: object) -> None:
    """Uploads, of which the last may be something else."""
    dataset = make_dataset(7, "penguins", "ada", 1, latest_version=count)
    known = [make_version(dataset, number, source=COMMA) for number in range(1, count)]
    known.append(make_version(dataset, count, **{"source": COMMA, **more}))
    world.datasets[7] = dataset
    world.shelf.versions[7] = known[::-1]


def test_profiling_is_watched_until_it_is_ready(sign_in: Open, world: World) -> None:
    running = PROFILE.model_copy(
        update={"state": "running", "progress": 0.4, "message": "column year"}
    )
    world.shelf.profiles[7, 1] = [running, running, PROFILE]
    app = sign_in("ada", "dataset", id="7")
    [bar] = app.get("progress")
    assert bar.proto.text == "Profiling, 40%: column year"
    app = app.run()
    assert not app.get("progress")
    asked = world.calls.count("GET /api/v1/datasets/7/versions/1/profile")
    app.run()  # a ready profile is kept
    assert world.calls.count("GET /api/v1/datasets/7/versions/1/profile") == asked


def test_page_shows_the_first_warning_and_counts_the_others(sign_in: Open, world: World) -> None:
    warnings = ["sex: 11 of 344 are missing", "b"]
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, warnings=warnings)
    warned = PROFILE.model_copy(update={"warnings": [*warnings, "c", "d"]})
    world.shelf.profiles[7, 1] = [warned]
    [warning] = sign_in("ada", "dataset", id="7").warning
    assert "sex: 11 of 344 are missing" in warning.value.replace("\\", "")
    # As many warnings as the list counts; the others are remarks of the statistics.
    assert "1 more warning and 2 remarks in the tab Profile." in warning.value


def test_remarks_alone_are_no_warning(sign_in: Open, world: World) -> None:
    world.shelf.profiles[7, 1] = [PROFILE.model_copy(update={"warnings": ["c"]})]
    app = sign_in("ada", "dataset", id="7")
    assert not app.warning
    assert "1 remark in the tab Profile." in texts(app)


def test_missing_version_says_which_there_are(sign_in: Open, world: World) -> None:
    add_versions(world, 4)
    app = sign_in("ada", "dataset", id="7", v="99")
    assert not app.exception
    assert [error.value for error in app.error] == ["Dataset 7 has no version 99; it has 1 to 4."]
    [link] = app.get("page_link")
    assert (link.proto.label, link.proto.query_string) == ("To version 4, the latest", "id=7")


def test_dataset_in_the_trash_is_restored_from_its_address(sign_in: Open, world: World) -> None:
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, trashed_at=NOW)
    app = sign_in("ada", "dataset", id="7")
    assert "Dataset 7 is in the trash." in texts(app)
    app = press(app, "Restore")
    assert not app.exception
    assert "Dataset 7, penguins, is back." in said(app)
    assert world.datasets[7].trashed_at is None


@pytest.mark.parametrize("role", [ProjectRole.VIEWER, None])
def test_trash_of_others_reads_like_nothing(
    sign_in: Open, world: World, role: ProjectRole | None
) -> None:
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, trashed_at=NOW)
    if role is not None:
        world.projects.members[1]["bob"] = role
    app = sign_in("bob", "dataset", id="7")
    assert [error.value for error in app.error] == ["No dataset 7, or it is not shared with you."]
    assert "Restore" not in labels(app)


def test_link_is_made_for_the_chosen_file(sign_in: Open, world: World) -> None:
    app = sign_in("ada", "dataset", id="7")
    app = app.segmented_control(key="link_form").set_value("csv").run()
    app = press(app, "Make a link")
    assert not app.exception
    assert world.shelf.links == [(7, 1, "csv")]
    assert [code.value for code in app.code] == ["http://api.test/api/v1/downloads/7.1.csv"]
    app = app.segmented_control(key="link_form").set_value("parquet").run()
    assert not app.code  # that of another file


def test_images_have_one_download_and_no_recipe(sign_in: Open, world: World) -> None:
    world.datasets[9] = make_dataset(9, "digits", "ada", 1, kind="image", rows=5_000, columns=2)
    world.shelf.profiles[9, 1] = [IMAGE_PROFILE]
    app = sign_in("ada", "dataset", id="9")
    links = [link.proto.url for link in app.get("link_button")]
    assert [url for url in links if "/datasets/" in url] == ["/goodfit/datasets/9/1"]
    app = sign_in("ada", "dataset", id="9", tab="Versions")
    assert not app.exception
    assert "Read again with …" not in labels(app)


def test_versions_say_who_made_them_from_what_and_how(sign_in: Open, world: World) -> None:
    made = {"recipe": STEPS, "origin": "recipe", "parent_version": 1, "created_by": "bob"}
    add_versions(world, 2, source=None, **made)
    told = said(sign_in("ada", "dataset", id="7", tab="Versions"))
    assert f"Made from version 1: {summary(STEPS)}" in told
    assert "Read as text with a delimiter, delimiter comma, utf-8." in told
    assert "by bob" in told


def test_upload_makes_the_next_version(sign_in: Open, world: World) -> None:
    app = drop(sign_in("ada", "dataset", id="7", tab="Versions"), "next.csv", CSV)
    assert not app.exception
    assert world.uploads == ["next.csv"]
    assert "Version 2 is stored." in said(app)
    assert world.datasets[7].latest_version == 2


def test_recipe_of_an_earlier_version_is_replayed_on_an_upload(sign_in: Open, world: World) -> None:
    add_versions(world, 3)
    cleaned = {"recipe": STEPS[:1], "origin": "recipe", "parent_version": 1}
    world.shelf.versions[7][1] = make_version(world.datasets[7], 2, **cleaned)
    app = sign_in("ada", "dataset", id="7", tab="Versions")
    assert "Version 3 is as it came." in texts(app)
    app = press(app, "Replay the recipe of version 2 here")
    assert not app.exception
    assert world.datasets[7].latest_version == 4
    assert "Version 4 is made" in said(app)
    assert "Version 3 is as it came." not in texts(app)


def test_sheet_of_a_workbook_is_read_again(sign_in: Open, world: World) -> None:
    add_versions(world, 1, source=SHEETS)
    app = press(sign_in("ada", "dataset", id="7", tab="Versions"), "Read again with …")
    assert "Read as Excel, sheet data (1 other sheet)." in said(app)
    app = choose(app, "Sheet", "notes")
    app = press(app, "Read again")
    assert not app.exception
    assert world.shelf.fields == [{"sheet": "notes"}]
    assert world.datasets[7].latest_version == 2
    assert "Version 2 is stored" in said(app)


def test_options_that_do_not_fit_are_told_in_the_dialog(sign_in: Open, world: World) -> None:
    add_versions(world, 1)
    app = press(sign_in("ada", "dataset", id="7", tab="Versions"), "Read again with …")
    world.refuse_upload = Refusal(422, "There is only one column.", delimiter="one column only")
    app.selectbox(key="again.7.1.0.delimiter").set_value("|")
    app = press(app, "Read again")
    assert "one column only" in said(app)
    assert "Read again" in labels(app)
    assert world.datasets[7].latest_version == 1


def make_diff(**more: object) -> VersionDiff:
    values: dict[str, object] = {"before": 1, "after": 2, "same_content": False, "rows_before": 344}
    values |= {"rows_after": 333, "rows_only_before": 11, "rows_only_after": 0, "columns": []}
    return VersionDiff.model_validate({**values, **more})


def make_column(name: str, change: str, **more: object) -> ColumnDiff:
    values = dict.fromkeys(("type_before", "type_after", "nulls_before", "nulls_after"))
    return ColumnDiff.model_validate({"name": name, "change": change, **values, **more})


def test_difference_of_versions_begins_with_its_verdicts(sign_in: Open, world: World) -> None:
    add_versions(world, 2)
    verdict = "sex: 12 % fewer values of 'male'"
    sex = make_column("sex", "changed", nulls_before=11, nulls_after=0, shift=0.12, verdict=verdict)
    year = make_column("year", "same", nulls_before=0, nulls_after=0)
    mass = make_column("mass_kg", "added", type_after="number", nulls_after=0)
    world.shelf.diffs[7, 1, 2] = make_diff(columns=[year, mass, sex])
    app = sign_in("ada", "dataset", id="7", tab="Versions", compare="true")
    told = said(app)
    assert verdict in told
    assert "New columns: mass_kg" in told
    assert "344 → 333 rows: 0 rows only in version 2, 11 rows only in version 1." in told
    rows = app.dataframe[0].value.to_dict("records")
    assert [row["Column"] for row in rows] == ["sex", "mass_kg", "year"]
    assert (rows[0]["Missing"], rows[2]["Missing"]) == ("11 → 0", "0")


def test_same_content_is_said(sign_in: Open, world: World) -> None:
    add_versions(world, 2)
    world.shelf.diffs[7, 1, 2] = make_diff(same_content=True, rows_after=344)
    app = sign_in("ada", "dataset", id="7", tab="Versions", compare="true")
    assert "The content is the same, value for value." in texts(app)


@pytest.mark.parametrize("tab", ["Preview", "Profile", "Recipe", "Versions", "Share", "Used by"])
def test_reader_is_offered_no_change(sign_in: Open, world: World, tab: str) -> None:
    world.projects.members[1]["bob"] = ProjectRole.VIEWER
    add_versions(world, 1)
    app = sign_in("bob", "dataset", id="7", tab=tab)
    assert not app.exception
    offered = {"Delete", "Fit this", "Read again with …", "Make the next version", "Move"}
    assert not offered & set(labels(app))
    assert not app.get("file_uploader")


def test_share_tab_names_the_members(sign_in: Open, world: World) -> None:
    world.projects.members[1]["bob"] = ProjectRole.EDITOR
    app = sign_in("ada", "dataset", id="7", tab="Share")
    rows = app.dataframe[0].value.to_dict("records")
    assert [(row["User"], row["Role"]) for row in rows] == [("ada", "owner"), ("bob", "editor")]
    assert "Share" in labels(app)


def test_difference_names_types_as_the_profile_does(sign_in: Open, world: World) -> None:
    add_versions(world, 2)
    power = make_column("power", "changed", type_before="string", type_after="integer")
    world.shelf.diffs[7, 1, 2] = make_diff(columns=[power])
    app = sign_in("ada", "dataset", id="7", tab="Versions", compare="true")
    assert "Other types: power (text → whole number)" in said(app)
    assert app.dataframe[0].value["Type"][0] == "text → whole number"


def test_open_tab_and_its_comparison_are_in_the_address(sign_in: Open, world: World) -> None:
    add_versions(world, 2)
    world.shelf.diffs[7, 1, 2] = make_diff()
    app = sign_in("ada", "dataset", id="7", tab="Nope")
    assert app.session_state["tab"] == "Preview"
    app.query_params["tab"] = "Versions"
    app = app.run()
    assert app.session_state["tab"] == "Versions"
    assert app.query_params["id"] == "7"
