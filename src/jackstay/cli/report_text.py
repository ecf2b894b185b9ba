"""`show --markdown`: a run for a ticket or a pull request: why, the steps, what was said. Masked like the HTML file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from jackstay.cli.labels import label_of
from jackstay.cli.listing import when
from jackstay.cli.masked import mask_of
from jackstay.cli.shown import Shown
from jackstay.cli.talk import Call, Said, failure_of_call, title_of
from jackstay.cli.tree import Node
from jackstay.observe.causes import Evidence, said
from jackstay.observe.figures import UNKNOWN, cost, plural, seconds, tokens
from jackstay.observe.why import explain

_MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")
_TICKS = re.compile(r"`{3,}")


def markdown(shown: Shown, calls: Sequence[Call], evidence: Evidence) -> str:
    """The document. What is in the run's own words stands in code blocks, or escaped."""
    return mask_of(os.environ)("\n".join(_lines(shown, calls, evidence)))


def _lines(shown: Shown, calls: Sequence[Call], evidence: Evidence) -> Iterator[str]:
    row, run, why = shown.row, shown.run, explain(evidence)
    recorded = shown.bill.recorded
    yield f"# {_plain(f'{row.kind} {row.name}')}: {why.state}"
    yield ""
    took = UNKNOWN if run.duration_s is None else seconds(run.duration_s)
    yield (
        f"run `{row.id}` · {when(row.created_at)} · {took} · {plural(recorded.requests, 'model call')} · "
        f"{tokens(recorded.usage.total_tokens)} tokens · {cost(recorded.cost_usd)}"
    )
    yield from ("", "## Why", "", _plain(why.cause), "")
    for depth, cause in enumerate(why.found.chain):
        yield f"{'  ' * depth}- {_plain(cause.what)}" + (f": {_plain(said(cause.raised))}" if cause.raised else "")
    facts = {"step": why.found.step, "at": why.found.place, "safe": why.safe, "do": why.advice}
    yield from ("", *(f"- **{name}**: {_plain(text)}" for name, text in facts.items() if text), "")
    yield from ("```console", *(command.text for command in why.commands), "```", "", "## Steps", "")
    yield from _steps(shown.root, 0)
    if calls:
        yield from ("", "## Messages")
    for call in calls:
        yield from ("", f"### {_plain(title_of(call.row))}")
        for each in (*call.new, *((call.answer,) if call.answer else ())):
            yield from _said(each)
        if call.row.error:
            yield from ("", f"✗ {_plain(failure_of_call(call.row))}")


def _steps(node: Node, depth: int) -> Iterator[str]:
    for child in node.children:
        label = "".join(text for text, _ in label_of(child, live=False))
        took = UNKNOWN if child.row is None else seconds(child.row.duration_us / 1e6)
        paid = f" · {tokens(child.tokens)} tokens · {cost(child.cost_usd)}" if child.calls else ""
        yield f"{'  ' * depth}- {_plain(label)} · {took}{paid}"
        yield from _steps(child, depth + 1)


def _said(each: Said) -> Iterator[str]:
    """A fence that no text inside it can close."""
    fence = "`" * (max((len(ticks) for ticks in _TICKS.findall(each.text)), default=2) + 1)
    yield from ("", f"**{_plain(each.role)}**", "", f"{fence}text", each.text, fence)


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
