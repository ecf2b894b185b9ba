"""Our own wire against the stub: what the stub says it reported is what arrives, in every API."""

from __future__ import annotations

import asyncio

import pytest

from jackstay import errors
from jackstay.core.messages import Conversation, Message, OutputSchema, Question, Sampling, ToolSpec
from jackstay.core.specs import ModelConfig
from jackstay.models.wire import Wire
from jackstay.testing import Fault, Stub

MESSAGES = (
    Message("system", "You are Senior Analyst. Expert.\nYour personal goal is: Research"),
    Message(
        "user", "Current Task: Research AI agents\n\nThis is the expected criteria for your final answer: 30 words"
    ),
)
SEARCH = ToolSpec("search", "Search", {"type": "object", "properties": {"query": {"type": "string"}}})
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
CONFIGS = {
    "chat": ModelConfig("gpt-4o-mini"),
    "chat streamed": ModelConfig("gpt-4o-mini", stream=True),
    "responses": ModelConfig("gpt-4o-mini", api="responses"),
    "responses streamed": ModelConfig("gpt-4o-mini", api="responses", stream=True),
    "anthropic": ModelConfig("anthropic/claude-sonnet-5"),
    "anthropic streamed": ModelConfig("anthropic/claude-sonnet-5", stream=True),
    "ollama": ModelConfig("ollama/llama3"),
    "groq": ModelConfig("groq/llama"),
}


def question(*more, **changes):
    return Question(("x",), Conversation.of((*MESSAGES, *more)), **changes)


def ask(stub, config, *questions):
    async def main():
        wire = Wire(stub.environ())
        try:
            target = wire.resolve(config)
            return [await wire.ask(target, one, timeout_s=20) for one in questions]
        finally:
            await wire.close()

    return asyncio.run(main())


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_text_tool_round_and_structured_answer_with_exact_usage(stub, config):
    (first,) = ask(stub, config, question(tools=(SEARCH,)))
    call = first.tool_calls[0]
    done = (first.message(), Message("tool", "Seven vendors", tool_call_id=call.id, name="search"))
    plain, after, structured = ask(
        stub,
        config,
        question(),
        question(*done, tools=(SEARCH,)),
        question(output=OutputSchema("A", SCHEMA), sampling=Sampling(max_tokens=300)),
    )

    assert call.name == "search"
    assert len(plain.text.split()) == 30
    assert "Seven vendors" in after.text
    assert structured.text.startswith('{"n":')
    assert [one.usage for one in (first, plain, after, structured)] == [one.usage for one in stub.requests]


def test_with_an_address_it_asks_there_in_openais_language_at_its_own_price():
    async def main(stub):
        wire = Wire({"SIM_BASE_URL": stub.openai_url})
        target = wire.resolve(ModelConfig("sim/demo?rounds=0"))
        answer = await wire.ask(target, question(tools=(SEARCH,)), timeout_s=20)
        cost = wire.cost(target, answer)
        await wire.close()
        return answer, cost

    with Stub() as stub:
        answer, cost = asyncio.run(main(stub))

        assert len(answer.text.split()) == 30
        assert answer.usage == stub.requests[0].usage
        assert cost.simulated
        assert stub.requests[0].model == "demo?rounds=0"


@pytest.mark.parametrize("api", ["chat", "responses", "anthropic"])
@pytest.mark.parametrize("streamed", ["", " streamed"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429", errors.ModelRateLimited), ("quota", errors.ModelQuotaExceeded), ("500", errors.ModelServerError),
        ("529", errors.ModelOverloaded), ("401", errors.ModelAuthenticationFailed), ("400", errors.ModelRejected),
        ("context", errors.ModelContextExceeded), ("reset", errors.ModelConnectionFailed),
        ("cut:2", errors.ModelConnectionFailed),
    ],
)  # fmt: skip
def test_faults_arrive_as_our_errors(stub, api, streamed, fault, kind):
    stub.rule(Fault.parse(fault))

    with pytest.raises(kind):
        ask(stub, CONFIGS[api + streamed], question())
