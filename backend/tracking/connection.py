"""How this process reaches MLflow's server, and what its failures mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider
from mlflow.tracking.request_header.registry import _request_header_provider_registry
from requests import RequestException

from backend.core.logs import NO_REQUEST, current_request_id
from backend.tracking.port import TrackerError, TrackerUnavailable
from backend.tracking.rest import SERVICE_USERNAME, Connection

_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500


class _CausingRequest(RequestHeaderProvider):
    """Sends the id of the request that caused the record, so that MLflow's log shows it."""

    # One for the process, like MLflow's other settings: its upload threads know no context.
    request_id = NO_REQUEST

    def in_context(self) -> bool:
        return self.request_id != NO_REQUEST

    def request_headers(self) -> dict[str, str]:
        return {"X-Request-ID": self.request_id}


_request_header_provider_registry.register(_CausingRequest)  # type: ignore[no-untyped-call]  # MLflow's


def connect(url: str, service_key: str, timeout: float) -> Connection:
    """Set MLflow's client up for the platform's account; it reads the environment only."""
    os.environ.update(
        MLFLOW_TRACKING_USERNAME=SERVICE_USERNAME,
        MLFLOW_TRACKING_PASSWORD=service_key,
        MLFLOW_HTTP_REQUEST_TIMEOUT=str(max(1, round(timeout))),
        # A repeated POST could create twice; the queue tries the whole record again instead.
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )
    _CausingRequest.request_id = current_request_id()
    # Artifacts are looked up through the global address, whatever the client was given.
    mlflow.set_tracking_uri(url)
    return Connection(url, service_key, timeout)


@contextmanager
def tracker_errors() -> Iterator[None]:
    """Turn MLflow's failures into the port's."""
    try:
        yield
    except TrackerError:
        raise
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]  # MLflow's
        if status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS:
            raise TrackerUnavailable(str(error)) from error
        raise TrackerError(str(error)) from error
    except (RequestException, ConnectionError, TimeoutError) as error:
        raise TrackerUnavailable(f"{type(error).__name__}: {error}") from error
    except OSError as error:  # a full disk, for instance: not the server's
        raise TrackerError(f"{type(error).__name__}: {error}") from error
