"""A form for any estimator, drawn from the JSON Schema of its parameters."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from frontend.text import plain

Schema = Mapping[str, Any]
# st.number_input counts in doubles; beyond this it refuses.
LARGEST_EXACT: Final = 2**53 - 1
NOT_SET: Final = "not set"


def draw_parameters(schema: Schema, defaults: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """One input per parameter, two in a row; answers those that differ from their defaults."""
    values: dict[str, Any] = {}
    properties: Mapping[str, Schema] = schema.get("properties", {})
    columns = st.columns(2) if len(properties) > 1 else [st.container()]
    for position, (name, raw) in enumerate(properties.items()):
        field = resolve(raw, schema)
        with columns[position % len(columns)]:
            default = defaults.get(name, field.get("default"))
            value = _draw(name, field, default, key=f"{key}.{name}")
        if value != default:
            values[name] = value
    return values


def resolve(field: Schema, root: Schema) -> dict[str, Any]:
    """The field with references followed and `null` of a union noted as `nullable`."""
    merged = dict(field)
    reference = merged.pop("$ref", None)
    if isinstance(reference, str):
        target = root.get("$defs", {}).get(reference.rpartition("/")[2], {})
        merged = {**resolve(target, root), **merged}
    one = merged.get("allOf")
    if isinstance(one, list) and len(one) == 1:
        merged = {**resolve(one[0], root), **{k: v for k, v in merged.items() if k != "allOf"}}
    options = merged.get("anyOf") or merged.get("oneOf")
    if isinstance(options, list):
        merged = _merge_union([resolve(option, root) for option in options], merged)
    return merged


def _merge_union(options: list[dict[str, Any]], field: dict[str, Any]) -> dict[str, Any]:
    kept = [option for option in options if option.get("type") != "null"]
    outer = {name: value for name, value in field.items() if name not in ("anyOf", "oneOf")}
    if len(kept) < len(options):
        outer["nullable"] = True
    choices = [choice for option in kept for choice in _choices(option)]
    if choices and all(_choices(option) for option in kept):
        return {**outer, "enum": choices}
    return {**kept[0], **outer} if len(kept) == 1 else outer


def _choices(field: Schema) -> list[Any]:
    return list(field["enum"]) if "enum" in field else [field["const"]] if "const" in field else []


def _draw(name: str, field: Schema, default: Any, *, key: str) -> Any:
    label = plain(str(field.get("title") or name.replace("_", " ").capitalize()))
    description = field.get("description")
    hint = plain(str(description)) if description else None
    choices = _choices(field)
    if choices:
        return _draw_choice(label, field, choices, default, hint=hint, key=key)
    match field.get("type"):
        case "boolean":
            return st.toggle(label, value=bool(default), help=hint, key=key)
        case "integer":
            return _draw_integer(label, field, default, hint=hint, key=key)
        case "number":
            return _draw_number(label, field, default, hint=hint, key=key)
        case "string":
            return st.text_input(label, value=default or "", help=hint, key=key)
        case _:
            # Lists and unions stay at their default: a wrong input is worse than none.
            st.text_input(label, value=str(default), help=hint, key=key, disabled=True)
            return default


def _draw_choice(
    label: str, field: Schema, choices: list[Any], default: Any, *, hint: str | None, key: str
) -> Any:
    options = [None, *choices] if field.get("nullable") else choices
    index = options.index(default) if default in options else 0
    return st.selectbox(
        label,
        options,
        index=index,
        format_func=lambda option: NOT_SET if option is None else str(option).replace("_", " "),
        help=hint,
        key=key,
    )


def _draw_integer(
    label: str, field: Schema, default: Any, *, hint: str | None, key: str
) -> int | None:
    lowest, highest = field.get("minimum"), field.get("maximum")
    if "exclusiveMinimum" in field:
        lowest = field["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in field:
        highest = field["exclusiveMaximum"] - 1
    value: int | None = st.number_input(
        label,
        min_value=max(-LARGEST_EXACT, int(lowest)) if lowest is not None else -LARGEST_EXACT,
        max_value=min(LARGEST_EXACT, int(highest)) if highest is not None else LARGEST_EXACT,
        value=None if default is None else int(default),
        step=1,
        help=hint,
        key=key,
        placeholder=NOT_SET,
    )
    return value


def _draw_number(
    label: str, field: Schema, default: Any, *, hint: str | None, key: str
) -> float | None:
    # An exclusive bound is left to the server, which names the field.
    lowest = field.get("minimum", field.get("exclusiveMinimum"))
    highest = field.get("maximum", field.get("exclusiveMaximum"))
    value: float | None = st.number_input(
        label,
        min_value=None if lowest is None else float(lowest),
        max_value=None if highest is None else float(highest),
        value=None if default is None else float(default),
        step=_step(default),
        format="%g",
        help=hint,
        key=key,
        placeholder=NOT_SET,
    )
    return value


def _step(default: Any) -> float:
    """A tenth of the default's size; a press of the button should matter but not jump."""
    return abs(float(default)) / 10 if default else 0.1
