"""An upload on its way to disk: multipart parsed as it streams, hashed in one pass.

Nothing of the body is read before the caller is known, and nothing is kept in memory.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from backend.core.errors import (
    AppError,
    FieldProblem,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
    field_error,
)
from backend.datasets.files import original_path
from backend.science.images.problem import ImageProblem
from backend.science.text_check import TableProblem, TextCheck

FILE_FIELD: Final = "file"
MAX_FIELD_BYTES: Final = 20_000
MAX_FIELDS: Final = 10
# What a form holds besides its file.
FORM_OVERHEAD: Final = MAX_FIELD_BYTES * MAX_FIELDS
DISK_BUFFER: Final = 1 << 20
_SIZE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_UNSAFE_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f<>:\"/\\|?*\u202a-\u202e\u2066-\u2069]")


class MalformedUpload(AppError):
    """The upload could not be read"""

    status = 400
    code = "malformed_request"


@dataclass(slots=True)
class Upload:
    """A received file and the text fields beside it."""

    path: Path
    # Where what is made of it goes.
    folder: Path
    file_name: str = ""
    bytes: int = 0
    sha256: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def unprocessable(problem: TableProblem | ImageProblem) -> Unprocessable:
    """A bad file as a 422 that names the line and the column, or the archive's entry."""
    location: list[str | int] = ["body", FILE_FIELD]
    for part in ("entry", "line", "column"):
        if (value := getattr(problem, part, None)) is not None:
            location += [part, value]
    kind = "image" if isinstance(problem, ImageProblem) else "table"
    entry = FieldProblem(loc=location, msg=str(problem), type=kind)
    return Unprocessable(str(problem), errors=[entry])


def display_name(raw: str) -> str:
    """A file name that is safe to show and to offer for download."""
    name = _UNSAFE_IN_NAMES.sub("_", raw.replace("\\", "/").rpartition("/")[2]).strip(" .")
    return name.encode("utf-8", "replace").decode()[:200] or "upload.csv"


def announced_bytes(content_length: str | None) -> int | None:
    """What the Content-Length header says, where it says a size at all."""
    if content_length is None or not _SIZE.fullmatch(content_length):
        return None
    return int(content_length)


class _Receiver:
    """Callbacks of the multipart parser; the file goes to the sink, fields are collected."""

    def __init__(self, upload: Upload, sink: BinaryIO, max_bytes: int, *, is_text: bool) -> None:
        self.upload = upload
        self.max_bytes = max_bytes
        self.finished = False
        self._sink = sink
        self._digest = hashlib.sha256()
        self._check = TextCheck() if is_text else None
        self._header_name = b""
        self._headers: dict[bytes, bytes] = {}
        self._part: str = ""
        self._value = bytearray()
        self._has_file = False

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        name = self._header_name.lower()
        self._headers[name] = self._headers.get(name, b"") + data[start:end]

    def _on_header_end(self) -> None:
        self._header_name = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._part = options.get(b"name", b"").decode("utf-8", "replace")
        self._value.clear()
        if self._part == FILE_FIELD:
            if self._has_file:
                raise field_error(FILE_FIELD, msg="send one file at a time")
            self._has_file = True
            raw_name = options.get(b"filename", b"upload.csv").decode("utf-8", "replace")
            self.upload.file_name = display_name(raw_name)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        chunk = data[start:end]
        if self._part != FILE_FIELD:
            self._value += chunk
            if len(self._value) > MAX_FIELD_BYTES or len(self.upload.fields) >= MAX_FIELDS:
                raise TooLarge("The text fields of the form are too large.")
            return
        self.upload.bytes += len(chunk)
        if self.upload.bytes > self.max_bytes:
            raise TooLarge(f"The file is larger than {self.max_bytes:,} bytes.")
        self._check_text(chunk)
        self._digest.update(chunk)
        self._sink.write(chunk)

    def _check_text(self, chunk: bytes, *, final: bool = False) -> None:
        if self._check is None:
            return
        try:
            self._check.feed(chunk, final=final)
        except TableProblem as problem:
            raise unprocessable(problem) from None

    def _on_part_end(self) -> None:
        if self._part == FILE_FIELD:
            self._check_text(b"", final=True)
            self.upload.sha256 = self._digest.hexdigest()
            return
        if len(self.upload.fields) >= MAX_FIELDS:
            raise TooLarge("The form has too many fields.")
        try:
            self.upload.fields[self._part] = self._value.decode()
        except UnicodeDecodeError:
            raise field_error(self._part, msg="this field is not UTF-8") from None

    def _on_end(self) -> None:
        self.finished = True


async def receive(
    body: AsyncIterator[bytes],
    *,
    content_type: str,
    content_length: str | None,
    folder: Path,
    max_bytes: int,
    is_text: bool = False,
) -> Upload:
    """Stream a multipart body into the folder.

    `is_text` asks for UTF-8 in the file, and refuses others while they come.

    Raises
    ------
    UnsupportedMediaType, TooLarge, MalformedUpload, Unprocessable
        For another content type, a body over the limit (announced or counted), a broken
        body, and a file that is missing or no UTF-8 text.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise UnsupportedMediaType(
            "Send the file as multipart/form-data in the field `file`.",
        )
    announced = announced_bytes(content_length)
    if announced is not None and announced > max_bytes + FORM_OVERHEAD:
        raise TooLarge(f"The file is larger than {max_bytes:,} bytes.")
    upload = Upload(original_path(folder), folder)
    with upload.path.open("wb", buffering=DISK_BUFFER) as sink:
        receiver = _Receiver(upload, sink, max_bytes, is_text=is_text)
        try:
            parser = MultipartParser(boundary, receiver.callbacks())  # type: ignore[arg-type]  # its TypedDict wants literals
            received = 0
            async for chunk in body:
                received += len(chunk)
                if received > max_bytes + FORM_OVERHEAD:
                    raise TooLarge(f"The file is larger than {max_bytes:,} bytes.")
                parser.write(chunk)
        except FormParserError:
            raise MalformedUpload("The multipart body is malformed.") from None
    if not receiver.finished:
        raise MalformedUpload("The upload ended before it was complete. Send it again.")
    if not upload.sha256:
        raise field_error(FILE_FIELD, msg="send the file in the field `file`", kind="missing")
    return upload
