"""Named points in a program at which a test lets it die, fail or wait.

Product code takes a plain callable (`fault_point: Callable[[str], None]`) through its constructor and calls it with the
point's name; by default that does nothing. It never imports this module.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

_EXIT_STATUS = 77


@dataclass(slots=True)
class _Plan:
    action: str | BaseException | type[BaseException]
    skip: int


class FaultPoints:
    """What happens at which point. Pass `points.hit` to the code under test.

    `points.die_at("journal.commit", skip=2)` lets the third hit of that point kill the process; `hits` and
    `wait_until_hit` tell a test how far the code came. Thread-safe.
    """

    def __init__(self) -> None:
        self.hits: list[str] = []
        """Every point that was passed, in order."""
        self._plans: dict[str, _Plan] = {}
        self._gates: dict[str, threading.Event] = {}
        self._changed = threading.Condition()

    def die_at(self, name: str, *, skip: int = 0, how: str = "kill") -> None:
        """The process ends at the point: `kill` (SIGKILL to itself: nothing is flushed or cleaned up) or `exit`
        (`os._exit`, where there is no SIGKILL)."""
        if how not in ("kill", "exit"):
            raise ValueError(f"how={how!r}: 'kill' or 'exit'")
        self._plans[name] = _Plan(how, skip)

    def raise_at(self, name: str, error: BaseException | type[BaseException], *, skip: int = 0) -> None:
        """The point raises `error`, once."""
        self._plans[name] = _Plan(error, skip)

    def hold_at(self, name: str) -> threading.Event:
        """The point waits (blocking its thread) until the returned event is set."""
        gate = self._gates[name] = threading.Event()
        return gate

    def hit(self, name: str) -> None:
        """Called by the code under test at the point `name`."""
        with self._changed:
            self.hits.append(name)
            plan, gate = self._due(name), self._gates.get(name)
            self._changed.notify_all()
        if gate is not None:
            gate.wait()
        if plan is not None:
            if isinstance(plan.action, str):
                _die(plan.action)
            raise plan.action

    def _due(self, name: str) -> _Plan | None:
        plan = self._plans.get(name)
        if plan is None:
            return None
        if plan.skip:
            plan.skip -= 1
            return None
        return self._plans.pop(name)

    def wait_until_hit(self, name: str, *, times: int = 1, timeout_s: float = 10.0) -> None:
        """Returns when the point was passed so often. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits.count(name) >= times, timeout_s):
                raise TimeoutError(
                    f"point {name!r} was hit {self.hits.count(name)} times in {timeout_s} s, not {times}"
                )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], variable: str = "FAULT_POINTS") -> FaultPoints:
        """For a child process: `FAULT_POINTS="journal.commit:kill:2,wire.sent:exit"` (point, how, skip)."""
        points = cls()
        for part in filter(None, environ.get(variable, "").split(",")):
            name, _, rest = part.partition(":")
            how, _, skip = rest.partition(":")
            points.die_at(name, how=how or "kill", skip=int(skip or 0))
        return points


def _die(how: str) -> NoReturn:
    if how == "kill" and hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(_EXIT_STATUS)
