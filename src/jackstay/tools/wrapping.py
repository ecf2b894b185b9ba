"""A function with something done before and after it, `def` or `async def` as it is."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def wrapped(
    function: Callable[..., Any],
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[Any], Any] | None = None,
) -> Callable[..., Any]:
    """`before` is called first, `after` is given the result and gives what the function now returns."""

    def ended(result: Any) -> Any:
        return result if after is None else after(result)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                before()
            return ended(await function(*args, **kwargs))

        return acall

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before()
        return ended(function(*args, **kwargs))

    return call
