"""What a run says of itself: why it stands as it does, what it has spent, what is safe, and what goes on with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jackstay.core.failures import Failure
from jackstay.core.forgetting import forgotten_at
from jackstay.core.ids import SHORT
from jackstay.core.paths import parent_of
from jackstay.core.records import StepKind, StepRow
from jackstay.observe.advice import BY_REASON, advice
from jackstay.observe.causes import Attempt, Evidence, Found, find, plain, said
from jackstay.observe.figures import cost, plural, seconds, tokens

_WORDS: dict[StepKind, str] = {
    "llm": "model call",
    "tool": "tool call",
    "task": "task",
    "method": "method",
    "guardrail": "guardrail verdict",
}
_OTHER_QUESTION = (
    "content_refused",
    "context_window",
    "guardrail",
    "output",
    "max_iterations",
    "no_output",
    "no_progress",
    "rejected",
)
"""Codes after which the same question ends the same way: it takes other inputs or another model."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and what it does."""

    text: str
    does: str


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a batch that has not succeeded."""

    run_id: str
    inputs: str
    why: str


@dataclass(frozen=True, slots=True)
class Why:
    """The account. `cause` is one sentence; the rest is in the order of reading."""

    state: str
    cause: str
    found: Found
    attempts: tuple[str, ...]
    spent: tuple[str, ...]
    safe: str
    advice: str
    commands: tuple[Command, ...]
    items: tuple[Item, ...] = ()


def explain(evidence: Evidence) -> Why:
    """The account of a run, however it has ended."""
    found = find(evidence)
    run, state = evidence.run, evidence.state
    reason = "" if run.reason in (None, "error", state) else f" ({run.reason})"
    return Why(
        state=f"{state}{reason}",
        cause=_cause(evidence, found),
        found=found,
        attempts=tuple(_attempts(found.attempts)),
        spent=tuple(_spent(evidence)),
        safe=_safe(evidence),
        advice=_advice(evidence, found),
        commands=tuple(_commands(evidence, found)),
        items=tuple(_items(evidence)),
    )


def _cause(evidence: Evidence, found: Found) -> str:
    match evidence.state:
        case "succeeded":
            return "It has succeeded." + (" Not everything in it has:" if found.beside else "")
        case "running" | "queued":
            return "It is running" + (f": {evidence.activity}" if evidence.activity else "") + "."
        case "waiting":
            return (
                " ".join(wait.prompt or "It waits for a person." for wait in evidence.waits) or "It waits for a person."
            )
        case "interrupted":
            at = f", in the middle of {found.in_flight[0]}" if found.in_flight else ""
            return f"Its process ended before the run did{at}."
        case "cancelled":
            return "Somebody cancelled it."
        case "failed" if evidence.items:
            failed = len(list(_items(evidence)))
            return f"{failed} of {plural(len(evidence.items), 'item')} did not succeed."
        case _:
            failure = _telling(evidence, found)
            return said(failure) if failure is not None else "No reason is on record."


def _telling(evidence: Evidence, found: Found) -> Failure | None:
    """What a run was stopped for (its deadline, its budget) says more than the call that was under way; of all else, what
    was raised first."""
    return found.root if evidence.run.reason in (None, "error") else found.raised


def _attempts(attempts: tuple[Attempt, ...]) -> Iterator[str]:
    """Equal ones in a row are told together: `gpt-4o: rate_limited, 4 times, after waits of 1, 2 and 4 s`."""
    at = 0
    while at < len(attempts):
        first = attempts[at]
        same = [first]
        while at + len(same) < len(attempts) and _alike(attempts[at + len(same)], first):
            same.append(attempts[at + len(same)])
        at += len(same)
        waits = [one.wait_s for one in same if one.wait_s is not None]
        text = f"{first.model}: {first.code}" if first.asked else f"{first.model}: passed over ({first.code})"
        text += f", {plural(len(same), 'time')}" if len(same) > 1 else ""
        yield text + (f", waited {', '.join(seconds(wait) for wait in waits)}" if any(waits) else "")


def _alike(one: Attempt, other: Attempt) -> bool:
    return (one.model, one.code, one.asked) == (other.model, other.code, other.asked)


# --- money and what is kept ------------------------------------------------------------------------------------------


def _spent(evidence: Evidence) -> Iterator[str]:
    own = evidence.recorded
    for item in evidence.items:
        own = own + item.recorded
    yield f"{plural(own.requests, 'model call')}, {tokens(own.usage.total_tokens)} tokens, {cost(own.cost_usd)}"
    lost = sum((item.lost for item in evidence.items), evidence.lost)
    if lost.requests:
        yield (
            f"{plural(lost.requests, 'call')} in flight when a process died, at worst {cost(lost.cost_usd)} "
            "(made again; the provider may bill both)"
        )


def _safe(evidence: Evidence) -> str:
    """What a resumed run has already."""
    gone = forgotten_at(evidence.run)
    if gone is not None:
        return f"its content was erased at {gone}: it cannot be resumed or replayed"
    steps = [row for each in (evidence, *evidence.items) for row in each.steps if row.status in ("succeeded", "opaque")]
    counted = Counter(row.kind for row in steps if row.kind in _WORDS)
    if not counted:
        return "nothing is recorded yet: a resumed run begins at the beginning"
    parts = [plural(counted[kind], word) for kind, word in _WORDS.items() if counted[kind]]
    text = ", ".join(parts)
    done = [f"{row.kind} {row.name}" for row in steps if _is_whole(row)]
    names = f" ({', '.join(done[:6])}{', …' if len(done) > 6 else ''})" if done and not evidence.items else ""
    return f"{text}{names}: recorded, not done and not asked again"


def _is_whole(row: StepRow) -> bool:
    return row.kind in ("task", "method") and row.error is None


# --- what to do ------------------------------------------------------------------------------------------------------


def _advice(evidence: Evidence, found: Found) -> str:
    if forgotten_at(evidence.run) is not None:
        return ""  # all advice is about going on with it
    if evidence.state in BY_REASON:
        return BY_REASON[evidence.state]
    if evidence.state != "failed" or evidence.items:
        return ""
    inner = next((row for row in evidence.steps if row.path == found.step), None)
    return advice(_telling(evidence, found), in_tool=inner is not None and inner.kind == "tool")


def _commands(evidence: Evidence, found: Found) -> Iterator[Command]:
    short = evidence.run.id[:SHORT]
    if evidence.state in ("running", "queued"):
        yield Command(f"jackstay tail {short}", "follows it")
        yield Command(f"jackstay cancel {short}", "stops it; it can be resumed")
        return
    if evidence.state == "waiting":
        yield from _answers(evidence, short)
    elif evidence.state != "succeeded" and forgotten_at(evidence.run) is None:
        yield from _goes_on(evidence, found, short)
    if found.step:
        yield Command(f'jackstay show {short} --step "{found.step}"', "what was asked there, and what came back")
    else:
        yield Command(f"jackstay show {short}", "all its steps")


def _answers(evidence: Evidence, short: str) -> Iterator[Command]:
    for wait in evidence.waits:
        match wait.kind:
            case "budget":
                yield Command(f"jackstay resume {short} --budget MOST", "raises the budget and goes on")
            case "needs_decision":
                yield Command(
                    f"jackstay resume {short} --decide done=RESULT", "it has acted: RESULT is what the agent is told"
                )
                yield Command(f"jackstay resume {short} --decide again", "it has not: it is called now")
                yield Command(f"jackstay resume {short} --decide fail", "the agent is told that it failed")
            case _:
                yield Command(f"jackstay answer {short}", "gives the answer")


def _goes_on(evidence: Evidence, found: Found, short: str) -> Iterator[Command]:
    again = "tries the items again that failed" if evidence.items else "goes on where it stopped"
    if not evidence.program:
        yield Command(
            f'kickoff(resume="{short}")', f"{again} (it was not started by a program: call it where it was kicked off)"
        )
        return
    budget = " --budget MOST" if evidence.run.reason == "budget" else ""
    does = "raises the budget and goes on where it stopped" if budget else again
    yield Command(f"jackstay resume {short}{budget}", does)
    unit = _unit_around(found.chain[-1].path if found.chain else "", evidence)
    if unit and found.root is not None and found.root.code in _OTHER_QUESTION:
        yield Command(
            f"jackstay replay -t {evidence.ids[unit]} --input NAME=TEXT", "a new run from that task, with another input"
        )
    elif unit and any(_is_whole(row) for row in evidence.steps):
        yield Command(
            f"jackstay replay -t {evidence.ids[unit]}", "a new run from there; what came before is taken from this one"
        )


def _unit_around(path: str, evidence: Evidence) -> str:
    while path and path not in evidence.ids:
        path = parent_of(path)
    return path


def _items(evidence: Evidence) -> Iterator[Item]:
    for item in evidence.items:
        if item.state != "succeeded":
            found = find(item)
            at = f" at {plain(found.step)}" if found.step else ""
            yield Item(item.run.id, item.run.inputs or "{}", f"{_cause(item, found)}{at}")
