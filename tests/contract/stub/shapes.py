"""Strict reading of wire bodies by the official SDKs' own response models.

The SDKs build their models without validation at run time; validated here, a wrong type or a missing field fails, and
so does a field that the SDK does not know.
"""

from __future__ import annotations

import json
from typing import Any

import httpx2
from pydantic import BaseModel, TypeAdapter


def strict(kind: Any, body: Any) -> Any:
    """The body as the SDK's type."""
    value = TypeAdapter(kind).validate_python(body, strict=False)
    extras = list(unknown_fields(value))
    assert not extras, f"fields that the SDK does not know: {extras}"
    return value


def unknown_fields(value: Any, path: str = ""):
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}.{name}"
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from unknown_fields(item, f"{path}[]")


def post(url: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
    return httpx2.post(url, json=body, headers=headers, timeout=20, trust_env=False)


def events(text: str) -> list[tuple[str, Any]]:
    """The server-sent events of a stream; `[DONE]` stays text."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        data = lines["data"]
        found.append((lines.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found
