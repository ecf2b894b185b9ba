"""Names of tools as models accept them."""

from __future__ import annotations

import re

_NOT_ALLOWED = re.compile(r"[^a-z0-9_]+")
MAX_NAME = 64


def tool_name(name: str) -> str:
    """The name as models accept it: `[a-z0-9_]`, at most 64 characters."""
    return _NOT_ALLOWED.sub("_", name.strip().lower()).strip("_")[:MAX_NAME] or "tool"
