"""A task's guardrails: each looks at the output in turn, and sends it back to the agent until it passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

from jackstay.core.results import TaskResult, Verdict
from jackstay.core.specs import GuardrailDef, TaskSpec
from jackstay.engine.decision import Decision
from jackstay.engine.judging import guardrail_question, judged
from jackstay.engine.scope import Scope
from jackstay.errors import GuardrailFailed, OutputError

AskAgain = Callable[[TaskResult, str], Awaitable[TaskResult]]
"""The agent's next output, told what was wrong with this one."""


async def pass_guardrails(scope: Scope, task: TaskSpec, result: TaskResult, ask_again: AskAgain) -> TaskResult:
    """The output that every guardrail has passed, as they leave it. An earlier one does not look again at what a later
    one has sent back (CrewAI's rule).

    Raises `GuardrailFailed` when one has rejected the answer and `guardrail_max_retries` further ones, `OutputError` for
    a replacement that does not fit the task's output, and what a guardrail raises.
    """
    for place, guardrail in enumerate(task.guardrails):
        asked_again = 0
        while True:
            last = asked_again >= task.guardrail_max_retries
            verdict, result = await _judge(scope, task, guardrail, place, result, last=last)
            if verdict.passed:
                break
            asked_again += 1
            result = await ask_again(result, verdict.error)
    return result


async def _judge(
    scope: Scope, task: TaskSpec, guardrail: GuardrailDef, place: int, result: TaskResult, *, last: bool
) -> tuple[Verdict, TaskResult]:
    decision = Decision(
        scope, f"guardrail:{guardrail.name}", "guardrail", guardrail.name, guardrail_question(guardrail, result)
    )
    known = decision.recorded()
    # A resumed run may have fewer retries than it had: then this one has given up, and is asked again as below.
    if known is not None and (known["passed"] or not last):
        verdict = Verdict(**known)
        return verdict, _applied(task, guardrail, verdict, result)
    if decision.gone_on_from is not None:  # the task was done again, or somebody else has done it
        raise decision.failed_before(decision.gone_on_from)
    decision.scope.check_goes_on()
    run, path = scope.run, decision.scope.path
    run.tell("guardrail_started", path, guardrail=guardrail.name, about=(decision.scope, None))
    with decision.recording_failure():
        if guardrail.judge is None:
            said = await decision.ask(guardrail.call, task.presented(result))
        else:
            said = await judged(decision.scope, guardrail.judge, task.agent, result)
        verdict = guardrail.read(said)
        if not verdict.passed:
            run.tell(
                "guardrail_rejected",
                path,
                guardrail=guardrail.name,
                error=verdict.error,
                about=(decision.scope, result),
            )
        if last and not verdict.passed:
            # A failure of the step, not a decision: `resume` asks this guardrail again, which may be mended by then.
            raise GuardrailFailed(_gave_up(task, guardrail, place, verdict.error))
        applied = _applied(task, guardrail, verdict, result)
    decision.record(asdict(verdict), flags=None if verdict.passed else "rejected")
    if verdict.passed:
        run.tell("guardrail_passed", path, guardrail=guardrail.name, about=(decision.scope, applied))
    return verdict, applied


def _applied(task: TaskSpec, guardrail: GuardrailDef, verdict: Verdict, result: TaskResult) -> TaskResult:
    """The output with what the guardrail has put in its place."""
    if not verdict.passed or verdict.raw is None:
        return result
    output, raw = task.output, verdict.raw
    try:
        if verdict.form is not None:
            # Rebuilt from its data, so that it is the same object whether it was just given or is read from the record.
            value = None if output is None or verdict.data is None else output.load(verdict.data)
            return replace(result, raw=raw, form=verdict.form, value=value, data=verdict.data)
        if output is None:
            return replace(result, raw=raw, form="raw", value=None, data=None)
        value = output.parse(raw)
    except ValueError as error:
        raise OutputError(
            f"guardrail '{guardrail.name}' of task '{task.name or task.key}' has put something in the answer's place "
            f"that does not fit {output.schema.name if output else 'its output'}: {error}; return what fits, or "
            "(True, output) to leave the answer as it is"
        ) from error
    return replace(result, raw=raw, form=output.form, value=value, data=output.dump(value))


def _gave_up(task: TaskSpec, guardrail: GuardrailDef, place: int, error: str) -> str:
    # CrewAI's words first: programs compare them.
    which = f" {place}" if len(task.guardrails) > 1 else ""
    return (
        f"Task failed guardrail{which} validation after {task.guardrail_max_retries} retries. Last error: {error} "
        f"(guardrail '{guardrail.name}' of task '{task.name or task.key}'); say in expected_output what it wants, or raise "
        "guardrail_max_retries"
    )
