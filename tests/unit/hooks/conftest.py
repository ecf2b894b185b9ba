"""Hooks of the process are gone after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jackstay import Runtime
from jackstay.hooks import clear_all


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime) -> Iterator[Runtime]:
    yield jackstay_runtime
    clear_all()
