"""A scope: a step with children, and the context variable by which user code finds the one it runs in."""

from __future__ import annotations

import asyncio
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from jackstay.core import paths
from jackstay.core.interception import About

if TYPE_CHECKING:
    from jackstay.core.context_window import LongTexts
    from jackstay.core.limits import Limit
    from jackstay.core.pieces import PieceListener
    from jackstay.core.retry import Retry
    from jackstay.engine.budgets import BudgetScope
    from jackstay.engine.home import Home
    from jackstay.engine.receipts import Receipts
    from jackstay.engine.run import Run


class Scope:
    """Where in its run something happens. Gives its children their paths; used on the engine loop only."""

    __slots__ = (
        "_counts", "about", "agent", "branch", "budgets", "children", "deadline_at", "deadline_of", "ended_by", "home", "limits", "listener", "long_texts", "path", "receipts", "retried", "retry", "run",
        "stop", "task", "touched",
    )  # fmt: skip

    def __init__(
        self,
        run: Run,
        path: str,
        home: Home,
        *,
        agent: str | None = None,
        task: str | None = None,
        deadline_at: float | None = None,
        retry: Retry | None = None,
        limits: tuple[Limit, ...] = (),
        budgets: tuple[BudgetScope, ...] = (),
        about: About | None = None,
    ) -> None:
        self.run, self.path, self.home, self.agent, self.task = run, path, home, agent, task
        self.about = about or About()
        """The definitions behind those names, for hooks."""
        self.deadline_at = deadline_at
        """On the monotonic clock; the nearest of all limits around this scope."""
        self.deadline_of = ""
        """Which limit that is, in words."""
        self.ended_by: Exception | None = None
        """With what the attempt of a task around this scope has ended, if an earlier process had gone on from it."""
        self.stop: BaseException | None = None
        """Set when the code that this scope was lent to has been abandoned: it starts nothing more."""
        self.retry = retry
        """The nearest policy around this scope; None: the runtime's."""
        self.branch = ""
        """The path of the flow's method around this scope: what waits for a person stops there."""
        self.listener: PieceListener | None = None
        """Who hears what models say inside this scope, piece by piece."""
        self.retried = 0
        """How often the agent of this task was asked again after an exception of its model."""
        self.receipts: Receipts | None = None
        """What tools have done in earlier attempts of the task around this scope."""
        self.long_texts: LongTexts | None = None
        """What the agent of this task was shown shortened."""
        self.limits = limits
        """`max_rpm` of the crew and the agent around this scope; those of the model's key come on top."""
        self.budgets = budgets
        """All budgets around this scope, from the run's inwards."""
        self.touched: set[tuple[int, str]] = set()
        """Marks of the flow-state fields that the method around this scope has used; shared with inner scopes."""
        self.children: set[asyncio.Task[Any]] = set()
        """What user code has started in this scope and not finished: stopped when the code returns."""
        self._counts: dict[str, int] = {}

    def child(
        self,
        path: str,
        *,
        home: Home | None = None,
        agent: str | None = None,
        task: str | None = None,
        after: Scope | None = None,
    ) -> Scope:
        """`after`: another scope with that path, whose steps are numbered on from."""
        inner = Scope(
            self.run,
            path,
            home or self.home,
            agent=agent or self.agent,
            task=task or self.task,
            deadline_at=self.deadline_at,
            retry=self.retry,
            limits=self.limits,
            budgets=self.budgets,
            about=self.about,
        )
        inner.touched, inner.deadline_of, inner.stop = self.touched, self.deadline_of, self.stop
        inner.listener, inner.branch = self.listener, self.branch
        inner.receipts, inner.ended_by = self.receipts, self.ended_by
        if after is not None:
            inner._counts, inner.receipts = after._counts, after.receipts
        return inner

    def lent(self) -> Scope:
        """The same scope for one call of user code, so that it can be closed for that code alone."""
        made = object.__new__(Scope)  # (a third of what `copy.copy` takes, and this is done for every call)
        for name in Scope.__slots__:
            setattr(made, name, getattr(self, name))
        return made

    def bound(
        self,
        *,
        deadline_s: float | None = None,
        since_s: float | None = None,
        retry: Retry | None = None,
        limits: tuple[Limit, ...] = (),
        budgets: tuple[BudgetScope, ...] = (),
    ) -> Scope:
        """This scope with further bounds: the nearer deadline, the inner policy, all limits and budgets. The deadline
        counts from now, or from `since_s` on the monotonic clock."""
        if deadline_s is not None:
            at = (self.run.runtime.clock.monotonic() if since_s is None else since_s) + deadline_s
            if self.deadline_at is None or at < self.deadline_at:
                self.deadline_at = at
                self.deadline_of = f"{deadline_s:g} s for {self.path or 'the run'}"
        self.retry = retry or self.retry
        self.limits += limits
        self.budgets += budgets
        return self

    def check_goes_on(self) -> None:
        """Called before what is not recorded is done. In an attempt that is known to have ended nothing is: raises that end.
        (What is recorded is read all the same, so that the steps of the attempts after it have their numbers.)"""
        if self.ended_by is not None:
            raise self.ended_by

    def time_left_s(self) -> float | None:
        """Until the deadline; negative when it has passed, None without one."""
        return None if self.deadline_at is None else self.deadline_at - self.run.runtime.clock.monotonic()

    @property
    def is_late(self) -> bool:
        """The deadline has passed."""
        left_s = self.time_left_s()
        return left_s is not None and left_s <= 0

    def numbered(self, name: str) -> str:
        """The path of the next step of that name; the engine gives the order."""
        return self.at(name, self._next(name))

    def at(self, name: str, number: int) -> str:
        """The path of the n-th step of that name, counted by whoever starts it."""
        return paths.numbered(self.path, self.run.secrets.in_name(name), number)

    def hashed(self, name: str, key: str) -> str:
        """The path of the next step with that name and question, started by user code in any order."""
        secrets = self.run.secrets
        return paths.hashed(self.path, secrets.in_name(name), secrets.in_name(key), self._next(f"{name}~{key}"))

    def _next(self, counter: str) -> int:
        count = self._counts[counter] = self._counts.get(counter, 0) + 1
        return count


_scope: ContextVar[Scope | None] = ContextVar("jackstay_scope", default=None)


def current_scope() -> Scope | None:
    """The scope that the calling code runs in. A forked child has none: the run in progress stays the parent's."""
    scope = _scope.get()
    return None if scope is None or scope.run.pid != os.getpid() else scope


def entered(scope: Scope | None) -> None:
    """Makes the scope current in this context; contexts are copied per call, so that nothing has to be reset."""
    _scope.set(scope)
