"""What every request is measured by; `/metrics` shows it.

Labels are few and fixed: route templates, never paths; no users, no names.
"""

from functools import cache
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

# Apart from the library's global registry, so that nothing else appears by being imported.
REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
_REQUEST_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
_REQUESTS: Final = Counter(
    "goodfit_http_requests",
    "Requests answered",
    ("method", "route", "status"),
    registry=REGISTRY,
)
_LATENCY: Final = Histogram(
    "goodfit_http_request_seconds",
    "Time from a request's head to the end of its answer",
    ("method", "route"),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
_PREDICTIONS: Final = Histogram(
    "goodfit_prediction_seconds",
    "Time that a model took for one call, without reading or writing the request",
    ("kind",),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

PredictionKind = Literal["rows", "file", "image"]


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Found once: looking them up takes longer than counting. There are as many as routes."""
    return _REQUESTS.labels(method, route, str(status)), _LATENCY.labels(method, route)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    # A client may invent methods; each would be a time series of its own.
    count, latency = _series(method if method in _METHODS else "other", route, status)
    count.inc()
    latency.observe(seconds)


def observe_prediction(seconds: float, kind: PredictionKind) -> None:
    """Count one call of a model."""
    _PREDICTIONS.labels(kind).observe(seconds)
