"""A step that user code makes of a function of its own: `self.step(…)` in a flow's method. Its result is recorded; the function
is not called again by a resumed run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jackstay.core.canonical import digest
from jackstay.core.failures import Failure, rebuild
from jackstay.core.paths import slug
from jackstay.core.records import StepRow, StepStatus
from jackstay.core.values import NotStorable, UnknownClass, encode
from jackstay.engine.bridge import loop_is_running
from jackstay.engine.kickoff import belonging_to
from jackstay.engine.scope import Scope, current_scope
from jackstay.engine.task_failures import failed_with
from jackstay.engine.user_code import call_user
from jackstay.errors import DefinitionError, InputsError


def refuse_in_a_loop(name: str) -> None:
    """A blocked loop could not run the functions of its own run. Raises `DefinitionError`."""
    if loop_is_running():
        raise DefinitionError(
            f"step {name!r} would block the event loop; in an async def write await self.astep({name!r}, …)"
        )


async def run_step(
    name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], key: str | None
) -> Any:
    """The function's result, from the record or from a call of it. On disk when this returns.

    Its place is its name and arguments (or `key`), counted in the scope around it. Raises what the function raises,
    `InputsError` for arguments that cannot be told apart by value, `DefinitionError` outside a run.
    """
    scope = current_scope()
    if scope is None:
        raise DefinitionError(f"step {name!r} is outside a run; call it in a method of a flow that has been kicked off")
    question = _question(name, args, kwargs)
    with belonging_to(scope):
        return await _Step(
            scope, scope.hashed(slug(scope.run.secrets.in_name(name)), key or question), name, question
        ).perform(function, args, kwargs)


def _question(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    try:
        return digest([name, encode(list(args), "arguments"), encode(dict(kwargs), "arguments")])
    except (NotStorable, RecursionError) as error:
        raise InputsError(
            f"step {name!r}: {error}; pass plain values, or let the function take what it needs from where it is"
        ) from error


class _Step:
    def __init__(self, around: Scope, path: str, name: str, question: str) -> None:
        self.run, self.scope, self.name, self.question = around.run, around.child(path), name, question

    async def perform(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        run = self.run
        run.check(self.scope)
        row = run.find(self.scope.path, self.question)
        if row is not None:
            try:
                return self._recorded(row)
            except UnknownClass as error:
                run.tell("warning", row.path, text=f"{row.path} is executed again: {error}")
        began = run.began()

        def made(status: StepStatus, **fields: Any) -> StepRow:
            return run.step_row(began, self.scope.path, "step", self.name, status, self.question, **fields)

        try:
            result = await call_user(self.scope, function, *args, **kwargs)
            run.check(self.scope)
        except Exception as error:
            if error is not run.stop and not self.scope.is_late:
                await run.commit(made("failed", error=failed_with(error)))
            raise
        await run.commit(self._ended(made, result))
        return result

    def _recorded(self, row: StepRow) -> Any:
        codec = self.run.runtime.codec
        result = None if row.status == "failed" else codec.loads(row.result or "null")
        self.run.tell("reused", self.scope.path, kind="step", name=self.name)
        if row.status == "failed":
            raise rebuild(Failure.from_json(row.error or "{}"), codec.classes)
        return result

    def _ended(self, made: Callable[..., StepRow], result: Any) -> StepRow:
        try:
            return made("succeeded", result=self.run.runtime.codec.dumps(result))
        except NotStorable as error:
            text = f"{self.scope.path}: {error}; on resume the step is executed again"
            self.run.tell("warning", self.scope.path, text=text)
            return made("opaque", result="{}")
