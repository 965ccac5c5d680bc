"""Telemetry: logs as JSON lines on stderr, metrics for Prometheus. No text of a post, no name, no token is ever logged."""

from __future__ import annotations

import logging
import sys

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from services.runtime.settings import Settings

EXPOSITION_TYPE = CONTENT_TYPE_LATEST

_requests = Histogram(
    "otklik_http_request_seconds",
    "Time of an HTTP request",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
records_total = Counter("otklik_records_total", "Records worked", ("service", "topic", "kind"))
dead_letters_total = Counter("otklik_dead_letters_total", "Records put aside as dead letters", ("service", "reason"))
batch_seconds = Histogram("otklik_batch_seconds", "Time of one batch, from its reading to its store", ("service",))
batch_records = Histogram(
    "otklik_batch_records", "Records of one batch", ("service",), buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
lag_records = Gauge("otklik_lag_records", "Records not yet worked", ("service", "partition"))
outcome_wait_seconds = Histogram(
    "otklik_outcome_wait_seconds",
    "From append to stored outcome",
    ("service",),
    buckets=(0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def configure(service: str, settings: Settings) -> None:
    """Logs of this process as JSON lines; of libraries too. May be called again: the last call counts."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _bearing(service),
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_cleaned, render]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING) if level > logging.DEBUG else level)


def _bearing(service: str) -> structlog.typing.Processor:
    def bear(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        return event

    return bear


def _cleaned(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", event)


def request_seen(method: str, route: str, status: int, seconds: float) -> None:
    """One HTTP request; `route` is the template, so that the number of series stays bounded."""
    _requests.labels(method, route, str(status)).observe(seconds)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest()
