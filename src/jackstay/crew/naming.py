"""The names that definitions have in paths: readable, and without secrets."""

from __future__ import annotations

from jackstay.core.paths import slug
from jackstay.engine.runtime import runtime_if_any


def key_of(text: str) -> str:
    """The text as the name of a step. A secret is masked before its letters are changed, while it can be found."""
    runtime = runtime_if_any()
    return slug(text if runtime is None else runtime.masked.secrets.in_name(text))
