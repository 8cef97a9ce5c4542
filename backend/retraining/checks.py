"""Whether a dataset version can retrain a model: asked before anything is stored or queued."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.core.errors import FieldProblem, Unprocessable, field_error
from backend.science.metrics import METRICS
from backend.science.spec import FEWEST_ROWS


def require_same_images(size: Mapping[str, int], champion: Mapping[str, Any]) -> None:
    """A network has nothing to say about images of another size or other colours."""
    wanted = {part: champion[part] for part in size}
    if size != wanted:
        msg = f"the images have {_pixels(size)}, those of the champion {_pixels(wanted)}"
        raise field_error("file", msg=msg, kind="size")


def _pixels(size: Mapping[str, int]) -> str:
    colours = "grey" if size["channels"] == 1 else "colour"
    return f"{size['width']} x {size['height']} pixels in {colours}"


# Types that a fit treats alike, in words.
KINDS: Final[Mapping[str, str]] = {
    "number": "numbers",
    "integer": "numbers",
    "boolean": "true and false",
    "date": "dates",
    "datetime": "dates",
    "string": "text",
    "image": "images",
}


def require_fitting_data(
    columns: Sequence[Mapping[str, Any]], rows: int, outcome: Mapping[str, Any], place: str
) -> None:
    """Every missing and ill-typed column is named at once, and a target without enough in it.

    `columns` and `rows` are those of the version, `outcome` is the champion's, `place` is the
    field of the request that brought the data.
    """
    types = {column["name"]: column["type"] for column in columns}
    wanted = {column["name"]: KINDS[column["type"]] for column in outcome["input_columns"]}
    wanted[outcome["output"]["name"]] = _target_kind(outcome["output"])
    problems: list[FieldProblem] = []
    for name, kind in wanted.items():
        where = ["body", place, "column", name]
        if name not in types:
            problems.append(FieldProblem(loc=where, msg=f"{name} is missing", type="missing"))
        elif KINDS[types[name]] != kind:
            text = f"{name} must hold {kind}, not {types[name]} values"
            problems.append(FieldProblem(loc=where, msg=text, type="type"))
    if not problems:
        target = next(c for c in columns if c["name"] == outcome["output"]["name"])
        problems = _target_problems(target, rows, outcome, place)
    if problems:
        told = "; ".join(problem["msg"] for problem in problems)
        raise Unprocessable(f"The data do not fit the model: {told}.", errors=problems)


def _target_problems(
    target: Mapping[str, Any], rows: int, outcome: Mapping[str, Any], place: str
) -> list[FieldProblem]:
    name, known = target["name"], rows - target["nulls"]
    texts: list[str] = []
    if known < FEWEST_ROWS:
        texts.append(f"{known} rows have a known {name}, at least {FEWEST_ROWS} are needed")
    needed = 3 if outcome["task"] == "multiclass" else 2
    # Numbers of a large table are not counted when it is stored; the fit counts them.
    distinct = target["distinct"]
    if distinct is not None and distinct < needed:
        texts.append(f"{name} has {distinct} different values, {needed} are needed")
    where = ["body", place, "column", name]
    return [FieldProblem(loc=where, msg=text, type="too_few") for text in texts]


def _target_kind(output: Mapping[str, Any]) -> str:
    classes = output["classes"]
    if classes is None:
        return "numbers"
    if isinstance(classes[0], bool):
        return "true and false"
    return "text" if isinstance(classes[0], str) else "numbers"


def chosen_metric(wanted: str | None, task: str, metrics: Mapping[str, float]) -> str:
    """The metric that decides: the one asked for, else R² or the accuracy."""
    if wanted is None:
        return "r2" if task == "regression" else "accuracy"
    if wanted not in METRICS or wanted not in metrics:
        known = ", ".join(name for name in METRICS if name in metrics)
        raise field_error("metric", msg=f"the champion has no such metric; it has {known}")
    return wanted
