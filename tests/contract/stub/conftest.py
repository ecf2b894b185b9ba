"""Official clients pointed at a stub."""

from __future__ import annotations

import anthropic
import openai
import pytest

from jackstay.testing import Stub


@pytest.fixture
def stub():
    with Stub() as running:
        yield running


@pytest.fixture
def openai_client(stub):
    with openai.OpenAI(base_url=stub.openai_url, api_key="sk-test-key", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def anthropic_client(stub):
    with anthropic.Anthropic(base_url=stub.url, api_key="sk-ant-test-key", max_retries=0, timeout=20) as client:
        yield client
