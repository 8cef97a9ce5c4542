"""JSON logs that carry the request's id from the API through the queue into the last child."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from backend.core.redaction import redacted_value

NO_REQUEST: Final = "-"
_request_id: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)
_job_id: ContextVar[int | None] = ContextVar("job_id", default=None)
_ACCEPTED_ID: Final = re.compile(r"[\w-]{8,64}", re.ASCII)
_STANDARD_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def current_request_id() -> str:
    """The id of the request that caused this work, or a dash."""
    return _request_id.get()


def current_job_id() -> int | None:
    """The id of the job that is being done, if one is."""
    return _job_id.get()


def is_request_id(text: object) -> bool:
    """Whether somebody else's text may stand in our logs as a request's id."""
    return isinstance(text, str) and _ACCEPTED_ID.fullmatch(text) is not None


def bind_request(request_id: str) -> None:
    """Let what this context logs and starts carry the request's id."""
    _request_id.set(request_id)


def bind_job(job_id: int | None, request_id: object = None) -> None:
    """Let what this context logs carry the job's id, and the id of the request that caused it."""
    _job_id.set(job_id)
    _request_id.set(str(request_id) if is_request_id(request_id) else NO_REQUEST)


class JsonFormatter(logging.Formatter):
    """One JSON object per line, without secrets; a line break in a value forges no second one."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": current_request_id(),
        }
        job_id = current_job_id()
        if job_id is not None:
            entry["job_id"] = job_id
        extra = {k: v for k, v in record.__dict__.items() if k not in _STANDARD_FIELDS}
        entry.update(extra)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(redacted_value(entry))


def configure_logging(level: str) -> None:
    """All loggers of the process write JSON lines to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
