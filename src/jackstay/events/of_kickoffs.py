"""Events of kickoffs, tasks and flows' methods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jackstay.core import prompts
from jackstay.core.failures import text_of
from jackstay.core.interception import CrewView
from jackstay.core.results import CrewResult, TaskResult
from jackstay.crew.output import CrewOutput, TaskOutput
from jackstay.engine.kickoff import Outcome
from jackstay.engine.run import Run
from jackstay.engine.scope import Scope
from jackstay.errors import RunSuspended
from jackstay.events.news import Made, News, names, whose_of
from jackstay.events.types import agent_events as agents
from jackstay.events.types import crew_events as crews
from jackstay.events.types import flow_events as flows
from jackstay.events.types import task_events as tasks

# --- kickoffs ----------------------------------------------------------------------------------------------------------


def kickoff_started(news: News) -> Iterator[Made]:
    kickoff = news.about
    inputs = dict(kickoff.inputs)
    match kickoff.kind:
        case "crew":
            yield crews.CrewKickoffStartedEvent, lambda: {**_crew(kickoff), "inputs": inputs}
        case "flow":
            yield flows.FlowStartedEvent, lambda: {"flow_name": kickoff.name, "inputs": inputs}
        case "agent":
            yield (
                agents.LiteAgentExecutionStartedEvent,
                lambda: {**_lite(kickoff), "tools": None, "messages": str(inputs.get("messages", ""))},
            )


def kickoff_finished(news: News) -> Iterator[Made]:
    kickoff, result, duration_s = news.about
    match kickoff.kind:
        case "crew":

            def completed() -> dict[str, Any]:
                output = _crew_output(news.run, news.event.path, result, duration_s)
                tokens = output.token_usage.total_tokens if isinstance(output, CrewOutput) else 0
                return {**_crew(kickoff), "output": output, "total_tokens": tokens}

            yield crews.CrewKickoffCompletedEvent, completed
        case "flow":
            yield flows.FlowFinishedEvent, lambda: {"flow_name": kickoff.name, "result": result}
        case "agent":
            yield (
                agents.LiteAgentExecutionCompletedEvent,
                lambda: {**_lite(kickoff), "output": str(getattr(result, "raw", result))},
            )


def kickoff_failed(news: News) -> Iterator[Made]:
    kickoff, error = news.about
    said = text_of(error) or type(error).__name__
    match kickoff.kind:
        case "crew":
            yield crews.CrewKickoffFailedEvent, lambda: {**_crew(kickoff), "error": said}
        case "flow" if isinstance(error, RunSuspended):
            yield flows.FlowPausedEvent, lambda: {"flow_name": kickoff.name, "flow_id": news.run.id, "message": said}
        case "flow":
            yield flows.FlowFailedEvent, lambda: {"flow_name": kickoff.name, "error": error}
        case "agent":
            yield agents.LiteAgentExecutionErrorEvent, lambda: {**_lite(kickoff), "error": said}


def _crew(kickoff: Any) -> dict[str, Any]:
    return {"crew_name": kickoff.name, "crew": CrewView(kickoff.name)}


def _lite(kickoff: Any) -> dict[str, Any]:
    return {"agent_info": {"role": kickoff.name}, "agent_role": kickoff.name}


def _crew_output(run: Run, path: str, result: Any, duration_s: float) -> Any:
    if not isinstance(result, CrewResult):
        return result
    reused = run.bills.reused(path)
    return CrewOutput.of(Outcome(result, run.id, path, run.bills.own(path), duration_s, reused=reused))


# --- tasks and their agents --------------------------------------------------------------------------------------------


def task_started(news: News) -> Iterator[Made]:
    scope, context = news.about
    whose = whose_of(scope)
    yield tasks.TaskStartedEvent, lambda: {**names(scope), "context": context, "task": whose["task"]}

    def begun() -> dict[str, Any]:
        task = scope.about.task
        prompt = prompts.task_text(task, context) if task is not None else ""
        used = [tool.spec for tool in task.agent.tools_for(task.tools)] if task is not None else []
        return {**names(scope), **whose, "tools": used, "task_prompt": prompt}

    yield agents.AgentExecutionStartedEvent, begun


def task_finished(news: News) -> Iterator[Made]:
    scope, task, result = news.about
    yield agents.AgentExecutionCompletedEvent, lambda: {**names(scope), **whose_of(scope), "output": result.raw}
    yield (
        tasks.TaskCompletedEvent,
        lambda: {**names(scope), "output": _presented(task, result), "task": whose_of(scope)["task"]},
    )


def task_failed(news: News) -> Iterator[Made]:
    scope, error = news.about
    said = {"error": text_of(error) or type(error).__name__}
    yield agents.AgentExecutionErrorEvent, lambda: {**names(scope), **whose_of(scope), **said}
    yield (
        tasks.TaskFailedEvent,
        lambda: {**names(scope), **said, "error_type": type(error).__name__, "task": whose_of(scope)["task"]},
    )


def _presented(task: Any, result: TaskResult) -> Any:
    return TaskOutput.of(result) if task.present is None else task.present(result)


# --- flows' methods ----------------------------------------------------------------------------------------------------


def method_started(news: News) -> Iterator[Made]:
    scope, state, argument = news.about
    params = None if argument is None else {"_0": argument}
    yield (
        flows.MethodExecutionStartedEvent,
        lambda: {**_method(news, scope), "state": _state(state), "params": params},
    )


def method_finished(news: News) -> Iterator[Made]:
    scope, state, result = news.about
    yield (
        flows.MethodExecutionFinishedEvent,
        lambda: {**_method(news, scope), "state": _state(state), "result": result},
    )


def method_failed(news: News) -> Iterator[Made]:
    scope, error = news.about
    yield flows.MethodExecutionFailedEvent, lambda: {**_method(news, scope), "error": error}


def _method(news: News, scope: Scope) -> dict[str, Any]:
    return {"flow_name": scope.about.flow or "", "method_name": news.event.data["method"]}


def _state(state: Any) -> dict[str, Any]:
    """As JSON data: a handler cannot change the flow's own."""
    return {name: json.loads(text) for name, text in state.fields().items()}
