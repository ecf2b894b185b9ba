"""Arguments beside a JSON Schema that somebody else has written, for tools without a pydantic model. The tool itself has
the last word: here is said early what a model gets wrong most often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def checked(parameters: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments as they are. Raises `ValueError` for one that is missing, or that there is not."""
    missing = [name for name in parameters.get("required", ()) if name not in given]
    if missing:
        raise ValueError(f"{', '.join(missing)}: required, and not given")
    if parameters.get("additionalProperties") is False:
        unknown = [name for name in given if name not in parameters.get("properties", {})]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: there is no such argument")
    return dict(given)
