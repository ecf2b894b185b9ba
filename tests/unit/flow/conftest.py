"""Flows with a journal of their own per test."""

from __future__ import annotations

import pytest

from jackstay import Runtime


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime) -> Runtime:
    return jackstay_runtime
