"""Profiles as they are stored. Runs in processes that work on tables; its libraries are heavy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.science.column_types import IMAGE, ColumnDescription
from backend.science.images.image_profile import profile_images
from backend.science.profiles.findings import find_image_problems
from backend.science.profiles.profile import profile_table
from backend.science.tables.digest import content_digest
from backend.science.tables.table_file import Report, silent


def small_profile(path: Path, columns: Sequence[ColumnDescription]) -> bytes:
    """The profile, as it is stored, of a version that is small enough to wait for it."""
    return _dumped(_profile(path, columns, silent))


def run_profile(request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Entry of the worker's process: `table` is read, `profile` is written.

    `columns` are the descriptions that the version has. Answers the content digest as well where
    `digest` asks for it.
    """
    columns = [ColumnDescription(**column) for column in request["columns"]]
    profile = _profile(Path(request["table"]), columns, report)
    Path(request["profile"]).write_bytes(_dumped(profile))
    return {"content_digest": content_digest(Path(request["table"]))} if request["digest"] else {}


def _profile(path: Path, columns: Sequence[ColumnDescription], report: Report) -> dict[str, Any]:
    if any(column.type == IMAGE for column in columns):
        images = profile_images(path)
        warnings = [asdict(finding) for finding in find_image_problems(images["classes"])]
        return {"columns": [], "duplicate_rows": None, "images": images, "warnings": warnings}
    return asdict(profile_table(path, columns, report)) | {"images": None, "warnings": []}


def _dumped(profile: Mapping[str, Any]) -> bytes:
    return json.dumps(profile, allow_nan=False, separators=(",", ":")).encode()
