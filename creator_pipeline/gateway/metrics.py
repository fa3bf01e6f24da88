"""``/metrics``: what Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from creator_pipeline.core.errors import PipelineError

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)


class Metrics:
    """The counters of one gateway process.

    Args:
        depth: jobs by status, asked for at every scrape.
        ages: seconds since the oldest open job was asked for, by source and kind.
        waiting: deliveries that are not committed yet.
        cache: hits, misses and errors by kind of this process.
        pipeline: what is told of the pipeline behind.
    """

    def __init__(
        self,
        depth: Callable[[], dict[str, int]],
        ages: Callable[[], dict[tuple[str, str], float]],
        waiting: Callable[[], int],
        cache: Callable[[], dict[str, dict[str, int]]],
        pipeline: Collector,
    ) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "gateway_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "gateway_request_seconds", "Time to answer", ["route"], buckets=_BUCKETS, registry=self._registry
        )
        self._deliveries = Counter(
            "gateway_deliveries", "Webhook deliveries", ["provider", "outcome"], registry=self._registry
        )
        self._registry.register(_Outside(depth, ages, waiting, cache))
        self._registry.register(pipeline)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            method: of HTTP.
            route: path of the route, with the names of its parameters and not their values.
            status: of HTTP.
            seconds: the time it took.
        """
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def delivery(self, provider: str, outcome: str) -> None:
        """Count a delivery: stored, queued, ignored, repeat, refused or failed."""
        self._deliveries.labels(provider, outcome).inc()

    def text(self) -> bytes:
        """Prometheus' text format. Asks the warehouse."""
        return generate_latest(self._registry)


class _Outside(Collector):
    def __init__(
        self,
        depth: Callable[[], dict[str, int]],
        ages: Callable[[], dict[tuple[str, str], float]],
        waiting: Callable[[], int],
        cache: Callable[[], dict[str, dict[str, int]]],
    ) -> None:
        self._depth, self._ages, self._waiting, self._cache = depth, ages, waiting, cache

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead: registering must not ask the warehouse."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment; the queue's are left out while the warehouse is down."""
        waiting = GaugeMetricFamily("gateway_deliveries_waiting", "Deliveries not committed yet")
        waiting.add_metric([], self._waiting())
        yield waiting
        cache = CounterMetricFamily("cache_lookups", "Look-ups of answers kept in Redis", labels=["kind", "outcome"])
        for kind, counts in self._cache().items():
            for outcome, count in counts.items():
                cache.add_metric([kind, outcome], count)
        yield cache
        try:
            depth, ages = self._depth(), self._ages()
        except PipelineError:
            return
        jobs = GaugeMetricFamily("ingestion_jobs", "Jobs that are not completed", labels=["status"])
        for status, count in depth.items():
            jobs.add_metric([status], count)
        yield jobs
        oldest = GaugeMetricFamily(
            "ingestion_job_age_seconds", "Since the oldest open job was asked for", labels=["source", "kind"]
        )
        for (source, kind), age in ages.items():
            oldest.add_metric([source, kind], age)
        yield oldest
