"""What the service counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from karyofast.report import SummaryRow

SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Bounds of the histograms: a picture takes about a second."""


class Metrics:
    """The numbers of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "karyofast_requests", "Answered requests.", ("method", "route", "status"), registry=self.registry
        )
        self._answer = Histogram(
            "karyofast_request_seconds", "From a request to its answer.", ("route",), buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._images = Counter("karyofast_images", "Pictures that came to an end.", ("status",), registry=self.registry)
        self._image = Histogram(
            "karyofast_image_seconds", "What a picture took once it was its turn.", buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.lost = Counter("karyofast_workers_lost", "Workers that died or were ended.", registry=self.registry)
        self.waiting = Gauge("karyofast_waiting_images", "Pictures that no worker has yet.", registry=self.registry)
        self.ready = Gauge("karyofast_ready_workers", "Workers that have their models.", registry=self.registry)
        self.admitted = Gauge("karyofast_admitted_requests", "Uploads under way.", registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; `route` is the pattern, not the path."""
        self._requests.labels(method, route, str(status)).inc()
        self._answer.labels(route).observe(seconds)

    def image(self, row: SummaryRow) -> None:
        """Count a picture."""
        self._images.labels(row.status).inc()
        if row.seconds is not None:
            self._image.observe(row.seconds)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)
