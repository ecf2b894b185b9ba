"""Runs the program whose number is in PROGRAM_SEED: see `drawn`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from jackstay import LLM, Agent, ConditionalTask, Crew, Flow, Task, TaskOutput, and_, listen, or_, router, start
from jackstay.testing import FaultPoints
from jackstay.tools import tool
from tests.programs.drawn import CrewPlan, MethodPlan, ProgramPlan, TaskPlan, drawn

MODEL = "openai/gpt-4o-mini"
REVISE = "say it revised"
"""What guardrails want: `tests.chaos.crashes.answer` obeys."""


class Findings(BaseModel):
    title: str
    points: list[str]


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """What the program gave back, in values that two runs can be compared by."""
    plan = drawn(int(os.environ["PROGRAM_SEED"]))
    build = Build(points)
    if plan.crew is not None:
        output = build.crew(plan.crew).kickoff({"topic": "tides"}, run_key=key)
        told = {"tasks": [_told(task) for task in output.tasks_output], "usage": output.token_usage.model_dump()}
        return {"run_id": output.run_id, "raw": output.raw, **told}
    flow = build.flow(plan)()
    result = flow.kickoff({"topic": "tides"}, run_key=key)
    state = {name: value for name, value in flow.state.items() if name != "id"}
    return {
        "run_id": flow.run_id,
        "raw": result,
        "state": dict(sorted(state.items())),
        "usage": flow.usage_metrics.model_dump(),
    }


def _told(task: Any) -> list[Any]:
    return [task.raw, task.pydantic.model_dump() if task.pydantic else None, task.token_usage.total_tokens]


class Build:
    """Definitions out of plans. Users' functions pass the fault point `user code`."""

    def __init__(self, points: FaultPoints) -> None:
        self.points = points

    # --- crews -------------------------------------------------------------------------------------------------------

    def crew(self, plan: CrewPlan) -> Crew:
        tasks: list[Task] = []
        for each in plan.tasks:
            tasks.append(self.task(each, tasks))
        return Crew(name=plan.name, agents=[task.agent for task in tasks], tasks=tasks)

    def task(self, plan: TaskPlan, earlier: list[Task]) -> Task:
        agent = Agent(role="Writer", goal="Know {topic}", backstory="Brief.", llm=LLM(MODEL))
        given: dict[str, Any] = {
            "name": plan.name,
            "description": f"{plan.name} on {{topic}}",
            "expected_output": "One sentence",
            "agent": agent,
            "async_execution": plan.asynchronous,
        }
        for trait in sorted(plan.traits):
            TRAITS[trait](self, given, plan, earlier)
        return ConditionalTask(**given) if "condition" in given else Task(**given)

    def use_tool(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        @tool
        def look_up(query: str) -> str:
            """Finds facts in the archive."""
            self.points.hit("user code")
            return f"the archive says of {query[:40]}: {len(query)} entries"

        given.setdefault("tools", []).append(look_up)

    def delegate(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        inner = self.crew(CrewPlan("helpers", (TaskPlan("Inquire"),)))

        @tool
        async def ask_around(query: str) -> str:
            """Asks another crew."""
            self.points.hit("user code")
            return (await inner.akickoff({"topic": query[:40]})).raw

        given.setdefault("tools", []).append(ask_around)

    def structured(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        given["output_pydantic"] = Findings

    def stream(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        given["agent"].llm = LLM(MODEL, stream=True)

    def context(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        given["context"] = [earlier[index] for index in plan.context]

    def callback(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        given["callback"] = lambda output: self.points.hit("user code")

    def guardrail(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        def revised(output: TaskOutput) -> tuple[bool, Any]:
            self.points.hit("user code")
            return (True, output.raw) if output.raw.startswith("revised") or output.pydantic else (False, REVISE)

        given["guardrail"] = revised

    def conditional(self, given: dict[str, Any], plan: TaskPlan, earlier: list[Task]) -> None:
        def odd(output: TaskOutput) -> bool:
            self.points.hit("user code")
            return sum(map(ord, output.raw)) % 2 == 1

        given["condition"] = odd

    # --- flows -------------------------------------------------------------------------------------------------------

    def flow(self, plan: ProgramPlan) -> type[Flow[Any]]:
        body = {method.name: self.method(method) for method in plan.methods}
        return type("Generated", (Flow,), {**body, "__module__": __name__})

    def method(self, plan: MethodPlan) -> Callable[..., Any]:
        work = WORKS[plan.work]
        make = self.awaiting if asyncio.iscoroutinefunction(work) else self.blocking
        made = make(plan, work)
        made.__name__ = made.__qualname__ = plan.name
        match plan.kind:
            case "start":
                return start(plan.after[0] if plan.after else None)(made)
            case "listen":
                return listen(plan.after[0])(made)
            case "and":
                return listen(and_(*plan.after))(made)
            case "or":
                return listen(or_(*plan.after))(made)
            case _:
                labels = ("odd", "even") if plan.kind == "router" else ("again", "done")
                return router(plan.after[0], emit=labels)(made)

    def blocking(self, plan: MethodPlan, work: Callable[..., Any]) -> Callable[..., Any]:
        def method(flow: Any) -> Any:
            self.begin(flow, plan)
            return self.end(flow, plan, work(self, flow, plan))

        return method

    def awaiting(self, plan: MethodPlan, work: Callable[..., Any]) -> Callable[..., Any]:
        async def method(flow: Any) -> Any:
            self.begin(flow, plan)
            return self.end(flow, plan, await work(self, flow, plan))

        return method

    def begin(self, flow: Any, plan: MethodPlan) -> None:
        self.points.hit("user code")
        flow.state[f"{plan.name} begun"] = flow.state.get(f"{plan.name} begun", 0) + 1

    def end(self, flow: Any, plan: MethodPlan, result: Any) -> Any:
        begun = flow.state[f"{plan.name} begun"]
        flow.state.setdefault(f"{plan.name} said", []).append(result)
        self.points.hit("user code")
        match plan.kind:
            case "router":
                return ("even", "odd")[sum(map(ord, str(flow.state["one said"]))) % 2]
            case "repeat":
                return "again" if begun < 2 else "done"
            case _:
                return result


def _inputs(flow: Any, plan: MethodPlan, number: int = 0) -> dict[str, Any]:
    return {"topic": f"{flow.state['topic']} {plan.name} {flow.state[f'{plan.name} begun']} {number}"}


def _call(build: Build, flow: Any, plan: MethodPlan) -> Any:
    return LLM(MODEL).call(f"Ponder {_inputs(flow, plan)['topic']}")


async def _acall(build: Build, flow: Any, plan: MethodPlan) -> Any:
    asked = (LLM(MODEL).acall(f"Ponder {_inputs(flow, plan, number)['topic']}") for number in range(2))
    return list(await asyncio.gather(*asked))


def _stream(build: Build, flow: Any, plan: MethodPlan) -> Any:
    return LLM(MODEL, stream=True).call(f"Ponder {_inputs(flow, plan)['topic']}")


def _crew(build: Build, flow: Any, plan: MethodPlan) -> Any:
    return build.crew(plan.crews[0]).kickoff(_inputs(flow, plan)).raw


async def _acrew(build: Build, flow: Any, plan: MethodPlan) -> Any:
    return (await build.crew(plan.crews[0]).akickoff(_inputs(flow, plan))).raw


async def _gather(build: Build, flow: Any, plan: MethodPlan) -> Any:
    kickoffs = [build.crew(crew).akickoff(_inputs(flow, plan, number)) for number, crew in enumerate(plan.crews)]
    return [output.raw for output in await asyncio.gather(*kickoffs)]


def _each(build: Build, flow: Any, plan: MethodPlan) -> Any:
    items = [_inputs(flow, plan, number) for number in range(2)]
    return [output.raw for output in build.crew(plan.crews[0]).kickoff_for_each(items)]


def _swallow(build: Build, flow: Any, plan: MethodPlan) -> Any:
    """A crew that fails, and what the method does instead."""
    try:
        LLM("openai/no-such-model").call(f"Ponder {_inputs(flow, plan)['topic']}")
    except Exception as error:  # noqa: BLE001 - as users write it
        return [type(error).__name__, build.crew(plan.crews[0]).kickoff(_inputs(flow, plan)).raw]


def _think(build: Build, flow: Any, plan: MethodPlan) -> Any:
    return len(_inputs(flow, plan)["topic"])


TRAITS: dict[str, Callable[[Build, dict[str, Any], TaskPlan, list[Task]], None]] = {
    "tool": Build.use_tool,
    "delegate": Build.delegate,
    "structured": Build.structured,
    "stream": Build.stream,
    "context": Build.context,
    "callback": Build.callback,
    "guardrail": Build.guardrail,
    "conditional": Build.conditional,
}
WORKS: dict[str, Callable[[Build, Any, MethodPlan], Any]] = {
    "call": _call,
    "acall": _acall,
    "stream": _stream,
    "crew": _crew,
    "acrew": _acrew,
    "gather": _gather,
    "each": _each,
    "swallow": _swallow,
    "think": _think,
}
