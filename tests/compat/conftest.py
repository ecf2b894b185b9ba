"""Promises are proved in the process, by models that are scripts or a stub."""

from __future__ import annotations

import pytest

from jackstay import Runtime


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A journal per test; files that tasks write go beside it."""
    monkeypatch.chdir(jackstay_runtime.folder)
    return jackstay_runtime
