"""The public events of runs that ask people."""

from __future__ import annotations

from collections.abc import Iterator

from jackstay.core.waits import Answer, Asked
from jackstay.engine.scope import Scope
from jackstay.events.news import Made, News
from jackstay.events.types import flow_events as flows


def wait_asked(news: News) -> Iterator[Made]:
    scope, asked = news.about
    where = _where(scope, asked)
    match asked.kind:
        case "feedback":
            more = {"output": asked.shown, "emit": list(asked.options) or None, "request_id": news.event.path}
            yield flows.HumanFeedbackRequestedEvent, lambda: {**where, "message": asked.message, **more}
        case "input":
            metadata = dict(asked.about["metadata"])
            yield flows.FlowInputRequestedEvent, lambda: {**where, "message": asked.message, "metadata": metadata}


def wait_answered(news: News) -> Iterator[Made]:
    scope, asked, answer = news.about
    where = _where(scope, asked)
    match asked.kind:
        case "feedback":
            yield (
                flows.HumanFeedbackReceivedEvent,
                lambda: {**where, **_said(answer), "request_id": news.event.path},
            )
        case "input":
            said = {"message": asked.message, "response": answer.text, "metadata": dict(asked.about["metadata"])}
            yield flows.FlowInputReceivedEvent, lambda: {**where, **said}


def method_paused(news: News) -> Iterator[Made]:
    scope, method, stop = news.about
    yield (
        flows.MethodExecutionPausedEvent,
        lambda: {
            "flow_name": scope.about.flow or "",
            "method_name": method,
            "state": None,
            "flow_id": news.run.id,
            "message": str(stop),
        },
    )


def _where(scope: Scope, asked: Asked) -> dict[str, str]:
    return {"flow_name": scope.about.flow or "", "method_name": asked.about.get("method", "")}


def _said(answer: Answer) -> dict[str, str | None]:
    return {"feedback": answer.text or "", "outcome": answer.outcome}
