"""`jackstay run --estimate`: what a program's last runs cost; without any, the most that its definition can cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from jackstay.cli.environment import choose_model, read_dotenv
from jackstay.cli.program import definitions, load, prepare
from jackstay.cli.running import Asked
from jackstay.cli.stored import NoRunsYet, existing_journal
from jackstay.cli.target import Target, resolve
from jackstay.core.records import RunFilter
from jackstay.core.usage import Bill, to_pico
from jackstay.engine.runtime import Runtime
from jackstay.errors import ConfigurationError, KickoffWhileLoading
from jackstay.observe.figures import cost, plural, tokens

LAST = 20


def estimate(asked: Asked) -> int:
    """Prints the estimate. Asks no model and runs no kickoff; the program's module may be imported for the bound."""
    target = resolve(asked.path, asked.arguments, Path.cwd())
    read_dotenv(target.search[:1])
    choose_model(asked.model)
    bills = _last_bills(target)
    if bills:
        print(_in_words(target, bills))
        return 0
    print(_bound_in_words(target))
    return 0


def _last_bills(target: Target) -> list[Bill]:
    try:
        with existing_journal() as journal:
            rows = journal.runs(RunFilter(status=("succeeded",), kind=("script",), name=target.name, limit=LAST))
            return [journal.bill(row.id).total for row in rows]
    except NoRunsYet:
        return []


def _in_words(target: Target, bills: Sequence[Bill]) -> str:
    calls = int(median(bill.requests for bill in bills))
    used = int(median(bill.usage.total_tokens for bill in bills))
    known = [bill.cost_usd for bill in bills if bill.cost_usd is not None]
    if len(known) < len(bills):
        money = "at an unknown price"
    elif min(known) == max(known):
        money = f"{cost(known[0])} each"
    else:
        money = f"{cost(min(known))} to {cost(max(known))}, {cost(median(known))} in the middle"
    return (
        f"{target.name}: the last {plural(len(bills), 'run')} cost {money} "
        f"({plural(calls, 'model call')}, {tokens(used)} tokens)"
    )


def _bound_in_words(target: Target) -> str:
    """For a crew that can be found without running anything."""
    none = f"{target.name} has not been run yet"
    prepare(target)
    try:
        found = load(target)
    except KickoffWhileLoading:
        return f"{none}, and it kicks off when it is imported: there is no estimate. Run it with --budget 0.50 instead"
    crews = [value for value in ([found] if target.object else definitions(found).values()) if hasattr(value, "tasks")]
    if len(crews) != 1:
        return f"{none}, and no single crew is found in it: there is no estimate. Run it with --budget 0.50 instead"
    if _may_delegate(crews[0]):
        return f"{none}, and there is no bound for agents that may delegate. Run it with --budget 0.50 to set one"
    worst, calls = _bound(crews[0])
    what = "cannot be bounded: the price of a model is unknown" if worst is None else f"costs {cost(worst)} at most"
    return (
        f"{none}; crew '{crews[0].name}' {what} ({plural(calls, 'model call')} at most, each with a full context window; "
        "real runs cost a small part of it). Run it with --budget 0.50 to set a limit"
    )


def _may_delegate(crew: Any) -> bool:
    from jackstay.crew.team import coworkers_of  # with the program, not before

    return bool(coworkers_of(crew))


def _bound(crew: Any) -> tuple[Decimal | None, int]:
    """Every agent uses up its turns, each call fills the model's window and writes its longest answer."""
    worst, calls = Decimal(0), 0
    with Runtime(environ=os.environ) as runtime:
        for task in crew.tasks:
            asks = task.agent.max_iter + 1
            calls += asks
            price = _price_of_a_full_call(runtime, task.agent)
            if price is None:
                return None, calls
            worst += asks * price
    return worst, calls


def _price_of_a_full_call(runtime: Runtime, agent: Any) -> Decimal | None:
    from jackstay.core.messages import Conversation, Message, Question  # with the program, not before

    spec = agent.to_spec(dict.fromkeys(_variables(agent), ""))
    config = spec.model if runtime.settings.model is None else spec.model.named(runtime.settings.model)

    async def ask() -> Decimal | None:
        asker = runtime.asker(config)
        await asker.prepare()
        window = asker.context_window
        if window is None:
            return None
        question = Question((asker.requested,), Conversation.of([Message("user", "x" * window)]), (), config.sampling)
        worst = asker.worst(question).pico
        return None if worst is None else Decimal(worst) / (to_pico(Decimal(1)) or 1)

    try:
        return runtime.engine_loop.submit(ask).future.result()
    except ConfigurationError:
        return None


def _variables(agent: Any) -> list[str]:
    from jackstay.core.interpolation import placeholders  # as above

    return [name for text in (agent.role, agent.goal, agent.backstory) for name in placeholders(text)]
