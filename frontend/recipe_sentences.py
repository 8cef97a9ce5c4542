"""The steps of a recipe in words."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

Step = Mapping[str, Any]
SHOWN_ITEMS: Final = 6
SHOWN_CHARACTERS: Final = 120
COMPARISONS: Final = {
    "==": "is",
    "!=": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "is_missing": "is missing",
    "is_known": "is known",
}


def sentence(step: Step) -> str:
    """What one step does, as plain text: names and values are a user's and need escaping."""
    said = _SENTENCES.get(str(step.get("kind")))
    try:
        return said(step) if said else _fields(step)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Of an imported file that the server has not checked yet.
        return _fields(step)


def summary(steps: Iterable[Step]) -> str:
    """What several steps do, in one line of plain text."""
    return "; ".join(map(sentence, steps))


def _fields(step: Step) -> str:
    details = [f"{name}: {shown(value)}" for name, value in step.items() if name != "kind"]
    return f"{str(step.get('kind', 'step')).replace('_', ' ')} ({'; '.join(details)})"


def shown(value: object) -> str:
    """A value as a person reads it, cut where it is long."""
    if isinstance(value, Mapping):
        return _listed(f"{name} → {shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return _listed(map(shown, value))
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    said = str(value)
    return said if len(said) <= SHOWN_CHARACTERS else f"{said[:SHOWN_CHARACTERS]}…"


def _listed(items: Iterable[str]) -> str:
    listed = list(items)
    more = len(listed) - SHOWN_ITEMS
    return ", ".join(listed[:SHOWN_ITEMS]) + (f" and {more} more" if more > 0 else "")


def _columns(step: Step) -> str:
    columns = step.get("columns")
    noun = "column" if columns and len(columns) == 1 else "columns"
    return f"{noun} {shown(columns)}"


def _cast(step: Step) -> str:
    comma = " with a decimal comma" if step.get("decimal") == "," else ""
    rest = "what does not fit becomes missing" if step.get("errors") == "null" else "all must fit"
    return f"Read {shown(step['columns'])} as {step['to']}{comma}; {rest}"


def _parse_dates(step: Step) -> str:
    rest = "what does not fit becomes missing" if step.get("errors") == "null" else "all must fit"
    return f"Read {shown(step['columns'])} as dates written as {shown(step['formats'])}; {rest}"


def _set_role(step: Step) -> str:
    parts = [f"{name} as {role or 'found out'}" for name, role in step["columns"].items()]
    return f"Use {_listed(parts)}"


def _winsorise(step: Step) -> str:
    lower, upper = step.get("lower", 0.01), step.get("upper", 0.99)
    return f"Winsorise {shown(step['columns'])} at the quantiles {lower} and {upper}"


def _derive(step: Step) -> str:
    return f"Compute {step['name']} = {shown(step['expression'])}"


def _polynomial(step: Step) -> str:
    return f"Add the powers of {shown(step['columns'])} up to {step.get('degree', 2)}"


def _join(step: Step) -> str:
    rows = "rows with a partner" if step.get("how") == "inner" else "all rows"
    keys = _listed(f"{here} = {there}" for here, there in step["on"].items())
    added = f"the columns {shown(step['columns'])}" if step.get("columns") else "all columns"
    other = f"version {step['version']} of dataset {step['dataset_id']}"
    return f"Join with {other} where {keys}: add {added}, keep {rows}"


def _replace(step: Step) -> str:
    return f"Replace values of {step['column']}: {shown(step['values'])}"


def _drop_missing(step: Step) -> str:
    where = shown(step["columns"]) if step.get("columns") else "any column"
    return f"Drop the rows in which {where} is missing"


def _fill(step: Step) -> str:
    parts = [
        f"{name} with {shown(fill['value'])}"
        if fill["method"] == "constant"
        else f"{name} with its {fill['method'].replace('_', ' ')}"
        for name, fill in step["columns"].items()
    ]
    return f"Fill the missing values of {_listed(parts)}"


def _filter(step: Step) -> str:
    if step.get("expression"):
        return f"Keep the rows where {shown(step['expression'])}"
    joined = " or " if step.get("match") == "any" else " and "
    conditions = [_condition(condition) for condition in step["conditions"]]
    return f"Keep the rows where {joined.join(conditions)}"


def _condition(condition: Step) -> str:
    operator = COMPARISONS.get(condition["operator"], condition["operator"])
    value = condition.get("value")
    parts = [condition["column"], operator, "" if value is None else shown(value)]
    return " ".join(map(str, parts)).strip()


def _rename(step: Step) -> str:
    return f"Rename {shown(step['columns'])}"


def _clip(step: Step) -> str:
    parts = [f"{name} to {_range(bounds)}" for name, bounds in step["columns"].items()]
    return f"Clip {_listed(parts)}"


def _range(bounds: Step) -> str:
    lower, upper = bounds.get("lower"), bounds.get("upper")
    if lower is None:
        return f"at most {upper}"
    return f"at least {lower}" if upper is None else f"{lower} to {upper}"


def _deduplicate(step: Step) -> str:
    where = shown(step["columns"]) if step.get("columns") else "all columns"
    return f"Keep the {step.get('keep', 'first')} of the rows that agree in {where}"


def _sort(step: Step) -> str:
    keys = [
        f"{key['column']}{', largest first' * key.get('descending', False)}" for key in step["by"]
    ]
    return f"Sort the rows by {' then '.join(keys)}"


def _sample(step: Step) -> str:
    share = step.get("share")
    size = f"{step['rows']:,} rows" if share is None else f"{share * 100:g} % of the rows"
    return f"Draw {size} at random, seed {step.get('seed', 0)}"


_SENTENCES: Final[Mapping[str, Callable[[Step], str]]] = {
    "drop_columns": lambda step: f"Drop the {_columns(step)}",
    "keep_columns": lambda step: f"Keep only the {_columns(step)}",
    "rename": _rename,
    "cast": _cast,
    "parse_dates": _parse_dates,
    "replace_values": _replace,
    "drop_nulls": _drop_missing,
    "fill_nulls": _fill,
    "filter_rows": _filter,
    "clip": _clip,
    "set_role": _set_role,
    "winsorise": _winsorise,
    "derive": _derive,
    "date_parts": lambda step: f"Add {shown(step['parts'])} of {shown(step['columns'])}",
    "interactions": lambda step: f"Add the products of {shown(step['columns'])}",
    "polynomial": _polynomial,
    "join": _join,
    "deduplicate": _deduplicate,
    "sort": _sort,
    "sample": _sample,
}
