"""The composition: the one process-wide object, made at the first kickoff, replaceable and closable."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jackstay.core.budget import Budget
from jackstay.core.content import Content
from jackstay.core.events import Event, EventName
from jackstay.core.ids import SHORT
from jackstay.core.retry import Retry
from jackstay.core.specs import ModelConfig
from jackstay.core.values import Codec, class_name
from jackstay.engine.breakers import Breakers
from jackstay.engine.budgets import Settled, SharedBudgets
from jackstay.engine.clock import Clock
from jackstay.engine.erasing import Eraser, project_content
from jackstay.engine.leases import LeaseKeeper
from jackstay.engine.limiter import Limiter
from jackstay.engine.loop import EngineLoop
from jackstay.engine.masked import Masked
from jackstay.engine.metering import Metering
from jackstay.engine.pool import Pool
from jackstay.engine.project_file import ProjectFile, read_project_file
from jackstay.engine.settings import Environ, Settings
from jackstay.engine.telling import TOLD, listeners
from jackstay.engine.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from jackstay.engine.asker import Asker
    from jackstay.engine.logs import Logs
    from jackstay.engine.session import Session
    from jackstay.engine.verbose import Verbose
    from jackstay.journal import Journal
    from jackstay.models.overrides import Overrides
    from jackstay.models.wire import Wire

T = TypeVar("T")
Observer = Callable[[Event], None]
RIM_THREADS = 4


class Runtime:
    """Journal, engine loop, pool, wire, settings. `with Runtime(…):` makes it the current one for its block.

    `database_url`, `durability`, `model` and `pool_size` (threads for synchronous user functions) override what the
    environment says; `fault_point` is called at named points (`jackstay.testing.FaultPoints`); `folder` is where the project (and so
    the SQLite file) is looked for, the working directory by default. `retry` and `budget` are for runs that have none of
    their own. `tracer_provider`: which of OpenTelemetry's gets the spans, if not the process's (docs/tracing.md).
    """

    def __init__(  # noqa: PLR0913 - each is one thing that a host may replace
        self,
        *,
        database_url: str | None = None,
        durability: str | None = None,
        model: str | None = None,
        folder: Path | str | None = None,
        environ: Mapping[str, str] | None = None,
        retry: Retry | None = None,
        budget: Budget | None = None,
        clock: Clock | None = None,
        observers: tuple[Observer, ...] = (),
        pool_size: int | None = None,
        fault_point: Callable[[str], object] | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        given = {"JACKSTAY_DATABASE_URL": database_url, "JACKSTAY_DURABILITY": durability, "JACKSTAY_MODEL": model}
        # A view, not a copy: a key that the program puts into its environment later is found.
        self.environ: Mapping[str, str] = Environ(
            {name: value for name, value in given.items() if value},
            cast("dict[str, str]", os.environ if environ is None else environ),
        )
        self.settings = Settings.from_environment(self.environ)
        if pool_size is not None:
            self.settings = replace(self.settings, pool_size=pool_size)
        self._fault_point = fault_point or str
        self.folder = Path(folder) if folder is not None else Path.cwd()
        self.retry = retry or Retry()
        self.budget = budget
        self.clock = clock or Clock()
        self.observers: list[Observer] = list(observers)
        self.engine_loop = EngineLoop()
        self.pool = Pool(self.settings.pool_size)
        self._rim = Pool(RIM_THREADS)
        self.leases = LeaseKeeper(self)
        self.breakers, self.settled, self.limiter = Breakers(self), Settled(), Limiter(self)
        self.session: Session | None = None
        """Set while a script is run or resumed: which recorded runs its kickoffs go on with."""
        self.session_id = uuid.uuid4().hex
        """Shared by this process's runs, so that a program that is started again finds them."""
        self.kickoffs = 0
        self.left_behind: set[str] = set()
        """Runs that this process drove and whose end it could not write."""
        self.outlines: dict[str, float] = {}
        """Definitions that this process knows to be in the journal, by fingerprint, and since when (monotonic)."""
        self.is_entered = False
        """Made the current one by `with`, not by a kickoff that found none."""
        self._override_said = False
        self._classes: dict[str, type] = {}
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._wire: Wire | None = None
        self._project_file: ProjectFile | None = None
        self._prices: Overrides | None = None
        self._shared_budgets: SharedBudgets | None = None
        self._masked: Masked | None = None
        self._content: Content | None = None
        self.eraser = Eraser(self)
        self._logs = self._make_logs()
        self.tracing, self.metering = Tracing(self, tracer_provider), Metering(self)
        self._verbose: Verbose | None = None

    # --- parts, made when first needed ---------------------------------------------------------------------------------

    @property
    def journal(self) -> Journal:
        with self._lock:
            if self._journal is None:
                from jackstay.models.lazy import without_collecting  # as below

                with without_collecting():
                    from jackstay.journal import locate, open_journal  # loads SQLAlchemy, with the first kickoff

                self._journal = open_journal(locate(self.environ, self.folder), fault_point=self._fault_point)
            return self._journal

    @property
    def wire(self) -> Wire:
        with self._lock:
            if self._wire is None:
                from jackstay.models.wire import Wire  # the model libraries are loaded with the first call

                self._wire = Wire(self.environ, prices=self.prices, on_headers=self._heard)
            return self._wire

    def _heard(self, provider: str, key_name: str, model: str, status: int, headers: Mapping[str, str]) -> None:
        """To the limiter of now: a forked child has another one."""
        self.limiter.learn(provider, key_name, model, status, headers)

    @property
    def project_file(self) -> ProjectFile:
        """`jackstay.toml`; raises `ConfigurationError` if it cannot be used."""
        if self._project_file is None:
            self._project_file = read_project_file(self.folder, self.environ)
        return self._project_file

    @property
    def prices(self) -> Overrides:
        """`[prices]` of `jackstay.toml`; raises `ConfigurationError` if it cannot be used."""
        if self._prices is None:
            from jackstay.models.overrides import Overrides  # as the wire: with the first model that is resolved

            self._prices = Overrides(self.project_file.section("prices"), self.project_file.mistake)
        return self._prices

    def check_settings(self) -> None:
        """Before a run begins: raises `ConfigurationError` for what `jackstay.toml` or the environment says wrongly."""
        _ = self.shared_budgets, self.prices, self.content
        self.masked.refresh()
        self.limiter.check()
        self.metering.check()

    async def be_ready(self) -> None:
        """The same, and what takes longer than the engine loop has: raises likewise, before anything is spent."""
        self.check_settings()
        if not self.masked.is_loaded:
            await self.off_loop(self.masked.load)

    @property
    def shared_budgets(self) -> SharedBudgets:
        """The budgets of `jackstay.toml`."""
        if self._shared_budgets is None:
            self._shared_budgets = SharedBudgets(self.project_file)
        return self._shared_budgets

    @property
    def masked(self) -> Masked:
        """The secrets that are known, and what else is not shown; raises `ConfigurationError` as above."""
        if self._masked is None:
            self._masked = Masked(self.environ, self.project_file)
        return self._masked

    @property
    def content(self) -> Content:
        """How much of runs' content stays where their definitions do not say; raises `ConfigurationError` as above."""
        if self._content is None:
            self._content = project_content(self.project_file)
        return self._content

    @property
    def codec(self) -> Codec:
        return Codec(self._classes)

    def vouch_for(self, *classes: type) -> None:
        """Classes that stored values may be rebuilt as: those that definitions name."""
        self._classes.update({class_name(cls): cls for cls in classes})

    # --- models --------------------------------------------------------------------------------------------------------

    def say_override(self) -> None:
        """Says once that every agent's model is overridden. (A session was started by a command, which says it.)"""
        if self.settings.model is not None and self.session is None and not self._override_said:
            self._override_said = True
            _log().warning("model: %s for every agent (JACKSTAY_MODEL)", self.settings.model)

    def asker(self, config: ModelConfig, *, owner: str = "") -> Asker:
        from jackstay.engine.asker import CustomAsker, WireAsker  # with them come the types of the wire

        if config.custom is not None:
            return CustomAsker(config.custom, config, self.prices)
        return WireAsker(self.wire, self.wire.resolve(config, owner=owner))

    async def off_loop(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Our own blocking work (reading the journal, writing a file), off the engine loop and out of users' slots."""
        return await asyncio.wrap_future(self._rim.submit(lambda: function(*args, **kwargs)))

    # --- observers and logs -----------------------------------------------------------------------------------------------------

    def tell(self, name: EventName, run_id: str, path: str, data: Mapping[str, Any]) -> None:
        """Tells the observers; what they raise is reported once and changes nothing."""
        if not self.observers:
            if name == "warning":
                _log().warning("run %s: %s", run_id[:SHORT], data["text"], extra={TOLD: True})
            return
        event = Event(name, run_id, path, self.clock.now(), data)
        for observer in tuple(self.observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
                self.observers.remove(observer)
                _log().warning("observer %r was removed because it raised: %r", observer, error)

    def _make_logs(self) -> Logs | None:
        """A listener that writes the log, if the settings ask for one."""
        if not self.settings.logs:
            return None
        from jackstay.engine.logs import Logs  # with it comes structlog, which most processes do not need

        logs = Logs(self, lambda: self.masked.now)
        listeners.append(logs)
        return logs

    def be_verbose(self) -> None:
        """From now on verbose kickoffs are told on stdout. Not where the log is JSON: that says all of it."""
        if self.settings.log == "json":
            return
        from jackstay.engine.verbose import Verbose  # only for who wants it

        with self._lock:
            if self._verbose is None:
                self._verbose = Verbose(self)
                listeners.append(self._verbose)

    @property
    def is_verbose(self) -> bool:
        return self._verbose is not None

    # --- life ----------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stops the engine, releases the leases, flushes the writer (2 s at most)."""
        _forget_current(self)
        self.metering.close()
        self.leases.stop()
        if self._wire is not None and not self.engine_loop.is_here:
            wire, self._wire = self._wire, None
            try:
                self.engine_loop.submit(wire.close).future.result(2.0)
            except TimeoutError:
                pass  # a provider that does not close in time does not keep the program
        self.engine_loop.close()
        with self._lock:
            journal, self._journal = self._journal, None
        if journal is not None:
            journal.close(timeout_s=2.0)
        self.tracing.close()
        if self._logs is not None:
            logs, self._logs = self._logs, None
            listeners.remove(logs)
            logs.close()
        if self._verbose is not None:
            verbose, self._verbose = self._verbose, None
            listeners.remove(verbose)
            verbose.close()

    def before_fork(self) -> None:
        # Held over the fork: a journal that another thread opened meanwhile would be woken without having rested.
        self._lock.acquire()
        if self._journal is not None:
            self._journal.before_fork()

    def after_fork_in_parent(self) -> None:
        if self._journal is not None:
            self._journal.after_fork_in_parent()
        self._lock.release()

    def forget_in_child(self) -> None:
        """After a fork: threads are gone and connections are the parent's. Nothing is closed, all is made anew."""
        self.engine_loop, self.pool, self._lock = EngineLoop(), Pool(self.settings.pool_size), threading.Lock()
        self._rim = Pool(RIM_THREADS)
        self.leases, self.eraser = LeaseKeeper(self), Eraser(self)
        self.breakers, self.settled, self.limiter = Breakers(self), Settled(), Limiter(self)
        if self._wire is not None:
            self._wire.forget_in_child()
        if self._journal is not None:
            self._journal.forget_in_child()
        self.tracing.forget_in_child()
        self.metering.forget_in_child()
        if self._masked is not None:
            self._masked.forget_in_child()
        if self._logs is not None:
            self._logs.forget_in_child()
        if self._verbose is not None:
            self._verbose.forget_in_child()

    def __enter__(self) -> Runtime:
        self.is_entered = True
        _stack.append(self)
        _install_hooks()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_stack: list[Runtime] = []
_stack_lock = threading.Lock()
_fork_lock = threading.Lock()
_resting: list[Runtime] = []
_hooked = threading.Event()


def current_runtime() -> Runtime:
    """The process's runtime, made now if there is none."""
    with _stack_lock:
        if not _stack:
            _stack.append(Runtime())
            _install_hooks()
        return _stack[-1]


def runtime_if_any() -> Runtime | None:
    """The process's runtime, if there is one."""
    with _stack_lock:
        return _stack[-1] if _stack else None


def runtimes() -> list[Runtime]:
    """The process's runtimes, the current one first."""
    with _stack_lock:
        return _stack[::-1]


def _forget_current(runtime: Runtime) -> None:
    with _stack_lock:
        if runtime in _stack:
            _stack.remove(runtime)


def _install_hooks() -> None:
    if _hooked.is_set():
        return
    _hooked.set()
    atexit.register(_close_all)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_rest_before_fork, after_in_parent=_go_on_in_parent, after_in_child=_forget_all_in_child
        )


def _close_all() -> None:
    for runtime in reversed(_stack.copy()):
        runtime.close()


def _rest_before_fork() -> None:
    _fork_lock.acquire()  # two threads may fork at once, and runtimes come and go meanwhile
    for runtime in _stack.copy():
        runtime.before_fork()
        _resting.append(runtime)


def _go_on_in_parent() -> None:
    while _resting:
        _resting.pop().after_fork_in_parent()
    _fork_lock.release()


def _forget_all_in_child() -> None:
    global _stack_lock, _fork_lock  # the parent may have held them at the fork
    _stack_lock, _fork_lock = threading.Lock(), threading.Lock()
    _resting.clear()
    for runtime in _stack:
        runtime.forget_in_child()


def _log() -> logging.Logger:
    return logging.getLogger("jackstay")
