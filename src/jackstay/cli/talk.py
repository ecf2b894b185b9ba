"""`show --messages`: what the models were told and what they said, each thing once.

A call's messages are those of the call before it in the same scope, and more: only what is new is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from jackstay.cli.labels import name_of
from jackstay.cli.shown import Shown
from jackstay.cli.terminal import stdout
from jackstay.cli.tree import flat
from jackstay.core.failures import Failure
from jackstay.core.messages import Answer, Message
from jackstay.core.paths import parent_of
from jackstay.core.records import StepRow
from jackstay.errors import NotFoundError
from jackstay.journal import Journal
from jackstay.observe.causes import plain, said

_STYLES = {"system": "dim", "user": "cyan", "assistant": "green", "tool": "magenta"}


@dataclass(frozen=True, slots=True)
class Said:
    """One message as it is shown."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One model call. `new`: what it was told beyond the call before; `kept`: False where its messages are gone."""

    row: StepRow
    new: tuple[Said, ...]
    answer: Said | None
    kept: bool = True


def talk_of(journal: Journal, shown: Shown) -> list[Call]:
    """All model calls of the run, in the order in which they began."""
    rows = sorted(
        (row for node in flat(shown.root) for row in node.rows if row.kind == "llm"), key=lambda row: row.started_at
    )
    told: dict[str, list[Message]] = {}
    return [_call(journal, row, told) for row in rows]


def _call(journal: Journal, row: StepRow, told: dict[str, list[Message]]) -> Call:
    try:
        messages = journal.messages(row.request_ref) if row.request_ref else []
    except NotFoundError:
        return Call(row, (), _answer(row), kept=False)
    scope = parent_of(row.path)
    before = told.get(scope, [])
    goes_on = [one.question() for one in messages[: len(before)]] == [one.question() for one in before]
    new = messages[len(before) :] if goes_on else messages
    answer = _answer(row)
    told[scope] = list(messages)
    if answer is not None and row.result:
        told[scope].append(Answer.from_json(json.loads(row.result)).message())
    return Call(row, tuple(shown_message(message) for message in new), answer)


def _answer(row: StepRow) -> Said | None:
    return shown_message(Answer.from_json(json.loads(row.result)).message()) if row.result else None


def shown_message(message: Message) -> Said:
    """Text and tool calls; of a tool's result, whose it is."""
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    role = f"tool {message.name}" if message.role == "tool" and message.name else message.role
    return Said(role, "\n".join([message.content, *calls] if message.content else calls))


def failure_of_call(row: StepRow) -> str:
    return said(Failure.from_json(row.error)) if row.error else ""


def title_of(row: StepRow) -> str:
    """`Analyst: research · gpt-4o-mini · research#1/llm#1`."""
    whose = f"{row.agent}: {row.task} · " if row.agent and row.task else f"{row.agent} · " if row.agent else ""
    return f"{whose}{name_of(row)} · {plain(row.path)}" + (f" (asked {row.rev} times)" if row.rev > 1 else "")


def print_talk(calls: list[Call]) -> None:
    console = stdout()
    for line in _lines(calls):
        console.print(line, soft_wrap=True)


def _lines(calls: list[Call]) -> Iterator[Text]:
    for call in calls:
        yield Text(title_of(call.row), style="bold")
        if not call.kept:
            yield Text("  its messages are not in the journal any more", style="yellow")
        for each in call.new:
            yield _said(each)
        if call.answer is not None:
            yield _said(call.answer)
        if call.row.error:
            yield Text(f"  ✗ {failure_of_call(call.row)}", style="red")
        yield Text("")


def _said(each: Said) -> Text:
    first, *rest = each.text.splitlines() or [""]
    role = f"  {each.role:<10} "
    style = _STYLES.get(each.role.partition(" ")[0], "")
    return Text.assemble((role, style), "\n".join([first, *(" " * len(role) + line for line in rest)]))
