"""A run waits for a person: asked where it runs, if somebody is there; else it is suspended, and the answer, whenever it
comes, is found by the process that goes on with it. (What became of a tool's call, and a budget, are waits too.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from jackstay.core.records import Wait
from jackstay.core.waits import Answer, Asked, how_to_answer, is_of
from jackstay.engine.scope import Scope
from jackstay.engine.waits import settled
from jackstay.errors import RunSuspended

Here = Callable[[], Awaitable[Answer | None]]
"""Asks the person where the run is driven; None: the question was passed on, and is answered some other time."""


async def answered(scope: Scope, asked: Asked, here: Here | None, *, again: bool = False) -> Answer:
    """The person's answer: from the record, from what was answered while nobody drove the run, or from `here`.

    Without one the run, or the flow's method around, is suspended. The step's path is the scope's. `again`: `here` is
    asked although it, or another process's, has asked before.
    """
    run, path = scope.run, scope.path
    run.check(scope)
    row = run.find(path, asked.question)
    if row is not None:
        run.tell("reused", path, kind="wait", name=asked.kind)
        return Answer.from_json(row.result or "{}")
    began, journal = run.began(), run.runtime.journal
    wait = run.waits.at(path, run.recorded)
    if wait is not None and not is_of(wait, asked):
        run.tell("warning", path, text=f"{path}: the question changed since it was asked; it is asked anew")
        wait = None
    answer = await run.runtime.off_loop(settled, journal, wait, run.secrets) if wait is not None else None
    if answer is None and (wait is None or again):
        run.tell("wait_asked", path, kind=asked.kind, text=asked.message, about=(scope, asked))
    if answer is None and here is not None and (wait is None or again):
        answer = await here()
        run.check(scope)
        if answer is not None and wait is not None:
            answer = await _agreed(scope, wait, answer)
    if answer is None:
        raise suspend(scope, wait or _new(scope, asked), is_new=wait is None)
    answer = replace(answer, at=answer.at or run.now())
    step = run.step_row(
        began, path, "wait", asked.kind, "succeeded", asked.question,
        result=answer.to_json(), agent=scope.agent, task=scope.task,
    )  # fmt: skip
    await run.commit(step)
    run.tell("wait_answered", path, kind=asked.kind, about=(scope, asked, answer))
    return answer


async def _agreed(scope: Scope, wait: Wait, answer: Answer) -> Answer:
    """The one answer: this one, or that of somebody who was faster."""
    journal, secrets = scope.run.runtime.journal, scope.run.secrets
    if await journal.answer_wait(wait, secrets.stored(answer.to_json()), by=answer.by or "the console"):
        return answer
    first = await scope.run.runtime.off_loop(settled, journal, wait, secrets)
    assert first is not None
    text = f"{scope.path}: {first.by} has answered meanwhile; the run goes on with that"
    scope.run.tell("warning", scope.path, text=text)
    return first


def _new(scope: Scope, asked: Asked) -> Wait:
    run = scope.run
    return asked.wait(run.id, scope.path, run.next_wait(), at=run.now(), project_id=run.row.project_id)


def suspend(scope: Scope, wait: Wait, *, is_new: bool = True) -> BaseException:
    """What to raise so that the run waits. In a flow's method only that method stops here: those beside it go on to their
    end, and the flow waits when nothing else is left to do."""
    run = scope.run
    if run.stop is not None:
        return run.stop
    run.waits.open(wait, is_new=is_new)
    return halted(scope, RunSuspended(how_to_answer(wait)))


def halted(scope: Scope, stop: RunSuspended) -> BaseException:
    """The stop, from now on of everything in the branch around the scope."""
    run = scope.run
    if scope.branch:
        run.paused.setdefault(scope.branch, stop)
        return stop
    run.stop = run.stop or stop
    return run.stop
