"""A run explains itself, however it has ended: runs are made in the process, and read from their journal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

import jackstay
from jackstay import LLM, Agent, Budget, Flow, Retry, Runtime, listen, start
from jackstay.cli.why import _lines, evidence_of
from jackstay.core.ids import SHORT
from jackstay.core.records import Intent, Reservation, RunFilter
from jackstay.errors import RunCancelled, RunWaiting, ToolFailure
from jackstay.observe.causes import Evidence
from jackstay.observe.why import Why, explain
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import call_context, tool
from tests.unit.crew.building import agent, crew, one_task, task

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture(autouse=True)
def runtime(jackstay_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.chdir(jackstay_runtime.folder)
    return jackstay_runtime


@pytest.fixture
def account(runtime):
    """Of the latest run, after a kickoff that may raise."""

    def of(kickoff, **changed) -> Why:
        with suppress(Exception, RunCancelled):
            kickoff()
        return explain(replace(evidence(runtime), **changed))

    return of


def evidence(runtime: Runtime, **changed) -> Evidence:
    rows = [row for row in runtime.journal.runs(RunFilter()) if row.parent_run is None]
    return replace(evidence_of(runtime.journal, rows[0]), **{"program": "/x/main.py", **changed})


def text(runtime: Runtime, **changed) -> str:
    of = evidence(runtime, **changed)
    return "\n".join(line.plain for line in _lines(of, explain(of)))


def simulated(faults: str) -> Agent:
    return agent(LLM(f"sim/demo?faults={faults}"))


@pytest.mark.parametrize(
    ("faults", "error", "attempts", "advice"),
    [
        ("401", "ModelAuthenticationFailed", "authentication", "refused the key"),
        ("429:0,429:0,429:0,429:0", "ModelRateLimited", "rate_limited, 4 times", "fallback"),
        ("quota", "ModelQuotaExceeded", "quota", "credit"),
        ("filter", "ModelContentRefused", "content_refused", "content policy"),
    ],
)
def test_failed_model_call_is_told_with_its_attempts_and_what_to_do(account, faults, error, attempts, advice):
    why = account(crew(task(agent(ScriptedModel(["noted"])), "Note"), task(simulated(faults), "Tell")).kickoff)

    assert why.state == "failed"
    assert why.cause.startswith(f"{error}: model sim/demo")
    assert [cause.what.partition(" (")[0] for cause in why.found.chain] == ["task tell", "model call 1"]
    assert why.found.step == "tell#1/llm#1"
    assert [text.endswith(attempts) for text in why.attempts] == [True]
    assert advice in why.advice
    assert "1 model call, 1 task (task note): recorded" in why.safe


def test_content_that_is_refused_is_replayed_with_another_input(account):
    why = account(one_task(LLM("sim/demo?faults=filter"), "Tell").kickoff)

    assert [command.text.partition(" 0")[0] for command in why.commands][:2] == [
        "jackstay resume",
        "jackstay replay -t",
    ]
    assert why.commands[1].text.endswith("/tell#1 --input NAME=TEXT")


def test_a_tools_exception_that_the_model_was_told_is_beside_and_one_that_ends_the_run_is_the_cause(account):
    @tool
    def look(name: str) -> str:
        """Looks it up."""
        raise LookupError(f"no {name}")

    @tool
    def fetch(name: str) -> str:
        """Fetches it."""
        raise ToolFailure("the depot is closed")

    answers = [tool_call("look", name="a"), tool_call("look", name="a"), "done"]
    told = account(one_task(ScriptedModel(answers), agent_fields={"tools": [look]}).kickoff)
    ended = account(
        one_task(
            ScriptedModel([tool_call("fetch", name="a")]),
            agent_fields={"tools": [fetch], "tool_failure_policy": "raise"},
        ).kickoff
    )

    assert told.state == "succeeded"
    assert told.found.beside == ("2 times: tool look failed (LookupError: no a); the model was told",)
    assert ended.cause == "ToolFailure: the depot is closed"
    assert [cause.what for cause in ended.found.chain] == ["task do_it (Analyst)", "tool fetch"]
    assert "tool" in ended.advice


def test_guardrail_and_max_iter_say_what_led_there(account):
    @tool
    def look(name: str) -> str:
        """Looks it up."""
        raise LookupError("nothing there")

    rejected = account(
        one_task(ScriptedModel(default="no"), guardrail=lambda _: (False, "too short"), guardrail_max_retries=1).kickoff
    )
    calls = [tool_call("look", name=str(number)) for number in range(5)]
    endless = account(one_task(ScriptedModel(calls), agent_fields={"tools": [look], "max_iter": 2}).kickoff)

    assert rejected.state == "failed (guardrail)"
    assert rejected.found.chain[-1].what == "guardrail lambda"
    assert "too short" in rejected.cause
    assert endless.state == "failed (max_iterations)"
    assert endless.found.chain[-1].what == "task do_it (Analyst)"
    assert endless.found.beside == ("2 times: tool look failed (LookupError: nothing there); the model was told",)
    assert "raise max_iter" in endless.advice


def test_budget_names_the_task_before_which_it_stopped_and_the_command_that_raises_it(runtime, account):
    two = crew(task(agent(LLM("sim/demo")), "Note"), task(agent(LLM("sim/demo")), "Tell"))

    why = account(lambda: two.kickoff(budget=Budget(calls=1)), program="/x/main.py")
    waiting = account(lambda: two.kickoff(budget=Budget(calls=1, on_exceed="pause")))

    assert why.state == "failed (budget)"
    assert [cause.what for cause in why.found.chain] == ["before task tell (Analyst)"]
    assert why.commands[0].text.endswith(" --budget MOST")
    assert waiting.state == "waiting"
    assert waiting.cause.startswith("budget of 1 calls")
    assert waiting.commands[0].text.endswith(" --budget MOST")
    assert "1 model call" in why.spent[0]


def test_deadline_is_the_cause_whatever_was_under_way(account):
    slow = one_task(LLM("sim/demo?latency=60"))

    why = account(lambda: slow.kickoff(deadline_s=0.05))

    assert why.state == "failed (deadline)"
    assert why.cause.startswith("DeadlineExceeded")
    assert "same time again" in why.advice


def test_cancel_and_the_decision_after_it_name_the_tool_in_flight(account):
    @tool(side_effect=True)
    async def book(berth: str) -> str:
        """Books a berth."""
        jackstay.cancel(call_context().run_id)
        await asyncio.Event().wait()
        return "never"

    mates = one_task(ScriptedModel([tool_call("book", berth="12")]), agent_fields={"tools": [book]})

    cancelled = account(lambda: mates.kickoff(run_key="k"))
    with pytest.raises(RunWaiting):
        mates.kickoff(run_key="k")
    asked = account(lambda: None)

    assert cancelled.cause == "Somebody cancelled it."
    assert cancelled.found.in_flight[0].startswith("the tool book at do_it#1/tool:book#1 (called ")
    assert asked.state == "waiting"
    assert [command.text.partition("--decide ")[2] for command in asked.commands[:3]] == [
        "done=RESULT",
        "again",
        "fail",
    ]


def test_exception_of_a_method_is_told_with_what_it_was_raised_from_and_where(runtime, account):
    class Report(Flow):
        @start()
        def gather(self):
            return one_task(ScriptedModel(["facts"])).kickoff().raw

        @listen(gather)
        def write(self):
            try:
                return dict[str, str]()["facts"]
            except KeyError as error:
                raise ValueError("no facts") from error

    why = account(lambda: Report().kickoff())

    assert why.cause == "ValueError: no facts"
    assert [(cause.what, cause.because) for cause in why.found.chain] == [("method write()", "KeyError: 'facts'")]
    assert why.found.place.startswith(__file__)
    assert why.found.place.endswith("in write")
    assert "(task do_it, method gather)" in why.safe
    assert why.found.step == "write#1"


def test_chain_goes_through_a_crew_in_a_method_and_names_each_other_exception(runtime, account):
    class Report(Flow):
        @start(retry=Retry(max_attempts=2, backoff_s=0))
        def gather(self):
            try:
                return one_task(ScriptedModel([ConnectionError("line dead")])).kickoff().raw
            except ConnectionError as error:
                raise ValueError("not gathered") from error

    why = account(lambda: Report().kickoff())
    shown = text(runtime)

    assert [(cause.what, cause.raised and cause.raised.message) for cause in why.found.chain] == [
        ("method gather()", "not gathered"),
        ("crew crew", None),
        ("task do_it (Analyst)", None),
        ("model call 1 (scripted)", "line dead"),
    ]
    assert why.cause == "ConnectionError: line dead"
    assert shown.count("line dead") == 1


def test_failed_items_of_a_batch_are_listed_with_their_inputs(runtime, account):
    model = ScriptedModel(["one", ConnectionError("line dead"), "three"])
    each = one_task(model, "Do {n}")

    why = account(lambda: each.kickoff_for_each([{"n": 1}, {"n": 2}, {"n": 3}], concurrency=1))
    shown = text(runtime)

    assert why.cause == "1 of 3 items did not succeed."
    assert [(item.inputs, item.why) for item in why.items] == [
        ('{"n":2}', "ConnectionError: line dead at do_n#1/llm#1")
    ]
    assert why.items[0].run_id[:SHORT] in shown
    assert why.spent[0].startswith("2 model calls")
    assert "tries the items again that failed" in shown


def test_interrupted_run_names_the_call_in_flight_and_what_is_safe(runtime):
    one_task(ScriptedModel(["fine"])).kickoff()
    done = evidence(runtime)
    run = replace(done.run, status="running", output=None)
    sent = Reservation(run.id, "do_it#1/llm#2", 1, 1, 1, "gpt-4o", NOW)
    intent = Intent(run.id, "do_it#1/tool:pay#1", 1, 1, "key", NOW)

    why = explain(
        replace(done, run=run, state="interrupted", reservations=(sent,), intents=(intent,), program="/x/m.py")
    )

    assert why.cause.startswith(
        "Its process ended before the run did, in the middle of the call of gpt-4o at do_it#1/llm#2"
    )
    assert why.found.in_flight[1].startswith("the tool pay at do_it#1/tool:pay#1")
    assert "1 model call, 1 task" in why.safe
    assert why.commands[0].text == f"jackstay resume {run.id[:SHORT]}"


def test_storage_and_live_runs_say_their_own(runtime):
    one_task(ScriptedModel(["fine"])).kickoff()
    done = evidence(runtime)
    error = (
        '{"type":"jackstay.errors:StorageUnavailable","bases":[],"message":"disk full; free space","code":"storage"}'
    )
    full = replace(done.run, status="failed", reason="storage", error=error)

    stored = explain(replace(done, run=full, state="failed"))
    live = explain(replace(done, run=replace(done.run, status="running"), state="running", activity="Analyst: do_it"))

    assert stored.cause == "StorageUnavailable: disk full; free space"
    assert "nothing that was recorded is lost" in stored.advice
    assert live.cause == "It is running: Analyst: do_it."
    assert [command.text.split()[1] for command in live.commands] == ["tail", "cancel"]


def test_run_of_a_console_is_gone_on_with_there(runtime, account):
    why = account(one_task(ScriptedModel([OSError("gone")])).kickoff, program="")

    assert why.commands[0].text.startswith('kickoff(resume="')
