"""`show --html FILE`: one run as one file that needs no network and runs no script: for a ticket, for CI.

All text of the run is masked and escaped where it enters the page (`_Page.text`); nothing else of it does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from jackstay.cli.labels import label_of
from jackstay.cli.listing import when
from jackstay.cli.masked import Mask, mask_of
from jackstay.cli.outcome import UsageError
from jackstay.cli.shown import Shown
from jackstay.cli.talk import Call, Said, failure_of_call, title_of
from jackstay.cli.terminal import say
from jackstay.cli.timeline import Bar, bars
from jackstay.observe.causes import Evidence, said
from jackstay.observe.figures import UNKNOWN, cost, plural, seconds, tokens
from jackstay.observe.why import Why, explain

# Nothing may be loaded, and nothing of a run's text may be executed, should it ever get past the escaping.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --page: #f8fafc; --text: #0f172a; --quiet: #64748b; --box: #fff; --line: #cbd5e1;
  --good: #15803d; --bad: #b91c1c; --warn: #a16207; --bar: #0284c7; }
@media (prefers-color-scheme: dark) { :root { --page: #0f172a; --text: #f1f5f9; --quiet: #94a3b8; --box: #1e293b;
  --line: #334155; --good: #4ade80; --bad: #f87171; --warn: #fbbf24; --bar: #38bdf8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 24px 16px; background: var(--page); color: var(--text);
  font: 14px/1.5 system-ui, sans-serif; }
h1 { font-size: 20px; margin: 0; } h2 { font-size: 16px; margin: 28px 0 8px; }
p { margin: 4px 0; } .quiet { color: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
section, details { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; margin: 6px 0; }
summary { cursor: pointer; }
table { border-collapse: collapse; width: 100%; } td, th { padding: 2px 8px; text-align: left; vertical-align: top; }
td.figure, th.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr + tr td { border-top: 1px solid var(--line); }
.line { width: 34%; } .line span { display: block; height: 10px; border-radius: 2px; background: var(--bar); min-width: 2px; }
.line span.open { opacity: .4; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0; font: 12px/1.5 ui-monospace, Menlo, Consolas, monospace; }
dt { font-weight: 600; } dd { margin: 0 0 6px 0; overflow-wrap: anywhere; } ul { margin: 4px 0; padding-left: 20px; }
"""
_STATES = {"succeeded": "good", "failed": "bad"}


def write_html(file: Path, shown: Shown, calls: Sequence[Call], evidence: Evidence) -> None:
    """Writes the file, and says so. Raises `UsageError` if it cannot be written."""
    try:
        file.write_text(html_report(shown, calls, evidence, mask_of(os.environ)), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--html {file}: it cannot be written ({error.strerror or error}); name another file"
        ) from error
    say(f"written: {file}")


def html_report(shown: Shown, calls: Sequence[Call], evidence: Evidence, mask: Mask) -> str:
    """The page."""
    return "\n".join(_Page(shown, calls, evidence, mask).lines())


class _Page:
    def __init__(self, shown: Shown, calls: Sequence[Call], evidence: Evidence, mask: Mask) -> None:
        self.shown, self.calls, self.evidence, self.mask = shown, calls, evidence, mask

    def text(self, text: object) -> str:
        """The one way into the page for what is not ours."""
        return escape(self.mask(str(text)))

    def lines(self) -> Iterator[str]:
        row, state = self.shown.row, self.shown.run.state
        title = self.text(f"{row.kind} {row.name}: {state}")
        yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        yield '<meta name="viewport" content="width=device-width">'
        yield f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        yield from self._head()
        yield from self._why(explain(self.evidence))
        yield from self._timeline()
        yield from self._costs()
        yield from self._messages()
        yield "</body></html>"

    def _head(self) -> Iterator[str]:
        row, run = self.shown.row, self.shown.run
        yield f"<h1>{self.text(row.kind)} {self.text(row.name)} · <span class={_STATES.get(run.state, 'warn')}>{run.state}</span></h1>"
        took = UNKNOWN if run.duration_s is None else seconds(run.duration_s)
        yield f"<p class=quiet>run {self.text(row.id)} · {when(row.created_at)} · {took}</p>"
        if row.inputs and row.inputs != "{}":
            yield f"<p class=quiet>inputs: {self.text(row.inputs)}</p>"

    # --- why ---------------------------------------------------------------------------------------------------------

    def _why(self, why: Why) -> Iterator[str]:
        failed = self.shown.run.state == "failed"
        yield f"<h2>Why</h2><section><p class={'bad' if failed else 'quiet'}>{self.text(why.cause)}</p>"
        if why.found.chain:
            links = (f"{cause.what}" + (f": {said(cause.raised)}" if cause.raised else "") for cause in why.found.chain)
            yield self._list(links)
        facts = [("Step", [why.found.step]), ("At", [why.found.place]), ("Attempts", why.attempts)]
        facts += [("In flight", why.found.in_flight), ("Beside", why.found.beside)]
        facts += [("Items", [f"{item.run_id} {item.inputs}: {item.why}" for item in why.items])]
        facts += [("Spent", why.spent), ("Safe", [why.safe]), ("Do", [why.advice])]
        facts += [("Go on", [f"{command.text}  ({command.does})" for command in why.commands])]
        yield "<dl>"
        for name, texts in facts:
            shown = [self.text(text) for text in texts if text]
            if shown:
                yield f"<dt>{name}</dt><dd>{'<br>'.join(shown)}</dd>"
        yield "</dl></section>"

    def _list(self, texts: Iterable[str]) -> str:
        return "<ul>" + "".join(f"<li>{self.text(text)}</li>" for text in texts) + "</ul>"

    # --- time and money ------------------------------------------------------------------------------------------------

    def _timeline(self) -> Iterator[str]:
        drawn = bars(self.shown)
        if not drawn:
            return
        yield "<h2>Timeline</h2><section><table><tr><th>step</th><th></th><th class=figure>at</th><th class=figure>took</th>"
        yield "<th class=figure>tokens</th><th class=figure>cost</th></tr>"
        yield from (self._bar(bar) for bar in drawn)
        yield "</table></section>"

    def _bar(self, bar: Bar) -> str:
        node, of_s = bar.node, bar.of_s or 1.0
        label = "".join(text for text, _ in label_of(node, live=self.shown.run.state == "running"))
        left = min(100.0, bar.began_s / of_s * 100)
        width = 100 - left if bar.took_s is None else min(100 - left, bar.took_s / of_s * 100)
        took = UNKNOWN if bar.took_s is None else seconds(bar.took_s)
        paid = (tokens(node.tokens), cost(node.cost_usd)) if node.calls else ("", "")
        state = node.row.status if node.row is not None else ""
        return (
            f'<tr><td class="{"bad" if state == "failed" else ""}" style="padding-left:{8 + 14 * bar.depth}px">{self.text(label)}</td>'
            f'<td class=line><span class="{"open" if bar.took_s is None else ""}" style="margin-left:{left:.2f}%;width:{width:.2f}%"></span></td>'
            f"<td class=figure>+{seconds(bar.began_s)}</td><td class=figure>{took}</td>"
            f"<td class=figure>{paid[0]}</td><td class=figure>{paid[1]}</td></tr>"
        )

    def _costs(self) -> Iterator[str]:
        recorded, lost = self.shown.bill.recorded, self.shown.bill.lost
        yield "<h2>Cost</h2><section><p>"
        yield f"{plural(recorded.requests, 'model call')} · {tokens(recorded.usage.input_tokens)} + "
        yield f"{tokens(recorded.usage.output_tokens)} tokens · {cost(recorded.cost_usd)}</p>"
        if lost.requests:
            yield f"<p class=warn>{plural(lost.requests, 'call')} lost, at worst {cost(lost.cost_usd)}</p>"
        yield "<table><tr><th>model</th><th>agent</th><th class=figure>calls</th><th class=figure>tokens</th></tr>"
        for (model, agent), (calls, used) in self._by_model().items():
            yield f"<tr><td>{self.text(model)}</td><td>{self.text(agent)}</td>"
            yield f"<td class=figure>{calls}</td><td class=figure>{tokens(used)}</td></tr>"
        yield "</table></section>"

    def _by_model(self) -> dict[tuple[str, str], tuple[int, int]]:
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for call in self.calls:
            row = call.row
            if row.origin_run_id is None:
                calls, used = sums.get((row.model or "", row.agent or ""), (0, 0))
                sums[row.model or "", row.agent or ""] = (calls + 1, used + row.input_tokens + row.output_tokens)
        return sums

    # --- what was said -------------------------------------------------------------------------------------------------

    def _messages(self) -> Iterator[str]:
        if self.calls:
            yield "<h2>Messages</h2>"
        for call in self.calls:
            failed = bool(call.row.error)
            yield f'<details{" open" if failed else ""}><summary class="{"bad" if failed else ""}">{self.text(title_of(call.row))}</summary>'
            if not call.kept:
                yield "<p class=warn>Its messages are not in the journal any more.</p>"
            for each in (*call.new, *((call.answer,) if call.answer else ())):
                yield self._said(each)
            if failed:
                yield f"<p class=bad>{self.text(failure_of_call(call.row))}</p>"
            yield "</details>"

    def _said(self, each: Said) -> str:
        return f"<p class=quiet>{self.text(each.role)}</p><pre>{self.text(each.text)}</pre>"
