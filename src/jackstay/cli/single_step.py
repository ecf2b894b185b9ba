"""`show --step PATH`: one step, whole: what was asked, what came back, every attempt, what went wrong and where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.text import Text

from jackstay.cli.listing import when
from jackstay.cli.outcome import UsageError
from jackstay.cli.shown import Shown
from jackstay.cli.talk import Said, shown_message
from jackstay.cli.terminal import stdout
from jackstay.cli.tree import Node, flat
from jackstay.core.failures import Failure
from jackstay.core.messages import Answer, Message
from jackstay.core.records import StepRow
from jackstay.core.usage import from_pico
from jackstay.errors import NotFoundError
from jackstay.journal import Journal
from jackstay.observe.causes import plain, said
from jackstay.observe.causes import shown as in_words
from jackstay.observe.figures import cost, plural, seconds, tokens


def print_step(journal: Journal, shown: Shown, wanted: str, *, as_json: bool) -> None:
    """Each revision of it, the newest last. Raises `UsageError` if no step, or more than one, is meant."""
    node = _node(shown, wanted)
    if as_json:
        print(json.dumps([step_json(row, _messages(journal, row)) for row in node.rows], indent=2, default=str))
        return
    console = stdout()
    for row in node.rows:
        for line in _lines(row, _messages(journal, row)):
            console.print(line, soft_wrap=True)


def _node(shown: Shown, wanted: str) -> Node:
    """By its path, the path without hashes, or an end of either."""
    nodes = [node for node in flat(shown.root) if node.rows]
    exact = [node for node in nodes if wanted in (node.path, plain(node.path))]
    found = exact or [node for node in nodes if node.path.endswith(f"/{wanted}")]
    found = found or [node for node in nodes if plain(node.path).endswith(f"/{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "\n".join(f"  {node.path}" for node in found)
        raise UsageError(f"--step {wanted}: several steps end so; give more of the path:\n{listed}")
    known = "\n".join(f"  {node.path}" for node in nodes[:50])
    raise UsageError(f"--step {wanted}: run {shown.row.id} has no such step; it has:\n{known or '  none'}")


def _messages(journal: Journal, row: StepRow) -> list[Message] | None:
    """None: they are not kept any more."""
    try:
        return journal.messages(row.request_ref) if row.request_ref else []
    except NotFoundError:
        return None


def step_json(row: StepRow, messages: list[Message] | None) -> dict[str, Any]:
    """The row, its JSON columns as JSON, its messages."""
    body = {name: value for name, value in asdict(row).items() if name not in ("run_id", "cost_pico", "format")}
    for name in ("request", "result", "error", "tried"):
        body[name] = json.loads(body[name]) if body[name] else None
    usd = from_pico(row.cost_pico)
    listed = None if messages is None else [message.to_json() for message in messages]
    return body | {"cost_usd": None if usd is None else float(usd), "messages": listed}


def _lines(row: StepRow, messages: list[Message] | None) -> Iterator[Text]:
    yield Text(f"{row.path}" + (f" · revision {row.rev}" if row.rev > 1 else ""), style="bold")
    parts = [in_words(row), row.status, when(row.started_at), seconds(row.duration_us / 1e6)]
    if row.kind == "llm":
        parts += [f"{tokens(row.input_tokens)} + {tokens(row.output_tokens)} tokens", cost(from_pico(row.cost_pico))]
    if row.attempts > 1:
        parts.append(plural(row.attempts, "attempt"))
    yield Text("  " + " · ".join(parts))
    for each in json.loads(row.tried or "[]"):
        yield Text(f"  tried {each['model']}: {each['code']} · {each['why']}", style="yellow")
    if messages is None:
        yield Text("  its messages are not in the journal any more", style="yellow")
    for message in messages or ():
        yield from _block(shown_message(message))
    yield from _came_of(row)
    yield Text("")


def _came_of(row: StepRow) -> Iterator[Text]:
    if row.kind == "llm":
        if row.result:
            yield from _block(shown_message(Answer.from_json(json.loads(row.result)).message()))
    else:
        for name, text in (("request", row.request), ("result", row.result)):
            if text:
                yield from _block(Said(name, _pretty(text)))
    if row.error:
        failure = Failure.from_json(row.error)
        yield from _block(Said("error", failure.traceback.strip() or said(failure)))


def _block(each: Said) -> Iterator[Text]:
    yield Text(f"  {each.role}", style="cyan")
    for line in each.text.splitlines():
        yield Text(f"    {line}")


def _pretty(text: str) -> str:
    value = json.loads(text)
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
