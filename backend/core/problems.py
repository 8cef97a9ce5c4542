"""One shape for every error: RFC 9457 problem details with the request's id."""

import http
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from backend.core import denials
from backend.core.errors import AppError, FieldProblem
from backend.core.logs import current_request_id

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:goodfit:problem:"
_log = logging.getLogger(__name__)
# Connection lost, too many connections, server starting or stopping; two transactions in each
# other's way, of which one was ended.
LOST_STATES = ("08", "40001", "40P01", "53300", "57P0")

HTTP_CODES = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def problem_response(
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[FieldProblem] | Iterable[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The one renderer. ASCII only: a key from the caller may hold what UTF-8 cannot."""
    content: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": current_request_id(),
    }
    if errors:
        content["errors"] = list(errors)
    body = json.dumps(content).encode()
    return Response(
        body,
        status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def render(error: AppError) -> Response:
    """A domain error as a response."""
    return problem_response(
        status=error.status,
        code=error.problem_code,
        title=error.title,
        detail=error.detail,
        errors=error.errors,
        headers=error.headers,
    )


async def _app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101  # registered for this class only
    await denials.note(request, error)
    return render(error)


async def _validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this class only
    entries = [
        {"loc": list(entry["loc"]), "msg": str(entry["msg"]), "type": entry["type"]}
        for entry in error.errors()
    ]
    if any(entry["type"] == "json_invalid" for entry in entries):
        return problem_response(
            status=400,
            code="malformed_request",
            title="The request could not be read",
            detail="The body is not valid JSON.",
            errors=entries,
        )
    where = ".".join(str(part) for part in entries[0]["loc"]) if entries else "body"
    more = f" ({len(entries)} problems in all)" if len(entries) > 1 else ""
    return problem_response(
        status=422,
        code="unprocessable",
        title="The input is not valid",
        detail=f"{where}: {entries[0]['msg'] if entries else 'not valid'}{more}",
        errors=entries,
    )


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
    return problem_response(
        status=error.status_code,
        code=HTTP_CODES.get(error.status_code, "http_error"),
        title=http.HTTPStatus(error.status_code).phrase,
        detail=str(error.detail),
        headers=error.headers,
    )


def _is_lost(error: Exception) -> bool:
    """Whether the database is away, and not our statement wrong."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = str(getattr(cause, "sqlstate", None) or "")
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or state.startswith(LOST_STATES)
    return not isinstance(error, asyncpg.PostgresError) or state.startswith(LOST_STATES)


async def _database_error(_request: Request, error: Exception) -> Response:
    """A lost database is not the caller's fault and passes: say when to try again."""
    if not _is_lost(error):
        return unexpected(error)
    _log.warning("database or files unavailable", extra={"error": repr(error)})
    return problem_response(
        status=503,
        code="unavailable",
        title="This is not available at the moment",
        detail="The database or the file store does not answer. Nothing was changed; try again.",
        headers={"Retry-After": "5"},
    )


def unexpected(error: Exception) -> Response:
    """What nothing caught: for people an id, for us the traceback in the log."""
    _log.error("unexpected error", exc_info=error)
    return problem_response(
        status=500,
        code="internal_error",
        title="Something went wrong",
        detail="An unexpected error occurred. Nothing was changed. Name the request id.",
    )


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for lost in (DBAPIError, PoolTimeout, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        app.add_exception_handler(lost, _database_error)
