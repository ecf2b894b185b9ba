"""Chromium, once for all tests of a process. Where there is none the tests fail: nobody would notice that they are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[chromium.Browser]:
    path = chromium.find()
    if path is None:
        pytest.fail(chromium.NO_CHROMIUM)
    with chromium.running(path) as started:
        yield started


@pytest.fixture
def page(browser: chromium.Browser) -> chromium.Page:
    browser.told.clear()
    return browser.page()
