"""Forms of the steps that read dates, give roles, and add columns."""

from typing import Final

import streamlit as st

from frontend import identity, permission
from frontend.client import NotThere
from frontend.datasets_client import DatasetQuery
from frontend.recipe_inputs import DATES, EXPRESSION_HINT, NUMERIC, TEXT, Inputs, Step
from frontend.recipe_value_forms import errors_choice

FORMATS: Final = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%Y-%m-%d",
    "%d %b %Y",
    "%d.%m.%Y %H:%M",
    "%Y-%m-%d %H:%M:%S",
)
FORMAT_HINT: Final = (
    "The first that fits a value counts. %d day, %m month, %b or %B its name, %Y year, "
    "%H hour, %M minute, %S second."
)
PARTS: Final = (
    "year",
    "quarter",
    "month",
    "day",
    "weekday",
    "day_of_year",
    "hour",
    "minute",
    "second",
    "is_weekend",
)
TAKEN_BACK: Final = ""
ROLES: Final = {
    "categorical": "category",
    "numeric": "number",
    "boolean": "true or false",
    "datetime": "time",
    "text": "text (left out of a fit)",
    "id": "identifier (left out of a fit)",
    TAKEN_BACK: "as found out",
}
MOST_DATASETS: Final = 200


def parse_dates(inputs: Inputs) -> Step | None:
    columns = inputs.several(kinds=TEXT)
    formats = inputs.free(
        "Written as", FORMATS, name="formats", hint=FORMAT_HINT, given=FORMATS[:1]
    )
    step = {"kind": "parse_dates", "columns": columns, "formats": formats}
    step["errors"] = errors_choice(inputs)
    return step if columns and formats else None


def set_role(inputs: Inputs) -> Step | None:
    given: dict[str, str | None] = inputs.before.get("columns") or {}
    columns = inputs.with_before({"columns": list(given)}).several()
    first = next(iter(given.values()), "categorical")
    role = inputs.choice("Use as", ROLES, name="role", given=first or TAKEN_BACK)
    return (
        {"kind": "set_role", "columns": dict.fromkeys(columns, role or None)} if columns else None
    )


def derive(inputs: Inputs) -> Step | None:
    name = inputs.text("Name of the column", name="name")
    if name in inputs.columns:
        st.caption("There is a column of this name: it is replaced.")
    expression = inputs.lines(
        "Computed as",
        name="expression",
        hint=EXPRESSION_HINT,
        placeholder="log(body_mass_g / flipper_length_mm)",
    )
    step = {"kind": "derive", "name": name, "expression": expression}
    return step if name and expression else None


def date_parts(inputs: Inputs) -> Step | None:
    columns = inputs.several(kinds=DATES)
    parts = inputs.some("Parts", PARTS, name="parts", given=("year", "month"))
    return {"kind": "date_parts", "columns": columns, "parts": parts} if columns and parts else None


def interactions(inputs: Inputs) -> Step | None:
    columns = inputs.several(kinds=NUMERIC, at_most=50)
    st.caption("Adds the product of each two of them.")
    return {"kind": "interactions", "columns": columns} if len(columns) > 1 else None


def polynomial(inputs: Inputs) -> Step | None:
    columns = inputs.several(kinds=NUMERIC)
    given = int(inputs.before.get("degree") or 2)
    degree = inputs.whole("Highest power", name="degree", given=given, least=2, most=5)
    return {"kind": "polynomial", "columns": columns, "degree": degree} if columns else None


def join(inputs: Inputs) -> Step | None:
    """The other dataset by its name, its version, and the keys that must agree."""
    other = _other_dataset(inputs)
    if other is None:
        return None
    dataset_id, version = other
    there = [column.name for column in identity.datasets_api().profile(dataset_id, version).columns]
    given: dict[str, str] = inputs.before.get("on") or {}
    count = inputs.count("Keys", name="on", given=len(given), most=10)
    pairs = [_key_pair(inputs, at, list(given.items())[at : at + 1], there) for at in range(count)]
    on = {here: name for here, name in pairs if here and name}
    step: Step = {"kind": "join", "dataset_id": dataset_id, "version": version, "on": on}
    ways = {"left": "all rows of this table", "inner": "only rows that have a partner"}
    step["how"] = inputs.choice("Keep", ways, name="how")
    rest = [name for name in there if name not in on.values()]
    if columns := inputs.some("Columns to add (none chosen: all)", rest, name="columns"):
        step["columns"] = columns
    step["suffix"] = inputs.text(
        "Added to names that stand in both", name="suffix", given=_suffix(inputs)
    )
    step["many"] = inputs.flag(
        "Several rows there may have the same key",
        name="many",
        given=bool(inputs.before.get("many")),
    )
    return step if len(on) == count and step["suffix"] else None


def _suffix(inputs: Inputs) -> str:
    return str(inputs.before.get("suffix") or "_right")


def _other_dataset(inputs: Inputs) -> tuple[int, int] | None:
    """Its id and version."""
    projects = permission.project_names()
    query = DatasetQuery(kind="table", limit=MOST_DATASETS)
    known = {dataset.id: dataset for dataset in identity.datasets_api().datasets(query)}
    given = inputs.before.get("dataset_id")
    if given is not None and given not in known:
        try:
            known[given] = identity.datasets_api().dataset(given)
        except NotThere:
            st.caption(f"Dataset {given} is not shared with you.")
    if not known:
        st.caption("There is no other dataset.")
        return None
    names = {
        number: f"{dataset.name} · no. {number} · {projects.get(dataset.project_id, '')}"
        for number, dataset in known.items()
    }
    first = str(given) if given in known else None
    chosen = int(
        inputs.choice(
            "With the dataset",
            {str(number): name for number, name in names.items()},
            name="dataset_id",
            given=first,
        )
    )
    latest = known[chosen].latest_version
    version = int(inputs.before.get("version") or latest) if chosen == given else latest
    name = f"version.{chosen}"
    return chosen, inputs.whole("Version", name=name, given=version, least=1, most=latest)


def _key_pair(
    inputs: Inputs, at: int, given: list[tuple[str, str]], there: list[str]
) -> tuple[str | None, str | None]:
    old, new = given[0] if given else (None, None)
    left, right = st.columns(2)
    with left:
        here = inputs.one("Column here", name=f"here.{at}", given=old)
    with right:
        same = new or (here if here in there else None)
        options = {name: name for name in there}
        partner = inputs.choice("equals the column there", options, name=f"there.{at}", given=same)
    return here, partner
