"""`sim/…` as a provider: options, latency, faults as the wire's own error classes, prices that say they are made up."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import jackstay
from jackstay import errors
from jackstay.core.messages import Conversation, Message, OutputSchema, Question, Sampling, ToolSpec
from jackstay.core.specs import ModelConfig
from jackstay.core.usage import Usage
from jackstay.models.provider import Delta
from jackstay.models.sim import PROVIDER, SimConnection, price
from jackstay.models.sim_faults import FAULTS
from jackstay.models.wire import Wire

MESSAGES = (
    Message("system", "You are Senior Analyst. Expert.\nYour personal goal is: Research"),
    Message(
        "user", "Current Task: Research AI agents\n\nThis is the expected criteria for your final answer: 30 words"
    ),
)
SEARCH = ToolSpec("search", "Search", {"type": "object", "properties": {"query": {"type": "string"}}})


def question(text="", **changes):
    messages = (*MESSAGES, Message("user", text)) if text else MESSAGES
    return Question(("sim/demo",), Conversation.of(messages), **changes)


def endpoint(model="sim/demo", **config):
    return Wire({}).resolve(ModelConfig(model, **config))


def ask(model="sim/demo", asked=None, *, connection=None, timeout_s=5.0, on_delta=None):
    target = endpoint(model)
    connection = connection or PROVIDER.connect(target, {})
    return asyncio.run(connection.ask(target, asked or question(), timeout_s=timeout_s, on_delta=on_delta))


def test_answer_is_the_brains_with_provider_and_model():
    answer = ask("sim/pro?seed=3")

    assert len(answer.text.split()) == 30
    assert (answer.provider, answer.model, answer.finish_reason) == ("sim", "pro", "stop")
    assert answer.usage.total_tokens > 0
    assert answer == ask("sim/pro?seed=3") != ask("sim/pro?seed=4")


def test_options_may_stand_in_the_name_or_among_the_arguments():
    by_name = ask("sim/demo?seed=7&rounds=0", question(tools=(SEARCH,)))
    by_argument = ask(asked=question(tools=(SEARCH,), sampling=Sampling(seed=7, extra={"rounds": 0})))

    assert by_name == by_argument
    assert ask(asked=question(tools=(SEARCH,))).tool_calls[0].name == "search"


def test_structured_answer_and_forced_text_follow_the_question():
    schema = OutputSchema("A", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})

    assert ask(asked=question(output=schema)).text.startswith('{"n": ')
    assert ask(asked=question(tools=(SEARCH,), sampling=Sampling(tool_choice="none"))).tool_calls == ()
    assert ask(asked=question(sampling=Sampling(max_tokens=5))).finish_reason == "length"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("sim/demo?sed=1", "unknown option 'sed' of the simulated model 'sim/demo?sed=1': did you mean 'seed'?"),
        ("sim/demo?seed=x", "option seed='x'"),
        ("sim/demo?faults=430", "unknown fault '430'; known: 400"),
    ],
)
def test_wrong_options_are_named_before_the_first_call(model, message):
    with pytest.raises(errors.ConfigurationError, match=message.replace("?", r"\?")):
        endpoint(model)


def test_deltas_add_up_to_the_answer():
    heard: list[Delta] = []
    answer = ask(on_delta=heard.append)
    assert "".join(delta.text for delta in heard) == answer.text

    heard.clear()
    answer = ask(asked=question(tools=(SEARCH,)), on_delta=heard.append)
    assert heard[0].tool_name == "search"
    assert "".join(delta.text for delta in heard if delta.tool_index == 0) == answer.tool_calls[0].arguments


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"ok", "hang"}))
def test_scripted_faults_raise_what_the_wire_raises(fault):
    kind, status, _ = FAULTS[fault]
    assert kind is not None

    with pytest.raises(kind) as caught:
        ask(f"sim/demo?faults={fault}")

    assert caught.value.status == status
    assert (caught.value.model, caught.value.provider) == (f"sim/demo?faults={fault}", "sim")


def test_script_of_faults_is_followed_in_order_and_then_answers_come():
    connection = SimConnection()
    outcomes: list[object] = []
    for _ in range(4):
        try:
            outcomes.append(bool(ask("sim/demo?faults=429:2.5,ok,500", connection=connection).text))
        except errors.ModelError as exc:
            outcomes.append((exc.status, exc.retry_after_s))

    assert outcomes == [(429, 2.5), True, (500, None), True]


def test_hang_ends_with_the_calls_time_limit():
    with pytest.raises(errors.ModelTimeout, match=r"did not answer within 0\.05 s"):
        ask("sim/demo?faults=hang", timeout_s=0.05)


def test_cut_stream_was_heard_in_part():
    heard: list[Delta] = []
    with pytest.raises(errors.ModelConnectionFailed):
        ask("sim/demo?faults=cut", on_delta=heard.append)

    assert 0 < sum(len(delta.text) for delta in heard) < len(ask().text)


def test_chance_depends_on_question_and_attempt_not_on_the_order_of_arrival():
    def struck(order):
        connection, found = SimConnection(), set[int]()
        for number in order:
            try:
                ask("sim/demo?p429=0.3&seed=1", question(f"n {number}"), connection=connection)
            except errors.ModelRateLimited:
                found.add(number)
        return found

    forward = struck(range(40))

    assert forward == struck(reversed(range(40)))
    assert 4 <= len(forward) <= 20


def test_question_that_failed_by_chance_can_succeed_when_asked_again():
    connection = SimConnection()

    def answered(number):
        try:
            return bool(ask("sim/demo?p429=0.5&seed=1", question(f"n {number}"), connection=connection).text)
        except errors.ModelRateLimited:
            return False

    failed = [number for number in range(20) if not answered(number)]
    assert failed
    assert all(any(answered(number) for _ in range(20)) for number in failed)


def test_prices_are_made_up_and_say_so():
    wire = Wire({})
    answer = ask("sim/demo?seed=1")

    cost = wire.cost(endpoint("sim/demo?seed=1"), answer)

    assert cost.simulated
    assert cost.price_version == "sim-2026-11"
    tokens = Usage(input_tokens=1_000_000, cached_tokens=500_000, output_tokens=1_000_000)
    assert price(endpoint("sim/demo?seed=1")).cost(tokens) == Decimal("0.7125")
    worst = wire.worst_cost(endpoint(), question()).usd
    assert worst is not None
    assert cost.usd is not None
    assert worst > cost.usd


# --- only where it is asked for -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gpt-4o-mini", "simulated", "openai/sim", "simmodel"])
def test_no_other_name_leads_to_it(model):
    assert Wire({"OPENAI_API_KEY": "k"}).resolve(ModelConfig(model)).provider == "openai"


def test_missing_key_does_not_lead_to_it():
    with pytest.raises(errors.MissingKeyError):
        Wire({}).resolve(ModelConfig("", reads_environment=True))


def test_nothing_loads_it_unasked():
    code = (
        "import sys; from jackstay.models.wire import Wire; from jackstay.core.specs import ModelConfig;"
        "Wire({'OPENAI_API_KEY': 'k'}).resolve(ModelConfig('gpt-4o-mini'));"
        "print([name for name in sys.modules if name.startswith('jackstay.models.sim')])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_nothing_outside_its_rooms_imports_it():
    root = Path(next(iter(jackstay.__path__)))
    strangers = []
    for path in root.rglob("*.py"):
        inside = path.relative_to(root)
        if inside.parts[0] == "testing" or (inside.parts[0] == "models" and inside.name.startswith("sim")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            strangers += [str(inside) for name in names if name.startswith("jackstay.models.sim")]

    assert strangers == []
