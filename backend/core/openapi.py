"""Request bodies that routes read themselves, so that FastAPI cannot describe them."""

from typing import Any


def multipart_body(**fields: str) -> dict[str, Any]:
    """A form with a file and text fields, by name and JSON type; the content of `requestBody`."""
    properties: dict[str, Any] = {"file": {"type": "string", "format": "binary"}}
    properties |= {name: {"type": kind} for name, kind in fields.items()}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"multipart/form-data": {"schema": schema}}
