"""`Task(human_input=True)`: a person looks at the agent's answer, which goes back to it until there is nothing to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jackstay.core import prompts
from jackstay.core.specs import TaskSpec
from jackstay.core.waits import Answer, Asked
from jackstay.engine.agent_loop import AgentResult
from jackstay.engine.people import asked_at_console, console_is_there
from jackstay.engine.scope import Scope
from jackstay.engine.waiting import answered

MESSAGE = "Is this answer all right? Say what is to be different."

AskAgain = Callable[[AgentResult, str], Awaitable[AgentResult]]
"""The agent's next answer, told what somebody says of this one."""


async def reviewed(scope: Scope, task: TaskSpec, answer: AgentResult, ask_again: AskAgain) -> AgentResult:
    """The answer that a person has nothing to say to. `scope`: the task's. Suspends the run if nobody is there."""
    while task.human_input:
        said = await _asked(scope, task, answer.text)
        if not said:
            break
        answer = await ask_again(answer, prompts.review_text(said))
    return answer


async def _asked(scope: Scope, task: TaskSpec, text: str) -> str:
    inner = scope.child(scope.numbered("@review"))
    asked = Asked("review", MESSAGE, text, about={"task": task.name or task.key, "agent": scope.agent})

    async def here() -> Answer | None:
        return await asked_at_console(inner, asked)

    is_there = console_is_there(inner)
    said = await answered(inner, asked, here if is_there else None, again=True)
    return (said.text or "").strip()
