"""Prometheus metrics for programs that give them out themselves. Needs `jackstay[metrics]`.

`JACKSTAY_METRICS_PORT`, `[metrics]` of jackstay.toml and `jackstay run --metrics-port` need none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackstay.engine.metering import LOOPBACK
from jackstay.engine.runtime import current_runtime

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["exposition", "registry", "start_metrics_server"]


def registry() -> CollectorRegistry:
    """A prometheus-client registry with Jackstay's metrics alone, of the current runtime; they are counted from the first
    call on. For `make_asgi_app(registry())` or `make_wsgi_app(registry())` of a web program. The library's default
    registry is not touched. Raises `MissingExtraError`."""
    return current_runtime().metering.registry()


def exposition() -> str:
    """The same as text in Prometheus' format (`text/plain; version=0.0.4`)."""
    mine = registry()
    from prometheus_client import generate_latest  # the extra, which `registry` has asked for

    return generate_latest(mine).decode("utf-8")


def start_metrics_server(port: int = 9464, host: str = LOOPBACK) -> str:
    """Serves the metrics of the current runtime until it is closed; returns their address. `port` 0: any that is free.

    Raises `ConfigurationError` if the address cannot be had or they are served already, and `MissingExtraError`."""
    return current_runtime().metering.serve(host, port)
