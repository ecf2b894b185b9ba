"""A stub whose answers show what they were asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jackstay.testing import Stub
from tests.e2e.hosts.crews import answer


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(answer) as running:
        yield running
