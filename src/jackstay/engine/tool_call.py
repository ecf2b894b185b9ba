"""One tool call: looked up, validated, executed as user code, recorded. A failure is an observation for the model and
a typed failure in the record."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.failures import Failure, failure_of
from jackstay.core.messages import Message, ToolCall
from jackstay.core.records import StepRow, StepStatus
from jackstay.core.specs import ToolDef
from jackstay.engine.scope import Scope
from jackstay.engine.user_code import call_user
from jackstay.errors import DeadlineExceeded, JackstayError


class ToolMisuse(JackstayError, ValueError):
    """The model called a tool that does not exist, or with arguments that do not fit; it is told so."""

    code = "tool_misuse"


async def call_tool(scope: Scope, tools: Mapping[str, ToolDef], call: ToolCall) -> tuple[Message, bool]:
    """The tool's message for the model, and whether the tool's result is to be the agent's answer."""
    return await _ToolStep(scope, tools, call).perform()


class _ToolStep:
    def __init__(self, scope: Scope, tools: Mapping[str, ToolDef], call: ToolCall) -> None:
        self.run, self.call, self.tools = scope.run, call, tools
        self.scope = scope.child(scope.numbered(f"tool:{call.name}"))
        self.path = self.scope.path
        tool = tools.get(call.name)
        besides = [tool.inside.question(call.arguments)] if tool is not None and tool.inside is not None else []
        self.args_hash = digest([call.name, call.arguments, *besides])

    async def perform(self) -> tuple[Message, bool]:
        self.run.check(self.scope)
        tool = self.tools.get(self.call.name)
        row = self.run.find(self.path, self.args_hash)
        if row is not None:
            self.run.tell("reused", self.path, kind="tool", tool=self.call.name)
            if row.status == "failed":
                return self._message(_observation(Failure.from_json(row.error or "{}"))), False
            return self._message(json.loads(row.result or "{}")["text"]), tool is not None and tool.result_as_answer
        self.began = self.run.began()
        self.run.tell("tool_started", self.path, tool=self.call.name, arguments=self.call.arguments)
        try:
            text = await self._execute(tool)
        except asyncio.CancelledError:
            await self.run.commit(self._row("cancelled"))
            raise
        except Exception as error:
            # A budget around may have been reached inside: no failure of the tool's either.
            if error is self.run.stopped(self.scope):
                raise
            if self.scope.is_late:
                await self._out_of_time(error)
            return self._message(await self._failed(error)), False
        await self.run.commit(self._row("succeeded", result=canonical_json({"text": text})))
        self.run.tell("tool_finished", self.path, tool=self.call.name, result=text)
        return self._message(text), tool is not None and tool.result_as_answer

    async def _execute(self, tool: ToolDef | None) -> str:
        if tool is None:
            listed = ", ".join(sorted(self.tools)) or "none"
            raise ToolMisuse(f"there is no tool named {self.call.name!r}; the tools are: {listed}")
        arguments = _arguments(tool, self.call.arguments)
        if tool.claim is not None and not tool.claim():
            raise ToolMisuse(f"the tool {self.call.name!r} has reached its limit of {tool.max_usage_count} uses")
        if tool.inside is not None:
            result: Any = await tool.inside.perform(self.scope, arguments)
        else:
            result = await call_user(self.scope, tool.call, **arguments)
        # A tool that swallowed a stop must not be recorded as if nothing had happened.
        self.run.check(self.scope)
        return as_text(result)

    async def _out_of_time(self, error: Exception) -> NoReturn:
        """Not a failure of the tool's, and nothing that the model could be told."""
        failure = failure_of(error, traceback="".join(traceback.format_exception(error)))
        await self.run.commit(self._row("cancelled", error=failure))
        if not isinstance(error, DeadlineExceeded):
            self.run.check(self.scope)
        raise error

    async def _failed(self, error: Exception) -> str:
        lines = "".join(traceback.format_exception(error))
        failure = failure_of(error, traceback=lines)
        await self.run.commit(self._row("failed", error=failure))
        self.run.tell("tool_failed", self.path, tool=self.call.name, error=str(error), error_type=failure.type)
        return _observation(failure)

    def _message(self, text: str) -> Message:
        return Message("tool", text, tool_call_id=self.call.id, name=self.call.name)

    def _row(self, status: StepStatus, *, result: str | None = None, error: Failure | None = None) -> StepRow:
        return self.run.step_row(
            self.began,
            self.path,
            "tool",
            self.call.name,
            status,
            self.args_hash,
            error=error,
            request=canonical_json({"arguments": self.call.arguments}),
            result=result,
            agent=self.scope.agent,
            task=self.scope.task,
        )


def _arguments(tool: ToolDef, text: str) -> Mapping[str, Any]:
    try:
        given = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise ToolMisuse(f"the arguments are not valid JSON ({error}): {text[:200]}") from error
    if not isinstance(given, dict):
        raise ToolMisuse(f"the arguments have to be one JSON object, not {type(given).__name__}")
    try:
        return tool.validate(given)
    except ValueError as error:
        schema = json.dumps(tool.spec.parameters, ensure_ascii=False)
        raise ToolMisuse(f"the arguments do not fit: {error}. The arguments' JSON Schema is {schema}") from error


def _observation(failure: Failure) -> str:
    """What the model is told of a failed call; the same text whether it has just failed or was recorded."""
    if failure.code == ToolMisuse.code:
        return f"Error: {failure.message}"
    return f"Error: the tool failed with {failure.type.rpartition(':')[2]}: {failure.message}"


def as_text(result: Any) -> str:
    """A tool's result as the model reads it: text as it is, models and data as JSON."""
    if isinstance(result, str):
        return result
    if hasattr(result, "model_dump_json"):
        return str(result.model_dump_json())
    if isinstance(result, dict | list | tuple):
        try:
            return json.dumps(result, ensure_ascii=False, default=str)
        except (TypeError, ValueError):
            return str(result)
    return "" if result is None else str(result)
