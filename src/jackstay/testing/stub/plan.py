"""Which answer a request gets: faults by number, rules, random faults, the script, then the brain. No I/O.

Lives on the stub's loop; everything is changed there, so nothing here is locked.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from jackstay.models.sim_brain import respond
from jackstay.models.sim_draw import Draw
from jackstay.models.sim_options import read_options
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.log import StubRequest
from jackstay.testing.stub.reply import Reply, Rule, reply_of

AnswerFunction = Callable[[StubRequest], Any]
"""Gives a `str`, `Reply`, `ToolCall`(s), `dict`, `Fault`, None (the brain answers), or an awaitable of one. Runs on the
stub's loop: it must not block."""


@dataclass(slots=True)
class Chance:
    """A fault that strikes by chance, decided by seed and request number."""

    fault: Fault
    probability: float
    seed: int = 0

    def strikes(self, index: int) -> bool:
        return Draw(f"{self.seed}:{self.fault.label}:{index}").share() < self.probability


class Plan:
    """What to answer, as told so far."""

    def __init__(self, *, answer: AnswerFunction | None, seed: int, rounds: int) -> None:
        self.answer, self.seed, self.rounds = answer, seed, rounds
        self.by_index: dict[int, Fault] = {}
        self.rules: list[tuple[Rule, list[int]]] = []
        self.chances: list[Chance] = []
        self.queue: deque[Any] = deque()

    def clear(self) -> None:
        """Back to the brain (or answer function) alone."""
        self.by_index.clear()
        self.rules.clear()
        self.chances.clear()
        self.queue.clear()

    def add_rule(self, rule: Rule) -> None:
        self.rules.append((rule, [0]))

    def extend(self, answers: Iterable[Any]) -> None:
        self.queue.extend(answers)

    def decide(self, request: StubRequest) -> Any:
        """A `Reply`, or an awaitable that gives one."""
        fault = self.by_index.get(request.index) or self._by_chance(request)
        if fault is not None and not _keeps_answer(fault):
            return Reply(fault=fault)
        answer = self._told(request)
        if isawaitable(answer):
            return self._later(answer, request, fault)
        return self._whole(answer, request, fault)

    async def _later(self, answer: Any, request: StubRequest, fault: Fault | None) -> Reply:
        return self._whole(await answer, request, fault)

    def _whole(self, answer: Any, request: StubRequest, fault: Fault | None) -> Reply:
        reply = reply_of(answer)
        if reply is None:
            reply = self._brain(request)
        elif reply.fault is not None and reply.text == "" and not reply.tool_calls and _keeps_answer(reply.fault):
            # A bare "cut" or "stall" in a script: it needs an answer to break off.
            reply = self._with(self._brain(request), reply.fault)
        return reply if fault is None else self._with(reply, fault)

    @staticmethod
    def _with(reply: Reply, fault: Fault) -> Reply:
        return Reply(
            reply.text, reply.tool_calls, reply.usage, reply.finish_reason, reply.model, reply.latency_s,
            reply.thinking, fault,
        )  # fmt: skip

    def _by_chance(self, request: StubRequest) -> Fault | None:
        return next((chance.fault for chance in self.chances if chance.strikes(request.index)), None)

    def _told(self, request: StubRequest) -> Any:
        """The answer of the first rule that matches, else the script's next, else the answer function's."""
        for rule, used in self.rules:
            if (rule.times is None or used[0] < rule.times) and _matches(rule, request):
                used[0] += 1
                return rule.answer(request) if callable(rule.answer) else rule.answer
        if self.queue:
            answer = self.queue.popleft()
            return answer(request) if callable(answer) else answer
        return None if self.answer is None else self.answer(request)

    def _brain(self, request: StubRequest) -> Reply:
        seed, rounds, words = self._settings(request.model)
        answer = respond(
            request.messages,
            request.tools,
            request.output,
            seed=seed,
            rounds=rounds,
            words=words,
            tool_choice=request.tool_choice,
            max_tokens=request.max_tokens,
        )
        return Reply(answer.text, answer.tool_calls, finish_reason=answer.finish_reason)

    def _settings(self, model: str) -> tuple[int, int, int | None]:
        """Seed, rounds and words; a simulated model asked for over the wire brings its own (`demo?rounds=3`)."""
        if "?" not in model:
            return self.seed, self.rounds, None
        options = read_options(model)
        given = model.partition("?")[2]
        return (
            options.seed if "seed=" in given else self.seed,
            options.rounds if "rounds=" in given else self.rounds,
            options.words,
        )


def _keeps_answer(fault: Fault) -> bool:
    """Whether the fault happens while an answer is being given (and the script's next one is used up by it)."""
    return fault.kind in ("cut", "stall", "error_event", "drip", "no_choices")


def _matches(rule: Rule, request: StubRequest) -> bool:
    pairs = (
        (rule.user, request.last_user), (rule.system, request.system),
        (rule.model, request.model), (rule.path, request.path),
    )  # fmt: skip
    return all(pattern is None or re.search(pattern, text, re.I) is not None for pattern, text in pairs)
