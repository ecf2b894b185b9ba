"""Handlers are gone after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jackstay import Runtime
from jackstay.events import event_bus


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime) -> Iterator[Runtime]:
    with event_bus.scoped_handlers():
        yield jackstay_runtime
