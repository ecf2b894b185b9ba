"""`jackstay why`: a run explains itself: the chain of causes, what was spent, what is safe, which commands go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.listing import NOT_SUCCEEDED, when
from jackstay.cli.stored import chosen, existing_journal, top_runs
from jackstay.cli.target import Target
from jackstay.cli.tasks import addressable
from jackstay.cli.terminal import say, stdout
from jackstay.core.ids import SHORT
from jackstay.core.records import RunFilter, RunRow
from jackstay.core.replay import units_of
from jackstay.engine.addressing import short_path, unit_id
from jackstay.engine.replaying import record_of
from jackstay.journal import Journal
from jackstay.observe.causes import Evidence, said
from jackstay.observe.runs import STYLES, state_of
from jackstay.observe.why import Why, explain


def why(wanted: str | None, *, as_json: bool) -> int:
    """Prints the account of a run; of the latest that has not succeeded, if none is named."""
    read_dotenv()
    with existing_journal() as journal:
        row = chosen(journal, wanted) if wanted is not None else _latest_unsuccessful(journal)
        if row is None:
            say(f"every run in {journal.url} has succeeded")
            return 0
        evidence = evidence_of(journal, row)
    account = explain(evidence)
    if as_json:
        print(json.dumps(_to_json(evidence, account), indent=2))
        return 0
    console = stdout()
    for line in _lines(evidence, account):
        console.print(line, soft_wrap=True)
    return 0


def evidence_of(journal: Journal, row: RunRow) -> Evidence:
    """All that is on record of a run and, of a batch, of its items."""
    record = record_of(journal, row)
    units = units_of(record)
    bill, lease = journal.bill(row.id), journal.lease(row.id)
    entry = json.loads(row.entry or "{}")
    name = addressable(journal, row.id)
    items = journal.children(row.id) if row.kind == "batch" else []
    target = Target.from_entry(entry)
    return Evidence(
        run=row,
        state=state_of(row, lease),
        steps=record.steps,
        reservations=journal.reservations(row.id),
        waits=[wait for wait in journal.waits(row.id) if wait.answered_at is None],
        intents=journal.intents(row.id),
        units=units,
        recorded=bill.recorded,
        lost=bill.lost,
        activity=(lease.activity or "") if lease is not None and lease.live else "",
        items=[evidence_of(journal, item) for item in items],
        ids={unit.path: unit_id(name, short_path(unit, units)) for unit in units},
        program=target.shown if target is not None else "",
    )


def _latest_unsuccessful(journal: Journal) -> RunRow | None:
    rows = top_runs(journal, RunFilter(status=NOT_SUCCEEDED, limit=1))
    return rows[0] if rows else None


# --- for people ------------------------------------------------------------------------------------------------------


def _lines(evidence: Evidence, account: Why) -> Iterator[Text]:
    row, found = evidence.run, account.found
    yield Text.assemble(f"run {row.id}  ", (account.state, STYLES[evidence.state]))
    yield Text(f"  {row.kind} {row.name} · {when(row.created_at)}")
    yield Text("")
    yield _part("why", account.cause, "red" if evidence.state == "failed" else "")
    for depth, cause in enumerate(found.chain):
        raised = said(cause.raised) if cause.raised is not None else ""
        yield _more(f"{'  ' * depth}└ {cause.what}" + (f": {raised}" if raised not in ("", account.cause) else ""))
        if cause.because:
            yield _more(f"{'  ' * depth}    ← {cause.because}")
    for item in account.items:
        yield _more(f"└ {item.run_id[:SHORT]} {item.inputs}: {item.why}")
    if found.step:
        yield _part("step", found.step)
    if found.place:
        yield _part("at", found.place)
    yield from _parts("attempts", account.attempts or ((f"{found.tries} times",) if found.tries > 1 else ()))
    if evidence.state != "interrupted" or len(found.in_flight) > 1:
        yield from _parts("in flight", found.in_flight)
    yield from _parts("beside", found.beside)
    yield from _parts("spent", account.spent)
    yield _part("safe", account.safe)
    if account.advice:
        yield _part("do", account.advice)
    yield Text("")
    width = max((len(command.text) for command in account.commands), default=0)
    for command in account.commands:
        yield Text.assemble(f"  {command.text:<{width}}  ", (command.does, "dim"))


def _part(name: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{name:<10}", "bold"), (text, style))


def _parts(name: str, texts: tuple[str, ...]) -> Iterator[Text]:
    for number, text in enumerate(texts):
        yield _part("" if number else name, text)


def _more(text: str) -> Text:
    return Text(f"{'':<10}{text}")


# --- for programs ----------------------------------------------------------------------------------------------------


def _to_json(evidence: Evidence, account: Why) -> dict[str, Any]:
    row, found = evidence.run, account.found
    return {
        "run": {"id": row.id, "kind": row.kind, "name": row.name, "state": evidence.state, "reason": row.reason},
        "cause": account.cause,
        "chain": [
            {
                "path": cause.path,
                "what": cause.what,
                "error": {"type": cause.raised.type, "code": cause.raised.code, "message": cause.raised.message}
                if cause.raised
                else None,
                "from": cause.because or None,
            }
            for cause in found.chain
        ],
        "step": found.step or None,
        "at": found.place or None,
        "attempts": [asdict(attempt) for attempt in found.attempts],
        "in_flight": list(found.in_flight),
        "beside": list(found.beside),
        "spent": list(account.spent),
        "safe": account.safe,
        "advice": account.advice or None,
        "commands": [asdict(command) for command in account.commands],
        "items": [asdict(item) for item in account.items],
    }
