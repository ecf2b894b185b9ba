"""Metrics of the runs that happen now: counted as rows are made, given out where somebody asks. `[metrics]` of jackstay.toml.

Off unless a port is named or a program asks for its registry: then nothing is loaded, and a run has no meter. On, an event
is an addition on the engine loop; Prometheus' library comes in when somebody reads.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackstay.core.records import Reservation, RunEnd, Settlement, StepRow
from jackstay.engine.telling import listeners
from jackstay.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from jackstay.core.events import Event
    from jackstay.engine.project_file import ProjectFile
    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime
    from jackstay.observe.counted import Asked, Counted
    from jackstay.observe.exposition import MetricsServer
    from jackstay.observe.metrics import Sample, Sums

SECTION = "metrics"
PORT, HOST = "JACKSTAY_METRICS_PORT", "JACKSTAY_METRICS_HOST"
LOOPBACK = "127.0.0.1"
WITHOUT = "metrics need prometheus-client: pip install 'jackstay[metrics]'"
"""Said where the extra is missing."""


class Metering:
    """Of one runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._counted: Counted | None = None
        self._registry: CollectorRegistry | None = None
        self._server: MetricsServer | None = None
        self._checked = False
        self._failed = False
        self._lock = threading.RLock()
        self.has_run = False
        """Its journal is there: what nobody has used is not opened for a look."""

    # --- on and off ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Before the first run: serves where the settings say so. Raises `ConfigurationError` for what they say wrongly; a
        port that another process has is a warning, for the settings are those of all processes."""
        if self._checked:
            return
        asked = configured(self._runtime.environ, self._runtime.project_file)
        if asked is not None and self._server is None:
            try:
                self.serve(*asked)
            except ConfigurationError as error:
                if isinstance(error, MissingExtraError):
                    raise
                _log().warning("%s; runs go on, and their metrics are not served", error)
        self._checked = True

    def serve(self, host: str, port: int) -> str:
        """Gives the metrics out at this address; where they are. Raises `ConfigurationError` if it cannot be had."""
        with self._lock:
            if self._server is not None:
                raise ConfigurationError(f"metrics are served already, at {self._server.url}")
            registry = self.registry()
            from jackstay.observe.exposition import MetricsServer  # the extra, which is there: see `registry`

            try:
                self._server = MetricsServer(registry, host, port)
            except (OSError, OverflowError) as error:
                why = "is taken" if getattr(error, "errno", None) == errno.EADDRINUSE else f"cannot be used ({error})"
                raise ConfigurationError(f"metrics: port {port} of {host} {why}; name another one ({PORT})") from error
            _log().info("metrics are at %s", self._server.url)
            return self._server.url

    def registry(self) -> CollectorRegistry:
        """A registry of our own, with these metrics alone. From now on they are counted."""
        with self._lock:
            if self._registry is None:
                try:
                    from jackstay.observe.exposition import Figures, registry_of  # the extra
                except ImportError as error:
                    raise MissingExtraError(WITHOUT) from error
                self._count()
                self._registry = registry_of(Figures(self._sums, self._gauges))
            return self._registry

    def _count(self) -> None:
        from jackstay.observe.counted import Counted  # only for who wants metrics, as above
        from jackstay.observe.metrics import Names

        masked = self._runtime.masked
        self._counted = Counted(Names(lambda: masked.now))
        if self not in listeners:
            listeners.append(self)

    def _sums(self) -> Sums | None:
        return self._counted.sums if self._counted is not None else None

    def _gauges(self) -> list[Sample]:
        from jackstay.engine.gauging import gauges  # on a scrape's thread, with the journal's reads

        try:
            return gauges(self._runtime, with_journal=self.has_run)
        except Exception as error:  # noqa: BLE001 - an observer fails nothing: what was counted is given out all the same
            self._say(error)
            return []

    # --- from the engine -------------------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """From here on what the run does is counted, if anybody wants it."""
        if self._counted is not None and run.meter is None:
            self.has_run = True
            try:
                run.meter = RunMeter(self, self._counted, run)
            except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
                self._say(error)

    def hear(self, run: Run, event: Event, about: Any) -> None:
        if run.runtime is self._runtime and self._counted is not None:
            try:
                self._counted.event(event)
            except Exception as error:  # noqa: BLE001 - as above
                self._say(error)

    async def caught_up(self, run: Run) -> None:
        """Always: it counts at once."""

    def _say(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            _log().warning("metrics are incomplete: %s: %s; runs go on", type(error).__name__, error)

    # --- life ------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        with contextlib.suppress(ValueError):
            listeners.remove(self)
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def forget_in_child(self) -> None:
        """After a fork: what was counted and the port are the parent's. The child counts from zero, and serves if it is told
        to by another port."""
        self._lock, server, self._server = threading.RLock(), self._server, None
        if server is not None:
            server.forget_in_child()
        self.has_run = False
        if self._counted is not None:
            self._count()


class RunMeter:
    """Of one run in this process; lives on the engine loop."""

    def __init__(self, metering: Metering, counted: Counted, run: Run) -> None:
        self._metering, self._counted, self._run = metering, counted, run
        self._asked: dict[str, Asked] = {}
        """Of calls under way: whom the last request went to."""
        self._began_s = run.runtime.clock.monotonic()
        counted.begun(run.row)
        for lost in run.lost:
            if lost.epoch == run.lease.epoch - 1:
                counted.request(self._whose(lost.model), "lost")

    def written(
        self, rows: Sequence[StepRow], settled: Sequence[Settlement], reserved: Sequence[Reservation] = ()
    ) -> None:
        """What is on its way into the journal. A settlement in the same write is that of the request before."""
        try:
            for each in settled:
                if each.outcome != "not_sent" and each.path in self._asked:
                    self._counted.request(self._asked[each.path], each.outcome)
            for one in reserved:
                self._asked[one.path] = self._whose(one.model)
            for row in rows:
                self._counted.row(self._run.row, row, self._asked.pop(row.path, None))
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            self._metering._say(error)

    def over(self, end: RunEnd) -> None:
        """The run has ended, or waits for a person."""
        try:
            self._counted.over(self._run.row, end, self._run.runtime.clock.monotonic() - self._began_s)
        except Exception as error:  # noqa: BLE001 - as above
            self._metering._say(error)

    def _whose(self, model: str) -> Asked:
        return self._run.models.provider_of(model), model


def configured(environ: Mapping[str, str], file: ProjectFile) -> tuple[str, int] | None:
    """Host and port; the environment's before those of `[metrics]`. Raises `ConfigurationError`."""
    section = file.section(SECTION)
    for key in section:
        if key not in ("port", "host"):
            raise file.mistake(f"{SECTION}.{key}", "is unknown; the keys are port, host")
    host, port = environ.get(HOST, "").strip(), environ.get(PORT, "").strip()
    given = section.get("host", LOOPBACK)
    if not isinstance(given, str) or not given.strip():
        raise file.mistake(f"{SECTION}.host", f"is {given!r}; write the address to listen at, {LOOPBACK!r}")
    if port:
        if not port.isdecimal() or not _is_port(int(port)):
            raise ConfigurationError(f"{PORT} is {port!r}; it is a number from 0 to 65535 (0: any that is free)")
        return host or given, int(port)
    if "port" not in section:
        return None
    if not _is_port(section["port"]):
        raise file.mistake(
            f"{SECTION}.port", f"is {section['port']!r}; it is a number from 0 to 65535 (0: any that is free)"
        )
    return host or given, section["port"]


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535


def _log() -> logging.Logger:
    return logging.getLogger("jackstay")
