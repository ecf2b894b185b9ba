"""A flow's methods, started as `core.flow_graph` decides: first what the record has, then live."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jackstay.core.canonical import digest
from jackstay.core.failures import text_of
from jackstay.core.feedback import HumanFeedbackResult
from jackstay.core.flow_graph import Call, FlowProgress, MethodSpec
from jackstay.core.flow_state import StateRecord, address, joined
from jackstay.core.interception import InterceptionPoint
from jackstay.core.paths import parent_of
from jackstay.core.records import SAVED, StepRow, StepStatus
from jackstay.core.specs import FlowSpec
from jackstay.core.values import NotStorable, UnknownClass, check_classes
from jackstay.engine.feedback import RETURNED, feedback_on
from jackstay.engine.hooks import is_wanted
from jackstay.engine.persisting import Saver, failed, restore
from jackstay.engine.retrying import retried
from jackstay.engine.run import Began
from jackstay.engine.scope import Scope
from jackstay.engine.step_hooks import around_method
from jackstay.engine.task_failures import failed_with
from jackstay.engine.user_code import call_user
from jackstay.engine.waiting import halted
from jackstay.errors import InputsError, RunSuspended


async def run_flow(scope: Scope, flow: FlowSpec) -> Any:
    """The value of the method that completed last. A method's exception reaches the caller as it was raised, after the
    methods beside it were cancelled and awaited."""
    return await _FlowRun(scope, flow, await _restore_start(scope, flow)).perform()


async def _restore_start(scope: Scope, flow: FlowSpec) -> StateRecord:
    """The state at the kickoff is input: recorded before the first method runs, and put back on resume."""
    path = scope.numbered("@state")
    row = scope.run.find(path, digest("state"))
    if row is None:
        await restore(scope, flow)
    try:
        fields = flow.state.fields()
    except NotStorable as error:
        raise InputsError(f"the state of flow {flow.name} cannot be stored: {error}; nothing has been run") from error
    if row is not None:
        recorded = json.loads(row.result or "{}")
        flow.state.apply(recorded, [name for name in fields if name not in recorded])
        return StateRecord(recorded)
    saved_as = address(flow.state.id) if flow.saving is not None else None
    row = scope.run.step_row(
        scope.run.began(),
        path,
        "input",
        "state",
        "succeeded",
        digest("state"),
        request=saved_as,
        result=joined(fields),
    )
    scope.run.defer(row)
    return StateRecord.of_texts(fields)


class _FlowRun:
    def __init__(self, scope: Scope, flow: FlowSpec, record: StateRecord) -> None:
        self.scope, self.flow, self.run, self.record = scope, flow, scope.run, record
        self.texts: dict[str, str] | None = None
        """The state's fields after the last method, if none has begun since."""
        self.progress = FlowProgress(flow.graph)
        self.saver = Saver(flow)
        self.live: dict[asyncio.Task[None], Call] = {}
        """The calls at work, by the tasks that they run in."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing is at work any more, or with the error that ends the flow."""
        self.losers: set[asyncio.Task[None]] = set()
        """Of races that others have won: cancelled, and awaited before the flow ends."""
        self.last: Any = None
        self.returned: dict[tuple[str, int], Any] = {}
        """What methods have returned that a person has not been heard on yet."""
        self.waiting: dict[tuple[str, int], RunSuspended] = {}
        """Calls that have stopped to wait for a person, as long as the others go on."""

    async def perform(self) -> Any:
        try:
            if calls := self._feed_recorded():
                self.run.check(self.scope)
                for call in calls:
                    self._start(call)
                await self.over
        finally:
            await self._stop_the_rest()
        for (method, number), stop in self.waiting.items():
            if self.progress.is_running(Call(method, number)):  # nothing has won a race against it meanwhile
                raise halted(self.scope, stop)
        return self.last

    def _start(self, call: Call) -> None:
        self.live[asyncio.ensure_future(self._run(call))] = call

    async def _run(self, first: Call) -> None:
        """A call, then the first of those that it lets start, and so on: a task for each, and one that watches them all, would
        cost more than many methods do."""
        task, call = asyncio.current_task(), first
        assert task is not None
        try:
            while (following := self._after(task, call, await self._execute(call))) is not None:
                call = following
        except BaseException as error:  # noqa: BLE001 - it is the flow's, and is raised there
            if task in self.losers or self.over.done():
                return
            if not self._goes_on_without(task, call, error):
                self.over.set_exception(error)
                return
        if not self.live and not self.over.done():
            self.over.set_result(None)

    def _after(self, task: asyncio.Task[None], call: Call, result: Any) -> Call | None:
        """What the task goes on with now that its call has ended; the others that may start have done so."""
        if task in self.losers or self.over.done():
            return None
        del self.live[task]
        self._heard(call.method, result)
        calls = self.progress.complete(call.method, call.number, result)
        for other in self._losers() if self.progress.has_races else ():
            del self.live[other]
            other.cancel()
            self.losers.add(other)
        if not calls:
            return None
        self.run.check(self.scope)
        self.live[task] = calls[0]
        for each in calls[1:]:
            self._start(each)
        return calls[0]

    def _goes_on_without(self, task: asyncio.Task[None], call: Call, error: BaseException) -> bool:
        """Whether the flow does not end with this error: others still run its race, or it waits for a person."""
        if self.live.pop(task, None) is None:  # what went wrong came behind the call
            return False
        path = self.scope.at(call.method, call.number)
        if isinstance(error, RunSuspended) and self.run.stop is None:
            self.waiting[call.method, call.number] = error
            self.run.news("method_paused", path, (self.scope, call.method, error))
            return True
        if not isinstance(error, Exception) or self.run.stopped(self.scope) is not None:
            return False
        if not self.progress.fail(call.method, call.number):
            return False
        text = f"{call.method} failed ({type(error).__name__}: {text_of(error)}); what it raced with goes on"
        self.run.tell("warning", path, text=text)
        return True

    def _losers(self) -> list[asyncio.Task[None]]:
        return [task for task, call in self.live.items() if not self.progress.is_running(call)]

    def _feed_recorded(self) -> list[Call]:
        """Completions that the journal has, in their order, as if they had just happened. The calls left to make."""
        start, unfit = self.record.data, set[str]()
        while True:
            calls, changed, reused = self._fed(unfit)
            known = self.record.data
            try:
                for name in changed:
                    self.flow.state.apply({name: known[name]} if name in known else {}, [] if name in known else [name])
            except (UnknownClass, ValueError) as error:
                # The program has changed, and a field that large edits have made does not pass its validation any more.
                text = f"state field {name}: {error}; methods that changed it are executed again"
                self.run.tell("warning", self.scope.path, text=text)
                unfit.add(name)
                self.progress, self.record, self.last = FlowProgress(self.flow.graph), StateRecord(start), None
                self.returned.clear()
                self.flow.talk.history.clear()
                self.flow.returned.clear()
                self.flow.state.apply(start, [other for other in changed if other not in start])
                continue
            for path, method in reused:
                self.run.tell("reused", path, kind="method", method=method)
            return calls

    def _fed(self, unfit: set[str]) -> tuple[list[Call], dict[str, None], list[tuple[str, str]]]:
        """The calls left to make, the state's fields that have changed, the rows that answer."""
        waiting = {(call.method, call.number): call for call in self.progress.begin()}
        changed: dict[str, None] = {}
        reused = []
        for row in self._recorded_rows():
            at = parent_of(row.path) if row.kind == "returned" else row.path
            name, _, number = at.rpartition("/")[2].rpartition("#")
            call = waiting.get((name, int(number)))
            if call is None or self.run.find(row.path, _question(call)) is None or row.status != "succeeded":
                continue
            try:
                body = json.loads(row.result or "{}")
                value = self._decoded(body, unfit)
                changed |= dict.fromkeys(self.record.take(body))
            except (UnknownClass, ValueError) as error:
                # The program has changed: a class is gone, or what was stored does not pass its validation any more.
                self.run.tell("warning", row.path, text=f"{row.path} is executed again: {error}")
                continue
            if not self.progress.is_running(call):
                continue  # it has lost a race, after it had changed the state
            if row.kind == "returned":
                self.returned[name, int(number)] = value
                continue
            if self.flow.graph.methods[name].feedback is not None and (name, int(number)) not in self.returned:
                continue  # what it did to the state cannot be read
            reused.append((row.path, name))
            del waiting[(name, int(number))]
            self._heard(name, value)
            waiting |= {(c.method, c.number): c for c in self.progress.complete(name, int(number), value)}
        return [call for call in waiting.values() if self.progress.is_running(call)], changed, reused

    def _decoded(self, body: dict[str, Any], unfit: set[str]) -> Any:
        """The method's value. Raises `UnknownClass` or `ValueError` if this program cannot read what it has left."""
        codec = self.run.runtime.codec
        for name in unfit & {*body["state"], *body.get("edits", ())}:
            raise ValueError(f"it changed {name}")
        codec.decode(body["state"])
        check_classes(body.get("edits", {}), codec.classes, "the state")
        return codec.decode(body["value"])

    def _recorded_rows(self) -> list[StepRow]:
        """What methods have returned, and their completions, in the order recorded."""
        recorded, path = self.run.recorded, self.scope.path
        rows = recorded.under(path, "method")
        if any(method.feedback is not None for method in self.flow.graph.methods.values()):
            rows = sorted([*rows, *recorded.under(path, "returned", depth=2)], key=lambda row: row.seq)
        return rows

    def _heard(self, method: str, value: Any) -> None:
        """A method has completed with this value."""
        self.last = self.flow.returned[method] = value
        if isinstance(value, HumanFeedbackResult) and (spec := self.flow.graph.methods[method].feedback):
            self.flow.talk.history.append(value)
            # Of a method with labels the flow's result is what it has returned, as CrewAI has it.
            self.last = value.output if spec.emit else value

    async def _execute(self, call: Call) -> Any:
        path, method = self.scope.at(call.method, call.number), self.flow.graph.methods[call.method]
        began = self.run.began()
        if (call.method, call.number) in self.returned:
            return await self._with_feedback(
                self._method_scope(path), call, began, self.returned[call.method, call.number]
            )
        about = (self.scope, self.flow.state, call.argument)
        self.run.tell("method_started", path, method=call.method, about=about)
        alone = len(self.live) == 1
        before, self.texts = (self.texts if alone else None) or self._fields(), None
        scope = self._method_scope(path)

        async def attempt() -> Any:
            if is_wanted(scope, InterceptionPoint.PRE_STEP):
                await around_method(scope, InterceptionPoint.PRE_STEP, call.method, call.argument)
            result = await _call(scope, method, call)
            if is_wanted(scope, InterceptionPoint.POST_STEP):
                await around_method(scope, InterceptionPoint.POST_STEP, call.method, result)
            # A method that swallowed a stop and returned is not recorded: the run has stopped, or its time is over.
            self.run.check(scope)
            await self.saver.save(scope, call.method)
            return result

        async def prepare() -> None:
            nonlocal scope
            scope = self._method_scope(path)
            # It begins with the state that it found, and reads what it has recorded, as in a run that is resumed.
            self._put_back(before, self._changed_in(scope, before, self._fields(), alone=alone and len(self.live) == 1))
            await self.run.recall(path)

        try:
            result = await retried(scope, method.retry, attempt, prepare=prepare)
            status, text = self._outcome(scope, call, result, before, alone=alone and len(self.live) == 1)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            await self._failed(scope, call, began, error)
            raise
        flags = SAVED if self.saver.saves_to_journal(call.method) else None
        if method.feedback is None:
            row = self._row(scope, call, status, began, result=text, flags=flags)
            return await self._ended(scope, call, began, result, row)
        row = self.run.step_row(
            began, f"{path}/{RETURNED}", "returned", call.method, status, _question(call), result=text, flags=flags
        )
        await self.run.commit(row)
        return await self._with_feedback(scope, call, began, result)

    def _method_scope(self, path: str) -> Scope:
        scope = self.scope.child(path)
        scope.touched, scope.branch = set(), path
        return scope

    async def _with_feedback(self, scope: Scope, call: Call, began: Began, output: Any) -> Any:
        """A person's word on what the method has returned. Its state is recorded with that already."""
        try:
            result = await feedback_on(scope, self.flow, self.flow.graph.methods[call.method], output)
            status, text = self._outcome(scope, call, result, self._fields(), alone=False)
        except Exception as error:
            await self._failed(scope, call, began, error)
            raise
        return await self._ended(scope, call, began, result, self._row(scope, call, status, began, result=text))

    async def _ended(self, scope: Scope, call: Call, began: Began, result: Any, row: StepRow) -> Any:
        await self.run.commit(row, alone=len(self.live) == 1)
        duration_s = self.run.runtime.clock.monotonic() - began.monotonic_s
        about = (scope, self.flow.state, result)
        self.run.tell("method_finished", scope.path, method=call.method, duration_s=duration_s, about=about)
        return result

    async def _failed(self, scope: Scope, call: Call, began: Began, error: Exception) -> None:
        note = f"raised in method {call.method} ({scope.path}) of flow {self.run.secrets.in_name(self.flow.name)}"
        BaseException.add_note(error, note)  # (a user's class may have one of its own)
        self.run.tell("method_failed", scope.path, method=call.method, error=text_of(error), about=(scope, error))
        if error is not self.run.stop:
            await self.run.commit(self._row(scope, call, "failed", began, error=failed_with(error)))

    def _fields(self) -> dict[str, str]:
        try:
            return self.flow.state.fields()
        except NotStorable:
            return {}  # the method that put it there has said so, and nothing after it is recorded either

    def _outcome(
        self, scope: Scope, call: Call, result: Any, before: dict[str, str], *, alone: bool
    ) -> tuple[StepStatus, str]:
        """The method's value and the top-level state fields that it used and changed.

        Not a whole snapshot: with another method half-way that one's unfinished writes would be recorded as done, and
        made a second time when it runs again.
        """
        try:
            after = self.flow.state.fields()
        except NotStorable as error:
            if self.saver.saves_to_journal(call.method):
                raise failed(error) from error
            return self._opaque(scope, error, {})
        self.texts = after if alone else None
        mine = self._changed_in(scope, before, after, alone=alone)
        try:
            value = self.run.runtime.codec.kept(result, f"the result of {call.method}")
        except NotStorable as error:
            return self._opaque(scope, error, self.record.untold(mine, after))
        return "succeeded", joined({**self.record.change(mine, after, alone=alone), "value": value})

    def _opaque(self, scope: Scope, error: NotStorable, parts: dict[str, str]) -> tuple[StepStatus, str]:
        """Nothing goes on from there; the state that it left can be told all the same."""
        self.run.tell("warning", scope.path, text=f"{scope.path}: {error}; on resume the method is executed again")
        return "opaque", joined(parts)

    def _changed_in(self, scope: Scope, before: dict[str, str], after: dict[str, str], *, alone: bool) -> list[str]:
        """The top-level fields that the method has used and changed."""
        names = {**before, **after} if alone else sorted(self.flow.state.touched_by(scope.touched))
        return [name for name in names if before.get(name) != after.get(name)]

    def _put_back(self, before: dict[str, str], names: list[str]) -> None:
        known = {name: json.loads(before[name]) for name in names if name in before}
        self.flow.state.apply(known, [name for name in names if name not in before])

    async def _stop_the_rest(self) -> None:
        rest = {*self.live, *self.losers}
        for task in self.live:
            task.cancel()
        if rest:
            await asyncio.wait(rest)
        if self.over.done() and not self.over.cancelled():
            self.over.exception()  # looked at, though the flow may have been cancelled meanwhile

    def _row(self, scope: Scope, call: Call, status: StepStatus, began: Began, **fields: Any) -> StepRow:
        return self.run.step_row(began, scope.path, "method", call.method, status, _question(call), **fields)


async def _call(scope: Scope, method: MethodSpec, call: Call) -> Any:
    if method.takes_argument:
        return await call_user(scope, method.call, call.argument)
    return await call_user(scope, method.call)


def _question(call: Call) -> str:
    """The argument is a recorded completion or comes from one; which call it is is enough."""
    return digest([call.method, call.number])
