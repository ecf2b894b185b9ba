"""The sums as Prometheus reads them, and a small server that gives them out. Loaded only where metrics were asked for.

The library's default registry belongs to the host, and stays as it is.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from socketserver import TCPServer, ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from jackstay.observe.metrics import Metric, Sample, Sums


class Figures:
    """A collector of the library's."""

    def __init__(self, sums: Callable[[], Sums | None], gauges: Callable[[], Sequence[Sample]]) -> None:
        self._sums, self._gauges = sums, gauges

    def describe(self) -> Iterable[Family]:
        """Nothing: so that registering it does not read the journal."""
        return ()

    def collect(self) -> Iterator[Family]:
        sums = self._sums()
        if sums is not None:
            yield from _counters(sums)
            yield from _histograms(sums)
        yield from _gauges_of(self._gauges())


def _counters(sums: Sums) -> Iterator[Family]:
    for metric, values in sums.counters.items():
        family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in list(values.items()):
            family.add_metric(labels, value)
        yield family


def _histograms(sums: Sums) -> Iterator[Family]:
    for metric, values in sums.histograms.items():
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for labels, histogram in list(values.items()):
            # One copy: buckets and count agree though the engine goes on.
            counts = accumulate(list(histogram.counts))
            family.add_metric(labels, buckets=list(zip(bounds, counts, strict=True)), sum_value=histogram.sum)
        yield family


def _gauges_of(samples: Sequence[Sample]) -> Iterator[Family]:
    families: dict[Metric, GaugeMetricFamily] = {}
    for metric, labels, value in samples:
        family = families.get(metric)
        if family is None:
            family = families[metric] = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        family.add_metric(labels, value)
    yield from families.values()


def registry_of(figures: Figures) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    return registry


class MetricsServer:
    """Answers every GET with the metrics, from a daemon thread."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        """Raises `OSError` if the address cannot be had."""
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        kind = type("Server", (_Server,), {"address_family": family})
        self._server: WSGIServer = make_server(host, port, make_wsgi_app(registry), kind, _Silent)
        self.port: int = self._server.server_port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"
        thread = threading.Thread(target=self._server.serve_forever, name="jackstay-metrics", daemon=True)
        thread.start()

    def close(self) -> None:
        """The port is free at once; the thread notices a little later, and nobody waits for it."""
        threading.Thread(target=self._server.shutdown, name="jackstay-metrics-end", daemon=True).start()
        with contextlib.suppress(OSError):  # not every system can
            # The serving thread is woken: as long as it waits for it, the socket stays open.
            self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def forget_in_child(self) -> None:
        """After a fork: the thread is the parent's, and so is the port."""
        self._server.socket.close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Not HTTPServer's: that one asks the name service what this host is called.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
        """Not on the program's stderr."""
