"""What a tool's own code may know of the call that it runs in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolCallContext:
    """One call of a tool in a run."""

    run_id: str
    path: str
    """The call's place in its run."""
    idempotency_key: str
    """The same for every attempt of this call, and for no other call: give it to services that take one."""
    attempt: int
    """1, and more for a call that is made again."""


_current: ContextVar[ToolCallContext | None] = ContextVar("jackstay_tool_call", default=None)


def call_context() -> ToolCallContext:
    """The call that this code runs in. Raises `LookupError` outside of any: a tool that is called directly has none."""
    found = _current.get()
    if found is None:
        raise LookupError("call_context() is for the code of a tool that an agent has called in a run")
    return found


@contextmanager
def calling(context: ToolCallContext) -> Iterator[None]:
    """User code that is called in the block is that call's."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
