"""One tool call: looked up, validated, executed as user code, recorded. A failure is an observation for the model and
a typed failure in the record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.failures import Failure, failure_of
from jackstay.core.intents import RECEIPT, SIDE_EFFECT, Decided
from jackstay.core.messages import Message, ToolCall
from jackstay.core.records import StepRow, StepStatus
from jackstay.core.specs import ToolDef
from jackstay.core.tool_failures import ToolFailurePolicy
from jackstay.engine.acting import Act
from jackstay.engine.call_record import LOOKED_AT
from jackstay.engine.concealing import masked_failure
from jackstay.engine.receipts import Receipt
from jackstay.engine.run import Began
from jackstay.engine.scope import Scope
from jackstay.engine.tool_cache import CACHED, KEPT, key_of
from jackstay.engine.tool_context import ToolCallContext, calling
from jackstay.engine.tool_failure import ToolMisuse, observation, record_of, settle
from jackstay.engine.tool_hooks import after_tool, before_tool, is_wanted
from jackstay.engine.user_code import call_user
from jackstay.errors import DeadlineExceeded, HookAborted, LeaseLost, StorageUnavailable, ToolFailure


async def call_tool(
    scope: Scope, tools: Mapping[str, ToolDef], call: ToolCall, policy: ToolFailurePolicy | None = None
) -> tuple[Message, bool]:
    """The tool's message for the model, and whether the tool's result is to be the agent's answer. `policy`: what follows
    from a failure that a tool without a policy of its own states. Raises `ToolExecutionFailedError` if that is it."""
    return await _ToolStep(scope, tools, call, policy).perform()


class _ToolStep:
    def __init__(
        self, scope: Scope, tools: Mapping[str, ToolDef], call: ToolCall, policy: ToolFailurePolicy | None
    ) -> None:
        self.run, self.call, self.tools = scope.run, call, tools
        self.tool = tools.get(call.name)
        self.policy = (self.tool.failure_policy if self.tool is not None else None) or policy or ToolFailurePolicy.WARN
        self.scope = scope.child(scope.numbered(f"tool:{call.name}"))
        self.path = self.scope.path
        inside = self.tool.inside if self.tool is not None else None
        besides = [inside.question(call.arguments)] if inside is not None else []
        self.args_hash = digest([call.name, call.arguments, *besides])
        self.act = Act(self.scope, call) if self.tool is not None and self.tool.side_effect else None
        self.kept_as: str | None = None
        self.receipt: Receipt | None = None
        self.looked_at = self.tool is not None and is_wanted(self.scope, call.name)
        """Hooks are shown the result once it is recorded."""
        self.raw: Any = None

    async def perform(self) -> tuple[Message, bool]:
        self.run.check(self.scope)
        row = self._recorded()
        if row is not None:
            return await self._reused(row)
        # What may have been done is asked about, whatever came of the attempt.
        if self.act is None or self.act.unsettled is None:
            self.scope.check_goes_on()
        self.began = self.run.began()
        if self.tool is not None:
            try:
                self._takes(await before_tool(self.scope, self.tool, self.call))
            except HookAborted as error:
                return await self._failed(error)
        match self.act.decision() if self.act is not None else None:
            case Decided("done", result):
                return await self._succeeded(self.run.secrets.masked(result or ""))
            case Decided("fail"):
                told = "the call was interrupted, and a person has decided that it counts as failed"
                return await self._failed(ToolFailure(told, reason="decided"))
            case _:
                return await self._by_receipt() or await self._cached() or await self._called()

    def _takes(self, call: ToolCall) -> None:
        """From here on it is this call, which hooks may have given other arguments; what the model asked is its question."""
        self.call = call
        if self.act is not None:
            self.act.call = call

    # --- what is recorded --------------------------------------------------------------------------------------------

    def _recorded(self) -> StepRow | None:
        row = self.run.find(self.path, self.args_hash)
        if row is None and self.act is not None:
            # A tool that acts has been called once, even if nothing has gone on from its failure yet.
            row = self.run.recorded.failed(self.path, self.args_hash)
        return row

    async def _reused(self, row: StepRow) -> tuple[Message, bool]:
        self.run.tell("reused", self.path, kind="tool", tool=self.call.name)
        self._use_up(row)
        if row.status == "failed":
            failure = Failure.from_json(row.error or "{}")
            # One that the attempt went on after has ended nothing; another one ends it now as it did then.
            ended = self.run.recorded.is_tip(row) or self.scope.ended_by is not None
            settle(self.scope, self._record(failure), failure, self.policy, is_over=not ended)
            return self._message(observation(failure)), False
        self.looked_at = LOOKED_AT in json.loads(row.request or "{}")
        return await self._told(json.loads(row.result or "{}")["text"])

    def _use_up(self, row: StepRow) -> None:
        receipt = self.run.done_by_tools.at(row.path) if self.act is not None else None
        if receipt is not None and self.scope.receipts is not None:
            self.scope.receipts.use_up(receipt)

    async def _by_receipt(self) -> tuple[Message, bool] | None:
        """The answer by what an earlier attempt of the task has done."""
        if self.act is None or self.scope.receipts is None:
            return None
        unsettled = self.scope.receipts.unsettled(self.call.name, self.call.arguments)
        if unsettled is not None:
            raise self.act.ask(unsettled.intent, unsettled.agent)
        self.receipt = self.scope.receipts.take(self.call.name, self.call.arguments)
        if self.receipt is None:
            return None
        self.act.flags = f"{SIDE_EFFECT},{RECEIPT}"
        self.run.tell("reused", self.path, kind="tool", tool=self.call.name)
        text = f"{self.path}: the tool '{self.call.name}' is not called again: {self.receipt.path} was the same call"
        self.run.tell("warning", self.path, text=f"{text}, in an attempt of the task that failed")
        failure = self.receipt.failure
        if failure is not None:
            await self.run.commit(self._row("failed", error=failure, attempts=0))
            settle(self.scope, self._record(failure), failure, self.policy)
            return self._message(observation(failure)), False
        await self.run.commit(self._row("succeeded", result=canonical_json({"text": self.receipt.text}), attempts=0))
        return await self._told(self.receipt.text)

    async def _cached(self) -> tuple[Message, bool] | None:
        """The answer by an earlier equal call of the run."""
        if self.tool is None or self.tool.cache_ttl_s is None or self.act is not None:
            return None
        text = self.run.tool_cache.find(key_of(self.tool, self.call), self.tool.cache_ttl_s, self.run.now())
        if text is None:
            return None
        self.run.defer(self._row("succeeded", result=canonical_json({"text": text}), flags=CACHED, attempts=0))
        self.run.tell("reused", self.path, kind="tool", tool=self.call.name)
        return await self._told(text)

    # --- the call ----------------------------------------------------------------------------------------------------

    async def _called(self) -> tuple[Message, bool]:
        self.run.tell("tool_started", self.path, tool=self.call.name, arguments=self.call.arguments, about=self._about)
        try:
            text = await self._execute(self.tool)
        except asyncio.CancelledError:
            self._interrupted()
            await self.run.commit(self._row("cancelled"))
            raise
        except Exception as error:
            # A budget around may have been reached inside: no failure of the tool's either.
            if error is self.run.stopped(self.scope):
                await self._prevented()
                raise
            if self.scope.is_late:
                await self._out_of_time(error)
            return await self._failed(error)
        except BaseException:
            await self._prevented()
            raise
        return await self._succeeded(text)

    async def _execute(self, tool: ToolDef | None) -> str:
        if tool is None:
            listed = ", ".join(sorted(self.tools)) or "none"
            raise ToolMisuse(
                f"there is no tool named {self.call.name!r}; the tools are: {listed}", reason="unknown_tool"
            )
        arguments = _arguments(tool, self.call.arguments)
        if tool.claim is not None and not tool.claim():
            raise ToolMisuse(
                f"the tool {self.call.name!r} has reached its limit of {tool.max_usage_count} uses",
                reason="usage_limit",
            )
        result = self.raw = await self._result(tool, arguments)
        # A tool that swallowed a stop must not be recorded as if nothing had happened.
        self.run.check(self.scope)
        if isinstance(result, ToolFailure):
            raise result
        if tool.cache_ttl_s is not None and self.act is None and await self._may_be_kept(tool, arguments, result):
            self.kept_as = key_of(tool, self.call)
        return self.run.secrets.masked(as_text(result))

    async def _result(self, tool: ToolDef, arguments: Mapping[str, Any]) -> Any:
        if tool.inside is not None:
            return await tool.inside.perform(self.scope, arguments)
        call = tool.call
        if self.act is not None:
            await self.act.begin()
            call = self.act.noticed(call)
        with calling(self._context()):
            return await call_user(self.scope, call, **arguments)

    def _context(self) -> ToolCallContext:
        key = self.act.key if self.act is not None else f"{self.run.id}:{self.path}"
        return ToolCallContext(self.run.id, self.path, key, self._rev)

    async def _may_be_kept(self, tool: ToolDef, arguments: Mapping[str, Any], result: Any) -> bool:
        if tool.cache_function is None:
            return True
        try:
            return bool(await call_user(self.scope, tool.cache_function, dict(arguments), result))
        except Exception as error:  # noqa: BLE001 - users' code may raise anything, and only the cache is lost
            self.run.check(self.scope)
            self.run.tell(
                "warning", self.path, text=f"{self.path}: its result is not cached: cache_function: {error!r}"
            )
            return False

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _succeeded(self, text: str) -> tuple[Message, bool]:
        await self.run.commit(self._row("succeeded", result=canonical_json({"text": text})))
        self.run.tell("tool_finished", self.path, tool=self.call.name, result=text, about=self._about)
        return await self._told(text)

    async def _told(self, text: str) -> tuple[Message, bool]:
        """The result as the model is told it."""
        if self.looked_at and self.tool is not None:
            text = await after_tool(self.scope, self.tool, self.call, text, self.raw)
        return self._message(text), self._is_answer

    async def _prevented(self) -> None:
        """The run was stopped between intent and call: that nothing was done is known, and nobody has to be asked."""
        if self.act is not None and self.act.was_prevented:
            with contextlib.suppress(StorageUnavailable, LeaseLost):
                await self.run.commit(self._row("cancelled"))

    def _interrupted(self) -> None:
        if self.act is not None:
            self.act.interrupted()

    async def _out_of_time(self, error: Exception) -> NoReturn:
        """Not a failure of the tool's, and nothing that the model could be told."""
        self._interrupted()
        failure = failure_of(error, traceback="".join(traceback.format_exception(error)))
        await self.run.commit(self._row("cancelled", error=failure))
        if not isinstance(error, DeadlineExceeded):
            self.run.check(self.scope)
        raise error

    async def _failed(self, error: Exception) -> tuple[Message, bool]:
        lines = "".join(traceback.format_exception(error))
        failure = masked_failure(failure_of(error, traceback=lines), self.run.secrets)
        await self.run.commit(self._row("failed", error=failure))
        told = {"tool": self.call.name, "error": failure.message, "error_type": failure.type}
        self.run.tell("tool_failed", self.path, **told, about=self._about)
        settle(self.scope, self._record(failure), failure, self.policy)
        return self._message(observation(failure)), False

    def _record(self, failure: Failure) -> Any:
        return record_of(failure, self.call, self.scope)

    @property
    def _about(self) -> tuple[Scope, ToolCall, Began]:
        """For listeners."""
        return self.scope, self.call, self.began

    @property
    def _is_answer(self) -> bool:
        return self.tool is not None and self.tool.result_as_answer

    @property
    def _rev(self) -> int:
        return self.act.rev if self.act is not None else self.run.next_rev(self.path)

    def _message(self, text: str) -> Message:
        return Message("tool", text, tool_call_id=self.call.id, name=self.call.name)

    def _row(self, status: StepStatus, *, error: Failure | None = None, **fields: Any) -> StepRow:
        request: dict[str, Any] = {"arguments": self.call.arguments}
        if self.looked_at:
            request[LOOKED_AT] = True
        if self.receipt is not None:
            request["receipt"] = self.receipt.path
        if self.act is not None:
            fields["flags"] = self.act.flags
        elif self.kept_as is not None:
            request["cache"], fields["flags"] = self.kept_as, KEPT
        return self.run.step_row(
            self.began,
            self.path,
            "tool",
            self.call.name,
            status,
            self.args_hash,
            error=error,
            request=canonical_json(request),
            agent=self.scope.agent,
            task=self.scope.task,
            rev=self._rev,
            **fields,
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
