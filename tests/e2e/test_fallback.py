"""A chain of models: which one answers, why each other did not, who is paid, and when a model is left alone."""

from __future__ import annotations

import asyncio
import json
import socket
from decimal import Decimal
from typing import Any

import pytest

from jackstay import LLM, Agent, Crew, Retry, Task
from jackstay.core.breaker import THRESHOLD
from jackstay.core.records import StepRow
from jackstay.engine.clock import Clock
from jackstay.errors import ModelConnectionFailed, ModelError, ModelRejected, ModelServerError
from jackstay.testing import Fault, Stub
from jackstay.tools import tool
from tests.e2e.ledger import Ledger

FIRST, SECOND = "gpt-4o", "anthropic/claude-sonnet-4-5"


@pytest.fixture
def clock() -> Clock:
    """The real one: what is told here is how soon another model answers."""
    return Clock()


def crew_of(*models: Any, tools: Any = (), tasks: int = 1, retry: Retry | None = None) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=list(models), tools=list(tools), retry=retry)
    made = [Task(description=f"Write {number}", expected_output="Text", agent=agent) for number in range(tasks)]
    return Crew(agents=[agent], tasks=made)


def only_call(runtime: Any) -> StepRow:
    (call,) = Ledger.of(runtime).calls
    return call


def refused_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


FAULTS: list[tuple[str, Fault, str]] = [
    ("500", Fault.http(500), "server_error"),
    ("503", Fault.http(503), "overloaded"),
    ("overloaded", Fault.http(529), "overloaded"),
    ("rate limit", Fault.rate_limited(30), "rate_limited"),
    ("quota", Fault.quota(), "quota"),
    ("key refused", Fault.http(401), "authentication"),
    ("not allowed", Fault.http(403), "authentication"),
    ("no such model", Fault.http(404), "rejected"),
    ("too long", Fault.context_length(), "context_window"),
    ("content refused", Fault.content_filter(), "content_refused"),
    ("reset", Fault.reset(), "connection"),
    ("cut", Fault.cut(), "connection"),
    ("unreadable", Fault.invalid_json(), "unreadable"),
    ("hang", Fault.hang(), "model_timeout"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("fault", "code"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_second_model_answers_at_once_and_is_paid(stub, runtime, fault, code, stream):
    stub.rule(fault, model="^gpt-4o$")
    limit_s = 0.3 if code == "model_timeout" else 30
    first = LLM(FIRST, stream=stream, timeout=limit_s)
    crew = crew_of(first, LLM(SECOND, stream=stream))
    asyncio.run(runtime_loaded(runtime, SECOND))

    output = crew.kickoff()

    first_asked, second_asked = stub.requests
    assert [first_asked.model, second_asked.model] == ["gpt-4o", "claude-sonnet-4-5"]
    waited_s = second_asked.received_s - first_asked.received_s
    assert waited_s < 1.0 + (limit_s if code == "model_timeout" else 0)
    call = only_call(runtime)
    (tried,) = json.loads(call.tried or "[]")
    assert (tried["model"], tried["code"]) == (FIRST, code)
    assert tried["why"]
    assert (call.model, call.answered_by, call.attempts) == (FIRST, "claude-sonnet-4-5", 2)
    usage = stub.requests[1].usage
    assert output.cost_usd == (usage.input_tokens * Decimal(3) + usage.output_tokens * Decimal(15)) / 1_000_000


async def runtime_loaded(runtime: Any, model: str) -> None:
    """The SDK is loaded: what is measured is the pipeline, not the import (which is begun while the first is asked)."""
    from jackstay.core.specs import ModelConfig

    async def load() -> None:
        await runtime.asker(ModelConfig(model)).prepare()

    await asyncio.wrap_future(runtime.engine_loop.submit(load).future)


def test_refused_connection_falls_back(stub, runtime):
    crew = crew_of(LLM(FIRST, base_url=refused_address()), "gpt-4o-mini")

    assert crew.kickoff().raw
    assert [request.model for request in stub.requests] == ["gpt-4o-mini"]
    assert json.loads(only_call(runtime).tried or "[]")[0]["code"] == "connection"


def test_bare_400_is_our_mistake_and_asks_nobody_else(stub, runtime):
    stub.rule(Fault.http(400), model="^gpt-4o$")

    with pytest.raises(ModelRejected):
        crew_of(FIRST, "gpt-4o-mini").kickoff()

    assert len(stub.requests) == 1


def test_fallback_without_a_key_is_passed_over_with_its_reason(stub, make_runtime, tmp_path):
    environ = {name: value for name, value in stub.environ().items() if not name.startswith("ANTHROPIC")}
    runtime = make_runtime(environ={**environ, "HOME": str(tmp_path)})
    stub.rule(Fault.http(500), model="^gpt-4o$")

    assert crew_of(FIRST, SECOND, "gpt-4o-mini").kickoff().raw

    assert [request.model for request in stub.requests] == ["gpt-4o", "gpt-4o-mini"]
    assert [each["code"] for each in json.loads(only_call(runtime).tried or "[]")] == ["server_error", "missing_key"]


def test_first_model_without_a_key_lets_the_second_answer(stub, make_runtime, tmp_path):
    environ = {name: value for name, value in stub.environ().items() if not name.startswith("ANTHROPIC")}
    make_runtime(environ={**environ, "HOME": str(tmp_path)})

    assert crew_of(SECOND, "gpt-4o-mini").kickoff().raw
    assert [request.model for request in stub.requests] == ["gpt-4o-mini"]


def test_last_model_is_retried_and_the_error_says_what_the_others_said(stub, make_runtime):
    make_runtime(retry=Retry(backoff_s=0.01))
    stub.rule(Fault.http(500), model="^gpt-4o$")
    stub.rule(Fault.http(502), model="^gpt-4o-mini$")

    with pytest.raises(ModelServerError) as caught:
        crew_of(FIRST, "gpt-4o-mini").kickoff()

    assert [request.model for request in stub.requests] == ["gpt-4o", *["gpt-4o-mini"] * 4]
    assert caught.value.exhausted
    assert any("gpt-4o did not answer" in note for note in caught.value.__notes__)


def test_model_is_tried_again_first_where_the_policy_says_so(stub, runtime):
    stub.rule(Fault.http(500), model="^gpt-4o$", times=1)

    assert crew_of(FIRST, "gpt-4o-mini", retry=Retry(backoff_s=0.01, before_fallback=2)).kickoff().raw
    assert [request.model for request in stub.requests] == ["gpt-4o", "gpt-4o"]


def test_too_long_a_prompt_skips_models_whose_window_is_no_larger(stub, runtime):
    stub.rule(Fault.context_length(), model="^gpt-4o$")

    assert crew_of(FIRST, LLM("gpt-4-turbo", context_window_size=8_000), "gpt-4.1-mini").kickoff().raw

    assert [request.model for request in stub.requests] == ["gpt-4o", "gpt-4.1-mini"]
    assert "no larger" in json.loads(only_call(runtime).tried or "[]")[1]["why"]


def test_tool_calls_go_on_with_the_model_that_answers(stub, runtime):
    @tool
    def look_up(query: str) -> str:
        """Finds facts."""
        return "facts"

    stub.rule(Fault.http(500), model="^gpt-4o$")

    assert crew_of(FIRST, SECOND, tools=[look_up]).kickoff().raw
    assert {request.model for request in stub.requests if request.status == 200} == {"claude-sonnet-4-5"}


def test_settings_of_a_named_fallback_are_the_first_ones_and_an_llm_has_its_own(stub, runtime):
    stub.rule(Fault.http(500), model="^gpt-4o")
    crew_of(LLM(FIRST, temperature=0.1), "gpt-4o-mini", LLM("gpt-4.1-mini", temperature=0.9)).kickoff()

    assert [request.body["temperature"] for request in stub.requests] == [0.1, 0.1, 0.9]


def test_llm_with_fallbacks_is_the_same_as_a_list(stub, runtime):
    stub.rule(Fault.http(500), model="^gpt-4o$")
    llm = LLM(FIRST, fallbacks=["gpt-4o-mini"])

    assert llm.call("Say it")
    assert crew_of(llm).kickoff().raw
    assert [request.model for request in stub.requests] == ["gpt-4o", "gpt-4o-mini"] * 2


# --- streams that somebody hears ------------------------------------------------------------------------------------


def heard(runtime: Any, *models: Any) -> tuple[list[str], BaseException | None]:
    """The pieces that a listener hears of one call, and what the call raised."""
    from jackstay.core.messages import Conversation, Message, Question
    from jackstay.engine.asked import Kickoff
    from jackstay.engine.asker import Ask
    from jackstay.engine.bridge import run_sync
    from jackstay.engine.kickoff import start
    from jackstay.engine.model_call import call_model
    from jackstay.llm.llm import as_config

    config = as_config(list(models), "the test")
    pieces: list[str] = []

    async def body(scope: Any) -> Any:
        question = Question(scope.run.models.asked_for(config), Conversation.of([Message("user", "Write 40 words")]))
        ask = Ask(config, question, lambda delta: pieces.append(delta.kind if delta.kind == "restart" else delta.text))
        return await call_model(scope, ask, path=scope.numbered("llm"))

    kickoff = Kickoff("llm", "listening", {}, "f", body, lambda _: "null", lambda _: None)
    try:
        run_sync(runtime, lambda home: start(runtime, home, kickoff))
    except ModelError as error:
        return pieces, error
    return pieces, None


def test_stream_that_breaks_before_its_first_piece_falls_back(stub, runtime):
    stub.rule(Fault.error_event(after_chunks=0), model="^gpt-4o$")

    pieces, error = heard(runtime, FIRST, "gpt-4o-mini")

    assert error is None
    assert "restart" not in pieces
    assert [request.model for request in stub.requests] == ["gpt-4o", "gpt-4o-mini"]


def test_stream_that_was_heard_restarts_with_the_same_model_and_never_falls_back(stub, make_runtime):
    runtime = make_runtime(retry=Retry(max_attempts=2, backoff_s=0.01))
    stub.rule(Fault.cut(after_chunks=4), model="^gpt-4o$")

    pieces, error = heard(runtime, FIRST, "gpt-4o-mini")

    assert isinstance(error, ModelConnectionFailed)
    assert pieces.count("restart") == 1
    assert [request.model for request in stub.requests] == ["gpt-4o", "gpt-4o"]


# --- breakers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.http(500), Fault.reset(), Fault.http(401)], ids=["500", "reset", "401"])
def test_fifty_runs_make_at_most_five_requests_to_a_dead_model(stub: Stub, runtime, fault):
    stub.rule(fault, model="^gpt-4o$")
    crew = crew_of(FIRST, "gpt-4o-mini")

    async def program() -> list[Any]:
        return await asyncio.gather(*(crew.akickoff() for _ in range(50)))

    outputs = asyncio.run(program())

    assert all(output.raw for output in outputs)
    assert len([request for request in stub.requests if request.model == "gpt-4o"]) <= THRESHOLD
    left_alone = [c for c in Ledger.of(runtime).calls if "breaker_open" in (c.tried or "")]
    assert len(left_alone) >= 45


class Settable(Clock):
    """Real time, and as much on top as a test says."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


def test_one_probe_closes_the_breaker_when_the_model_is_back(stub, make_runtime):
    clock = Settable()
    runtime = make_runtime(clock=clock)
    stub.rule(Fault.http(500), model="^gpt-4o$", times=THRESHOLD)
    crew = crew_of(FIRST, "gpt-4o-mini")
    for _ in range(THRESHOLD + 2):
        crew.kickoff()
    assert [request.model for request in stub.requests].count("gpt-4o") == THRESHOLD

    clock.ahead_s += 31
    _let_time_pass(runtime)
    crew.kickoff()
    crew.kickoff()

    assert [request.model for request in stub.requests][-2:] == ["gpt-4o", "gpt-4o"]
    assert runtime.journal.breakers() == []


def _let_time_pass(runtime: Any) -> None:
    """The database's clock is not the test's: its rows are made older."""
    from jackstay.journal.schema import breaker

    def older(connection: Any) -> None:
        connection.core.execute(breaker.update().values(open_until=breaker.c.open_until - 31_000_000))

    runtime.journal._writer.call(older).result(5)


def test_another_process_of_the_database_leaves_the_model_alone_too(stub, make_runtime):
    first = make_runtime()
    stub.rule(Fault.http(500), model="^gpt-4o$")
    crew = crew_of(FIRST, "gpt-4o-mini")
    for _ in range(THRESHOLD):
        crew.kickoff()
    assert first.journal.breakers()

    make_runtime()  # as another process has it: its own memory, the same journal
    crew.kickoff()

    assert [request.model for request in stub.requests].count("gpt-4o") == THRESHOLD


def test_model_without_an_alternative_is_asked_whatever_its_breaker_says(stub, make_runtime):
    make_runtime(retry=Retry(max_attempts=1))
    stub.rule(Fault.http(500), model="^gpt-4o$", times=THRESHOLD)
    for _ in range(THRESHOLD):
        crew_of(FIRST, "gpt-4o-mini").kickoff()

    assert crew_of(FIRST).kickoff().raw
