"""`max_rpm` of an agent or a crew as a limit that everything of the same definition shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jackstay.core.canonical import digest
from jackstay.core.limits import Limit
from jackstay.crew.naming import key_of


def max_rpm_limit(kind: str, name: str, outline: Callable[[], Any], max_rpm: int | None) -> Limit | None:
    """Named by the definition, not by the object: copies, items of `kickoff_for_each` and objects that a program makes
    anew for each request share it, also across processes."""
    if max_rpm is None:
        return None
    return Limit(f"{kind}:{key_of(name)}~{digest([outline(), max_rpm])[:10]}", requests_per_min=max_rpm)
