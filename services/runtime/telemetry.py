"""Telemetry: logs as JSON lines on stderr, metrics for Prometheus. No text of a post, no name, no token is ever logged."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.runtime.dead_letters import described
from services.runtime.health import Health
from services.runtime.settings import Settings

EXPOSITION_TYPE = CONTENT_TYPE_LATEST
EXTRA = ("message_id", "command_id", "topic", "partition", "offset", "reason")
"""What lines of the standard logging may bear besides their words."""

_requests = Histogram(
    "otklik_http_request_seconds",
    "Time of an HTTP request",
    ("method", "route", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
records_total = Counter(
    "otklik_records_total", "Records worked: read from their topic, or folded anew", ("service", "topic", "kind")
)
said_total = Counter("otklik_said_total", "Events put on the log", ("service", "topic", "type"))
transactions_total = Counter("otklik_transactions_total", "Transactions that were committed and stored", ("service",))
dead_letters_total = Counter("otklik_dead_letters_total", "Records put aside as dead letters", ("service", "reason"))
batch_seconds = Histogram("otklik_batch_seconds", "Time of one batch, from its reading to its store", ("service",))
batch_records = Histogram(
    "otklik_batch_records", "Records of one batch", ("service",), buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
outcome_wait_seconds = Histogram(
    "otklik_outcome_wait_seconds",
    "From append to stored outcome",
    ("service",),
    buckets=(0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class _Watched(Collector):
    """What the runners of this process know of their partitions at the moment of asking; a partition that was handed on is
    told by its new owner alone."""

    def __init__(self) -> None:
        self.runners: list[tuple[str, Health]] = []

    def collect(self) -> Iterator[Metric]:
        labels = ("service", "partition")
        lag = GaugeMetricFamily("otklik_lag_records", "Records not yet worked", labels=labels)
        reached = GaugeMetricFamily("otklik_reached_timestamp_seconds", "Event time of the partition", labels=labels)
        quarantined = GaugeMetricFamily("otklik_quarantined", "Messages in quarantine", labels=labels)
        running = GaugeMetricFamily("otklik_partition_running", "Whether the partition is worked", labels=labels)
        for service, health in self.runners:
            for name, one in health.partitions.items():
                lag.add_metric((service, name), one.lag)
                quarantined.add_metric((service, name), len(one.quarantined))
                running.add_metric((service, name), float(one.state == "running"))
                if one.at is not None:
                    reached.add_metric((service, name), one.at.timestamp())
        yield from (lag, reached, quarantined, running)


_watched = _Watched()
REGISTRY.register(_watched)


def watch(service: str, health: Health) -> None:
    """Tell of these partitions from now on."""
    _watched.runners.append((service, health))


def unwatch(health: Health) -> None:
    _watched.runners = [(service, other) for service, other in _watched.runners if other is not health]


def batch_worked(service: str, topics: Mapping[str, int], seconds: float) -> None:
    """One batch, by the topics of its records."""
    batch_seconds.labels(service).observe(seconds)
    batch_records.labels(service).observe(sum(topics.values()))
    for topic, number in topics.items():
        records_total.labels(service, topic, "read").inc(number)


def configure(service: str, settings: Settings) -> None:
    """Logs of this process as JSON lines; of libraries too. May be called again: the last call counts."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_traceback),
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
    foreign: list[structlog.typing.Processor] = [structlog.stdlib.ExtraAdder(EXTRA), *shared]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=[_cleaned, render]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What libraries say of their work quotes it: aiokafka whole records, SQLAlchemy rows, httpx headers with tokens.
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("services").setLevel(level)


def _traceback(exc_info: structlog.typing.ExcInfo) -> str:
    """Where it was raised; the words only of our own errors, as `described` has it: others quote what they were given."""
    told: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        told.append("".join(traceback.format_tb(error.__traceback__)) + described(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nBecause of:\n".join(told)


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
