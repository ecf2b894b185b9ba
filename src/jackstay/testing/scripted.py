"""A model that answers from a script, in the process: for tests that need no wire at all."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jackstay.core.messages import ToolCall
from jackstay.llm import BaseLLM
from jackstay.testing.stub.reply import Reply, reply_of

ScriptFunction = Callable[["ScriptedCall"], Any]


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """One request to a `ScriptedModel`."""

    index: int
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...]
    response_model: Any
    from_task: Any
    from_agent: Any

    @property
    def last_user(self) -> str:
        users = [message for message in self.messages if message.get("role") == "user"]
        return str(users[-1].get("content") or "") if users else ""

    @property
    def system(self) -> str:
        return "\n".join(str(one.get("content") or "") for one in self.messages if one.get("role") == "system")


class ScriptedModel(BaseLLM):
    """Answers calls in order: texts, tool calls (`tool_call(…)`), dicts (as JSON), exceptions (raised), or functions of
    the `ScriptedCall` that give one of these.

    It is a custom LLM: `Agent(llm=ScriptedModel(["…"]))`. After the last answer it raises
    `AssertionError`, unless `default` says what else to answer. `calls` is what it was asked. Thread-safe.
    """

    def __init__(self, answers: Iterable[Any] = (), *, default: Any = None, model: str = "scripted") -> None:
        super().__init__(model)
        self.calls: list[ScriptedCall] = []
        self._answers = deque(answers)
        self._default = default
        self._lock = threading.Lock()

    def add(self, *answers: Any) -> None:
        """Further answers at the end of the script."""
        with self._lock:
            self._answers.extend(answers)

    def call(
        self,
        messages: str | list[dict[str, Any]],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        """The next answer: a `str`, or tool calls as a list of dicts in OpenAI's form (executed here and answered
        with the first one's result if `available_functions` has it)."""
        listed = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        with self._lock:
            asked = ScriptedCall(
                len(self.calls), tuple(listed), tuple(tools or ()), response_model, from_task, from_agent
            )
            self.calls.append(asked)
            answer = self._answers.popleft() if self._answers else self._default
            if answer is None:
                raise AssertionError(f"the scripted model has no answer to call {asked.index}: {asked.last_user[:200]}")
        reply = _reply(answer, asked)
        if reply.tool_calls:
            return _executed(reply.tool_calls, available_functions)
        return reply.text

    async def acall(self, messages: str | list[dict[str, Any]], *args: Any, **kwargs: Any) -> Any:
        """As `call`."""
        return self.call(messages, *args, **kwargs)

    def supports_function_calling(self) -> bool:
        return True

    def supports_stop_words(self) -> bool:
        return False

    def get_context_window_size(self) -> int:
        return 128_000


def _reply(answer: Any, asked: ScriptedCall) -> Reply:
    if callable(answer) and not isinstance(answer, type):
        answer = answer(asked)
    if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException)):
        raise answer
    reply = reply_of(answer)
    if reply is None or reply.fault is not None:
        raise TypeError(f"a scripted model cannot answer with {answer!r}; for a failure give an exception")
    return reply


def _executed(calls: Sequence[ToolCall], functions: Mapping[str, Callable[..., Any]] | None) -> Any:
    if functions and calls[0].name in functions:
        return functions[calls[0].name](**json.loads(calls[0].arguments))
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls
    ]
