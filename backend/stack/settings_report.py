"""What is wrong with the settings, in the words of the environment, without any value."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

ENV_PREFIX: Final = "GOODFIT_"
FIELD_PATTERN: Final = re.compile(r'field "(\w+)"')


def variable_name(path: Sequence[str | int]) -> str:
    """`("secrets", "token_key")` is `GOODFIT_SECRETS__TOKEN_KEY`."""
    return ENV_PREFIX + "__".join(str(part) for part in path).upper()


def describe(error: Exception, settings: type[BaseModel] | None = None) -> list[str]:
    """One line per problem; an error that is not about settings is raised again."""
    if isinstance(error, ValidationError):
        lines = [line for details in error.errors() for line in _lines(details, settings)]
        return list(dict.fromkeys(lines))
    if isinstance(error, OSError) and (name := _variable_of_file(error.filename)):
        return [f"{name}: cannot read the file ({error.strerror})"]
    if isinstance(error, SettingsError) and (field := FIELD_PATTERN.search(str(error))):
        return [f"{variable_name([field[1]])}: set its parts by {variable_name([field[1]])}__..."]
    raise error


def _lines(details: object, settings: type[BaseModel] | None) -> Iterator[str]:
    """The error's own text names rules; its `input` may be a secret and is left alone."""
    if not isinstance(details, dict):
        return
    path = tuple(details["loc"])
    message = str(details["msg"]).removeprefix("Value error, ")
    if not path:
        yield message
    elif details["type"] == "missing":
        for missing in _required(path, settings):
            yield f"{variable_name(missing)}: is not set"
    else:
        yield f"{variable_name(path)}: {message}"


def _required(
    path: tuple[str | int, ...], settings: type[BaseModel] | None
) -> Iterator[tuple[str | int, ...]]:
    """The settings that a missing one stands for: an area's own required fields."""
    area: object = settings
    for part in path:
        if isinstance(area, type) and issubclass(area, BaseModel) and part in area.model_fields:
            area = area.model_fields[str(part)].annotation
    if isinstance(area, type) and issubclass(area, BaseModel):
        for name, entry in area.model_fields.items():
            if entry.is_required():
                yield (*path, name)
    else:
        yield path


def _variable_of_file(filename: object) -> str | None:
    for name, text in os.environ.items():
        if name.startswith(ENV_PREFIX) and name.endswith("_FILE") and text == str(filename):
            return name
    return None
