"""MLflow's routes called by hand, as the platform's own account; imports nothing of MLflow."""

from types import TracebackType
from typing import Any, Final, Self

import httpx

from backend.core.logs import NO_REQUEST, current_request_id
from backend.tracking.port import TrackerUnavailable

SERVICE_USERNAME: Final = "goodfit-service"


class Connection:
    """Calls routes that `MlflowClient` does not know."""

    def __init__(self, url: str, service_key: str, timeout: float) -> None:
        request_id = current_request_id()
        self._client = httpx.Client(
            base_url=url,
            auth=(SERVICE_USERNAME, service_key),
            headers={} if request_id == NO_REQUEST else {"X-Request-ID": request_id},
            timeout=max(1.0, timeout),
            # MLflow may have been started anew since the last call.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def post(self, path: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON body of the answer.

        Raises
        ------
        TrackerUnavailable
            No answer.
        """
        return self._call("POST", path, json=content)

    def get(self, path: str, **query: str) -> tuple[int, dict[str, Any]]:
        """Like `post`."""
        return self._call("GET", path, params=query)

    def delete(self, path: str) -> tuple[int, dict[str, Any]]:
        """Like `post`."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, **content: Any) -> tuple[int, dict[str, Any]]:
        try:
            response = self._client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise TrackerUnavailable(f"{path}: {type(error).__name__}: {error}") from error
        try:
            body = response.json()
        except ValueError:
            body = {}
        return response.status_code, body if isinstance(body, dict) else {}
