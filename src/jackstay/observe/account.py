"""The account of `verbose=True`: what a crew does, in words, as it happens. Knows events, not where the words go.

Every line begins with whose it is, so that crews that run at once stay apart; nothing moves a cursor, so that any terminal,
file or pipe can have it.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jackstay.core.delegation import ASK, DELEGATE
from jackstay.core.events import Event
from jackstay.core.ids import SHORT
from jackstay.core.paths import parent_of
from jackstay.observe.figures import cost, plural, seconds, tokens

MOST_CHARACTERS = 600
"""Of one text; the journal has it whole."""
NARROWEST, INDENT = 24, "    "
_RUN_ENDS = ("run_finished", "run_failed", "run_cancelled", "run_waiting")
_SCOPE_ENDS = ("crew_finished", "kickoff_failed")


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the account: `mark` says what kind of thing it tells."""

    tag: str
    mark: str
    text: str
    depth: int = 0
    style: str = ""


class Account:
    """What is said of the kickoffs, and of the tasks of agents, that are to be verbose."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}
        """By run and path: of what is there, and of all below it, is told."""

    def begin(self, event: Event, *, kind: str, name: str) -> list[Said]:
        """A verbose kickoff has begun."""
        told = self._tell(event, name)
        if kind == "agent":
            told.at_work(event.path, name)
        return [told.line("▶", f"{kind} '{name}' · run {event.run_id[:SHORT]}", style="bold")]

    def begin_task(self, event: Event, *, of: str) -> list[Said]:
        """A verbose agent has begun a task in a crew (`of`) that is not."""
        if self._around(event) is None:
            self._tell(event, of)
        return self.of(event)

    def of(self, event: Event) -> list[Said]:
        """What is said of it: nothing where nobody wants to hear of it."""
        told = self._around(event)
        said = told.said(event) if told is not None else []
        if event.name in _RUN_ENDS:
            for key in [key for key in self._told if key[0] == event.run_id]:
                del self._told[key]
        elif event.name in _SCOPE_ENDS and event.path:
            self._told.pop((event.run_id, event.path), None)
        return said

    def _tell(self, event: Event, name: str) -> _Told:
        told = self._told[event.run_id, event.path] = _Told(self._tag(name))
        return told

    def _around(self, event: Event) -> _Told | None:
        path = event.path
        while True:
            told = self._told.get((event.run_id, path))
            if told is not None or not path:
                return told
            path = parent_of(path)

    def _tag(self, name: str) -> str:
        """The name on one line; with a number while others of that name are at work."""
        name = " ".join(name.split())
        used, tag, number = {told.tag for told in self._told.values()}, name, 1
        while tag in used:
            number += 1
            tag = f"{name} {number}"
        return tag


class _Told:
    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._who: dict[str, str] = {}
        """Agents at work, by path."""

    def at_work(self, path: str, agent: str) -> None:
        self._who[path] = agent

    def line(self, mark: str, text: str, depth: int = 0, style: str = "") -> Said:
        return Said(self.tag, mark, text, depth, style)

    def said(self, event: Event) -> list[Said]:
        what = event.name.partition("_")[0]
        match what:
            case "task":
                return self._of_task(event)
            case "tool":
                return self._of_tool(event)
            case "run" | "crew" | "kickoff":
                return self._of_kickoff(event)
            case _:
                return self._of_call(event)

    def _of_task(self, event: Event) -> list[Said]:
        data = event.data
        match event.name:
            case "task_started":
                self._who[event.path] = data["agent"]
                return [self.line("●", f"{data['agent']} does task {data['task']}", style="bold cyan")]
            case "task_finished":
                figures = f"{tokens(data['tokens'])} tokens · {cost(data['cost_usd'])} · {seconds(data['duration_s'])}"
                completed = f"{data['agent']} completed task {data['task']} · {figures}"
                return [self.line("✓", completed, style="green"), self.line("", _first_line(data["summary"]), 1)]
            case "task_failed":
                failed = f"{data['agent']} failed at task {data['task']}: {_brief(data['error'])}"
                return [self.line("✗", failed, style="red")]
            case "task_skipped":
                why = f": {_brief(data['error'])}" if data.get("error") else ", its condition does not hold"
                return [self.line("–", f"task {data['task']} is skipped{why}", style="dim")]
            case _:
                return []

    def _of_tool(self, event: Event) -> list[Said]:
        data, depth = event.data, self._depth(event.path)
        match event.name:
            case "tool_started":
                return [self._tool_begins(event, depth)]
            case "tool_finished":
                return [self._tool_ends(event, depth)]
            case "tool_failed":
                self._who.pop(event.path, None)
                return [self.line("✗", f"{data['tool']} failed: {_brief(data['error'])}", depth, "red")]
            case _:
                return []

    def _of_call(self, event: Event) -> list[Said]:
        data, depth = event.data, self._depth(event.path)
        match event.name:
            case "model_call_finished":
                figures = f"{tokens(data['tokens'])} tokens · {cost(data['cost_usd'])} · {seconds(data['duration_s'])}"
                return [self.line("·", f"{data['model']} answered · {figures}", depth, "dim")]
            case "retry":
                wait = f"again in {seconds(data['wait_s'])}"
                return [self.line("↻", f"{data['model']}: {_brief(data['error'])}; {wait}", depth, "yellow")]
            case "fallback":
                return [self.line("↻", f"{data['model']} is asked instead: {_brief(data['reason'])}", depth, "yellow")]
            case "guardrail_rejected":
                rejected = f"{data['guardrail']} rejected the answer: {_brief(data['error'])}"
                return [self.line("↻", rejected, depth, "yellow")]
            case "reused" if data.get("kind") in ("task", "crew", "agent"):
                return [self.line("↺", f"{data.get('task') or data.get('name')}: from the journal", depth, "dim")]
            case "warning":
                return [self.line("!", _brief(data["text"]), depth, "yellow")]
            case _:
                return []

    def _of_kickoff(self, event: Event) -> list[Said]:
        data = event.data
        match event.name:
            case "kickoff_finished" if data.get("answer") is not None:
                return [self.line("✓", f"{data['name']} answered: {_first_line(data['answer'])}", style="green")]
            case "kickoff_failed" if event.path:
                failed = f"{data['kind']} '{data['name']}' failed: {_brief(data['error'])}"
                return [self.line("■", failed, style="bold red")]
            case "crew_finished":
                return [self.line("■", f"crew '{data['name']}' completed", style="bold")]
            case "run_finished" | "run_failed" | "run_cancelled" | "run_waiting":
                return [self._run_ends(event)]
            case _:
                return []

    def _tool_begins(self, event: Event, depth: int) -> Said:
        tool, given = event.data["tool"], _arguments(event.data.get("arguments", ""))
        who = self._working_at(event.path)
        if tool in (DELEGATE, ASK) and "coworker" in given:
            self._who[event.path] = str(given["coworker"])
            what = given.get("task") or given.get("question") or ""
            verb = "delegates to" if tool == DELEGATE else "asks"
            return self.line("⇒", f"{who} {verb} {given['coworker']}: {_brief(str(what))}", depth, "magenta")
        listed = ", ".join(
            f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in given.items()
        )
        return self.line("→", f"{who} uses {tool}({_brief(listed)})", depth, "blue")

    def _tool_ends(self, event: Event, depth: int) -> Said:
        tool, result = event.data["tool"], _brief(str(event.data.get("result", "")))
        coworker = self._who.pop(event.path, None)
        if coworker is not None:
            return self.line("⇐", f"{coworker} answers {self._working_at(event.path)}: {result}", depth, "magenta")
        return self.line("←", f"{tool} gives {self._working_at(event.path)}: {result}", depth, "blue")

    def _run_ends(self, event: Event) -> Said:
        data = event.data
        used = f"{plural(data['requests'], 'call')} · {tokens(data['tokens'])} tokens · {cost(data['cost_usd'])}"
        how = {"run_finished": "completed", "run_failed": "failed", "run_cancelled": "was cancelled"}
        error = f": {_brief(data['error'])}" if data.get("error") else ""
        text = f"{data['kind']} '{data['name']}' {how.get(event.name, 'waits')}{error} · {used}"
        return self.line("■", text, style="bold" if event.name == "run_finished" else "bold red")

    def _depth(self, path: str) -> int:
        """One step inwards for what a task does, one more for each agent that works for another."""
        depth, place = 0, parent_of(path) if path else ""
        while place:
            depth += place in self._who
            place = parent_of(place)
        return depth

    def _working_at(self, path: str) -> str:
        while path:
            path = parent_of(path)
            if path in self._who:
                return self._who[path]
        return "the agent"


def rendered(said: Said, width: int | None) -> str:
    """As text, wrapped to the width with what follows indented under it; without a width as one line for each of its own."""
    head = f"{said.tag} │ " + INDENT * said.depth + (f"{said.mark} " if said.mark else "")
    lines = said.text.splitlines() or [""]
    rest = f"{said.tag} │ " + INDENT * said.depth + ("  " if said.mark else "")
    if width is None:
        return "\n".join((head if number == 0 else rest) + line for number, line in enumerate(lines))
    room = max(width - 1, NARROWEST, len(rest) + 12)
    wrapped = [
        textwrap.fill(
            line, room, initial_indent=head if number == 0 else rest, subsequent_indent=rest, break_on_hyphens=False
        )
        or (head if number == 0 else rest)
        for number, line in enumerate(lines)
    ]
    return "\n".join(wrapped)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "(empty)")


def _brief(text: str) -> str:
    text = text.strip()
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS].rstrip()}… (+{len(text) - MOST_CHARACTERS:,} characters)"


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        given = json.loads(text) if text.strip() else {}
    except ValueError:
        return {"": text}
    return given if isinstance(given, dict) else {"": given}
