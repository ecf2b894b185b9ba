"""What an author says of a tool beside its arguments: whether it acts on the world. A name that sounds like it and has
no mark is pointed out once, where the tool is defined."""

from __future__ import annotations

import re
import sys
import warnings

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_WRITES = frozenset(
    [
        "approve",
        "book",
        "buy",
        "cancel",
        "charge",
        "create",
        "delete",
        "deploy",
        "deposit",
        "drop",
        "email",
        "execute",
        "insert",
        "mail",
        "merge",
        "modify",
        "move",
        "notify",
        "order",
        "pay",
        "post",
        "publish",
        "purchase",
        "push",
        "put",
        "refund",
        "register",
        "remove",
        "reply",
        "save",
        "schedule",
        "send",
        "submit",
        "subscribe",
        "transfer",
        "unsubscribe",
        "update",
        "upload",
        "withdraw",
        "write",
    ]
)
_READS = frozenset(
    [
        "ask",
        "check",
        "compare",
        "count",
        "describe",
        "fetch",
        "find",
        "get",
        "inspect",
        "is",
        "list",
        "load",
        "look",
        "lookup",
        "parse",
        "query",
        "read",
        "retrieve",
        "search",
        "show",
        "status",
        "summarize",
        "track",
        "view",
    ]
)


def sounds_like_writing(name: str) -> bool:
    """Whether the name has a verb of writing in it, and none of reading (which would make that one a noun: `get_post`)."""
    words = {word.lower() for word in _WORD.findall(name)}
    return bool(words & _WRITES) and not words & _READS


_REMEDY = "Say side_effect=True (it is called once, or you are asked) or side_effect=False"


def warn_if_unmarked(name: str, side_effect: bool | None, *, remedy: str = _REMEDY) -> None:
    """Once for each tool: called where it is defined, which is the place that the warning names."""
    if side_effect is None and sounds_like_writing(name):
        warnings.warn(
            f"the tool {name!r} sounds as if it acted on the world, and is not marked: a run that is resumed after a crash "
            f"would call it again. {remedy}",
            UserWarning,
            stacklevel=_users_level(),
        )


_BETWEEN = ("jackstay", "pydantic", "contextlib")


def _users_level() -> int:
    """Of the nearest frame that is neither ours nor of what we are called through, seen from whoever calls this.
    (`skip_file_prefixes` is new in Python 3.12.)"""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    return level
