"""The tab that tells what is in a version: warnings first, then its columns or images."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from backend.core.access import ProjectRole
from backend.datasets.profile_schemas import (
    Association,
    ColumnOut,
    ColumnWarning,
    Histogram,
    ImageProfile,
    ProfileOut,
    TopValue,
)
from backend.datasets.schemas import DoubtOut
from frontend.profile_columns import shape_of
from frontend.profile_details import summary
from frontend.state import Recipe
from tests.frontend.conftest import Open, labels, press, said, texts
from tests.frontend.world import IMAGE_PROFILE, PROFILE, World, make_dataset

FIX: dict[str, Any] = {"kind": "cast", "columns": ["sex"], "to": "number", "errors": "null"}
DOUBT = DoubtOut(
    column="sex",
    message="sex: 6 of 398 values are not numbers: '?'",
    values=6,
    examples=["?"],
    step=FIX,
)
MASS = ColumnOut(
    name="body_mass_g",
    type="integer",
    role="numeric",
    left_out_because=None,
    nulls=2,
    distinct=94,
    min=2700,
    max=6300,
    mean=4201.75,
    sd=801.95,
    quantiles={"0.25": 3550.0, "0.5": 4050.0, "0.75": 4750.0},
    histogram=Histogram(edges=[2700.0, 4500.0, 6300.0], counts=[226, 116]),
    warnings=[ColumnWarning(kind="skew", message="body_mass_g: *skewed* to the right")],
)
BORN = ColumnOut(
    name="born",
    type="date",
    role="datetime",
    left_out_because="it is a time",
    nulls=0,
    distinct=3,
    min="2007-11-11",
    max="2009-12-01",
    histogram=Histogram(edges=["2007-11-11", "2008-12-01", "2009-12-01"], counts=[1, 2]),
    is_approximate=True,
)
SEX = ColumnOut(
    name="sex",
    type="string",
    role="categorical",
    role_given=True,
    left_out_because=None,
    nulls=11,
    distinct=2,
    top=[TopValue(value="male", count=168), TopValue(value="female", count=165)],
)
FULL = PROFILE.model_copy(update={"columns": [SEX, MASS, BORN], "duplicate_rows": 3})


def open_profile(sign_in: Open, world: World, *profiles: ProfileOut, user: str = "ada") -> AppTest:
    world.shelf.profiles[7, 1] = list(profiles)
    return sign_in(user, "dataset", id="7", tab="Profile")


def test_calm_table_says_that_nothing_is_suspicious(sign_in: Open, world: World) -> None:
    app = open_profile(sign_in, world, PROFILE)
    assert "Nothing suspicious in 6 columns." in said(app)


def test_doubt_comes_first_and_is_mended_with_one_click(sign_in: Open, world: World) -> None:
    warnings = [DOUBT.message, "year: one value only"]
    told = FULL.model_copy(update={"doubts": [DOUBT], "warnings": warnings})
    world.datasets[7] = make_dataset(7, "penguins", "ada", 1, warnings=warnings[:1])
    app = open_profile(sign_in, world, told)
    shown = [warning.value.replace("\\", "") for warning in app.warning]
    # The header names the first as well.
    assert shown[1:3] == [DOUBT.message, "- year: one value only"]
    app = press(app, "Fix it")
    assert not app.exception
    recipe: Recipe = app.session_state["goodfit.recipes"][7, 1]
    assert recipe.steps == (FIX,)
    assert app.session_state["tab"] == "Recipe"
    assert "**1.** Read sex as number; what does not fit becomes missing" in said(app)


def test_viewer_is_told_of_doubts_without_a_way_to_change(sign_in: Open, world: World) -> None:
    world.projects.members[1]["vic"] = ProjectRole.VIEWER
    told = FULL.model_copy(update={"doubts": [DOUBT], "warnings": [DOUBT.message]})
    app = open_profile(sign_in, world, told, user="vic")
    assert DOUBT.message in said(app)
    assert "Fix it" not in labels(app)


def test_columns_are_shown_with_their_numbers(sign_in: Open, world: World) -> None:
    app = open_profile(sign_in, world, FULL)
    table = app.dataframe[0].value
    assert list(table["Column"]) == ["sex", "body_mass_g", "born"]
    assert list(table["Role"]) == ["category, as told", "number", "time"]
    assert table["Missing"][0] == pytest.approx(11 / 344)
    assert [table[name][1] for name in ("Mean", "Median", "Most")] == [4201.75, 4050.0, 6300.0]
    assert list(table["Shape"][0]) == [168, 165]
    assert list(table["Look at"][1]) == ["skew"]
    assert table["In a fit"][2] == "left out: it is a time"
    assert "3 rows repeated" in texts(app)
    assert "are estimates: born" in said(app)


def test_columns_are_filtered_by_name_type_and_warning(sign_in: Open, world: World) -> None:
    more = [SEX.model_copy(update={"name": f"extra_{number}"}) for number in range(7)]
    app = open_profile(sign_in, world, FULL.model_copy(update={"columns": [MASS, BORN, *more]}))
    assert len(app.dataframe[0].value) == 9
    app = app.text_input(key="profile.7.1.name").set_value("EXTRA").run()
    assert list(app.dataframe[0].value["Column"]) == [column.name for column in more]
    app = app.text_input(key="profile.7.1.name").set_value("").run()
    app = app.multiselect(key="profile.7.1.types").set_value(["date"]).run()
    assert list(app.dataframe[0].value["Column"]) == ["born"]
    app = app.checkbox(key="profile.7.1.warned").check().run()
    assert "No column is like that." in texts(app)


def test_closer_look_starts_at_a_warning_and_follows_the_choice(
    sign_in: Open, world: World
) -> None:
    app = open_profile(sign_in, world, FULL)
    assert "**body_mass_g** · whole number" in said(app)
    assert "body_mass_g: *skewed* to the right" in said(app)
    assert "The middle half lies between 3,550 and 4,750." in said(app)
    app = app.selectbox(key="profile.7.1.column").set_value("sex").run()
    assert not app.exception
    assert list(app.dataframe[-1].value["Value"]) == ["male", "female"]
    app = app.selectbox(key="profile.7.1.column").set_value("born").run()
    assert not app.exception
    assert "about 3 different. They go from 2007-11-11 to 2009-12-01." in said(app)


def test_target_tells_what_goes_along_with_it(sign_in: Open, world: World) -> None:
    leak = ColumnWarning(kind="leak", message="sex tells the target already")
    strong = Association(kind="correlation_ratio", value=0.99, pairs=333)
    weak = Association(kind="pearson", value=-0.3, pairs=342)
    columns = [
        BORN.model_copy(update={"association": weak}),
        SEX.model_copy(update={"association": strong, "warnings": [leak]}),
        MASS,
    ]
    app = open_profile(sign_in, world, FULL.model_copy(update={"columns": columns}))
    app = app.selectbox(key="profile.7.1.target").set_value("body_mass_g").run()
    assert not app.exception
    assert leak.message in said(app)
    table = app.dataframe[-1].value
    assert list(table["Column"]) == ["sex", "born"]
    assert list(table["Strength"]) == [0.99, 0.3]
    assert "Strongest: sex with 0.990." in said(app)


def test_failed_profile_is_told_and_made_again(sign_in: Open, world: World) -> None:
    failed = PROFILE.model_copy(update={"state": "failed", "message": "It took *too* much memory."})
    app = open_profile(sign_in, world, failed)
    assert "It took *too* much memory." in said(app)
    world.shelf.profiles[7, 1] = [failed]
    app = press(app, "Profile again")
    assert not app.exception
    assert "It took" not in said(app)


def test_running_profile_shows_what_is_known(sign_in: Open, world: World) -> None:
    running = PROFILE.model_copy(update={"state": "running", "progress": 0.4})
    app = open_profile(sign_in, world, running)
    assert not app.exception
    assert "The statistics are on their way." in texts(app)
    assert "rowid" in list(app.dataframe[0].value["Column"])
    assert "Nothing suspicious" not in texts(app)


def test_images_are_told_by_size_and_class(sign_in: Open, world: World) -> None:
    world.datasets[9] = make_dataset(9, "digits", "ada", 1, kind="image", rows=5_000)
    images = ImageProfile(
        width=28,
        height=28,
        channels=1,
        classes={"<b>7": 4_000, "1": 1_000},
        mean=0.13,
        sd=0.31,
        smallest_bytes=200,
        largest_bytes=900,
    )
    world.shelf.profiles[9, 1] = [IMAGE_PROFILE.model_copy(update={"images": images})]
    app = sign_in("ada", "dataset", id="9", tab="Profile")
    assert not app.exception
    assert [metric.value for metric in app.metric][:2] == ["28 x 28", "1"]
    assert "2 classes with 5,000 images: 4,000 of <b>7, 1,000 of 1." in said(app)


def test_shape_is_the_histogram_or_the_frequent_values() -> None:
    assert shape_of(MASS) == [226, 116]
    assert shape_of(SEX) == [168, 165]
    assert shape_of(PROFILE.columns[0]) == []


def test_summary_of_an_empty_column_is_short() -> None:
    empty = SEX.model_copy(update={"nulls": 344, "distinct": 0, "top": []})
    assert summary(empty, 344) == "0 of 344 values are present, 0 different."
