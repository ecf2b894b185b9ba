"""The demo's ceiling and its choice of a model."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jackstay.core.events import Event
from jackstay.core.messages import Conversation, Question
from jackstay.engine.admission import Candidate
from jackstay.errors import BudgetExceeded
from jackstay.testing.demo.cap import Cap
from jackstay.testing.demo.choice import SIMULATED, choose


def _candidate(path: str, usd: str | None) -> Candidate:
    worst = None if usd is None else int(Decimal(usd) * 10**12)
    return Candidate("run", path, "m", Question(("m",), Conversation.of([])), worst, 1, 1)


def _admit(cap: Cap, path: str, usd: str | None) -> None:
    asyncio.run(cap.admit(_candidate(path, usd)))


def _finished(path: str, usd: str) -> Event:
    data = {"attempts": 1, "cost_usd": Decimal(usd)}
    return Event("model_call_finished", "run", path, datetime.now(UTC), data)


def test_call_whose_worst_price_does_not_fit_is_not_sent():
    cap = Cap(Decimal("0.05"))
    _admit(cap, "llm#1", "0.04")
    with pytest.raises(
        BudgetExceeded, match=r"cap of 0.05 USD is reached: this call could cost 0.0200, 0.0100 is left"
    ):
        _admit(cap, "llm#2", "0.02")

    cap.hear(_finished("llm#1", "0.001"))

    _admit(cap, "llm#2", "0.02")


def test_retried_call_keeps_the_worst_of_every_attempt_and_an_unknown_price_is_refused():
    cap = Cap(Decimal("0.05"))
    _admit(cap, "llm#1", "0.02")
    _admit(cap, "llm#1", "0.02")
    with pytest.raises(BudgetExceeded):
        _admit(cap, "llm#1", "0.02")
    with pytest.raises(BudgetExceeded, match="no price is listed"):
        _admit(cap, "llm#2", None)


def test_real_model_is_chosen_only_where_there_is_a_key_and_nobody_asked_to_simulate():
    key = {"OPENAI_API_KEY": "sk-x"}

    assert choose({}).model == SIMULATED
    assert choose({**key, "JACKSTAY_DEMO": "sim"}).simulated
    assert choose({**key, "JACKSTAY_MODEL": "sim/demo"}).simulated
    chosen = choose(key)
    assert (chosen.model, chosen.provider, chosen.key_name) == ("gpt-4o-mini", "openai", "OPENAI_API_KEY")
