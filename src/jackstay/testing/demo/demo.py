"""The demo from beginning to end: a flow that works, a flow that is killed and resumed, and the count of its calls."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jackstay.core.budget import Budget
from jackstay.core.ids import SHORT
from jackstay.engine.runtime import Runtime
from jackstay.observe.figures import cost, plural, tokens
from jackstay.testing.demo import production_flow
from jackstay.testing.demo.choice import SIMULATED, Choice, choose
from jackstay.testing.demo.kill import KILL_AT, DemoFailed, Seen, Stage
from jackstay.testing.stub import Stub

TOPIC = "AI agents"
CAP_USD = Decimal("0.05")
LATENCY_S = 0.15
"""Of the stub's answers, so that a call is in flight long enough to be killed."""


def perform(console: Console, environ: Mapping[str, str], *, keep: bool = False) -> None:
    """Shows all of it. Raises `DemoFailed`, or whatever went wrong.

    `keep` leaves the runs in the working directory's journal; else they are in a temporary folder and are removed.
    """
    began = time.monotonic()
    choice = choose(environ)
    with _stage(environ, keep=keep) as stage:
        if choice.simulated:
            _say(
                console,
                "The model is simulated: texts, tokens and prices below are made up. A provider's key makes it real.",
            )
            _title(console, "1. A flow with a crew of two, a tool, logs and cost")
            undisturbed = _simulated_run(stage)
        else:
            _announce(console, choice)
            _title(console, "1. A flow with a crew of two, a tool, logs and cost")
            _real_run(stage, choice, environ)
            _say(
                console,
                "\nWhat follows happens at a local stub server: its texts, tokens and prices are simulated, it costs nothing.",
            )
            undisturbed = _quiet_run(stage)
        killed = _kill_and_resume(console, stage)
        _compare(console, undisturbed, killed)
    _say(console, f"Done in {time.monotonic() - began:.0f} s. The program: {production_flow.__file__}")
    if keep:
        _say(console, "The runs are in ./.jackstay: look at them with 'jackstay runs' and 'jackstay show'.")
    else:
        _say(
            console,
            "The runs were in a temporary folder; 'jackstay demo --keep' leaves them for 'jackstay runs' and 'jackstay show'.",
        )


@contextmanager
def _stage(environ: Mapping[str, str], *, keep: bool) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="jackstay-demo-") as temporary, Stub(latency_s=LATENCY_S) as stub:
        folder = Path.cwd() if keep else Path(temporary)
        dropped = ("JACKSTAY_RUN_KEY", "JACKSTAY_DURABILITY", "CI", *(() if keep else ("JACKSTAY_DATABASE_URL",)))
        own = {name: value for name, value in environ.items() if name not in dropped}
        here = {} if keep else {"JACKSTAY_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}"}
        simulated = {
            "JACKSTAY_MODEL": SIMULATED,
            "SIM_BASE_URL": stub.openai_url,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        yield Stage(folder, {**own, **here, **simulated}, stub, TOPIC)


# --- the first run -------------------------------------------------------------------------------------------------


def _announce(console: Console, choice: Choice) -> None:
    _say(
        console,
        f"Asking {choice.model} of {choice.provider} with the key in {choice.key_name or 'its own settings'}: it may cost at most "
        f"{CAP_USD} USD. JACKSTAY_DEMO=sim simulates instead.",
    )


def _simulated_run(stage: Stage) -> Seen:
    with Runtime(environ=stage.environ, folder=stage.folder):
        run_id = _flow_run()
    return stage.seen(run_id)


def _real_run(stage: Stage, choice: Choice, environ: Mapping[str, str]) -> None:
    place = stage.environ.get("JACKSTAY_DATABASE_URL")
    with Runtime(
        environ=environ,
        database_url=place,
        folder=stage.folder,
        model=choice.model,
        budget=Budget(usd=CAP_USD),
    ):
        _flow_run()


def _flow_run() -> str:
    flow = production_flow.main(TOPIC)
    if not flow.state.success:
        raise DemoFailed(f"the flow did not succeed: {flow.state.error} (JACKSTAY_DEMO=sim needs no provider)")
    assert flow.run_id is not None
    return flow.run_id


def _quiet_run(stage: Stage) -> Seen:
    """The same at the stub, to have something to compare the killed run with."""
    run_id = stage.run_through()
    return stage.seen(run_id)


# --- the second ----------------------------------------------------------------------------------------------------


def _kill_and_resume(console: Console, stage: Stage) -> Seen:
    _title(console, "2. The same flow, killed with SIGKILL in the middle of its second task")
    run_id, said, in_flight = stage.run_and_kill()
    _quote(console, said)
    _say(console, f"  killed while its model call {KILL_AT} was in flight; the journal has run {run_id[:SHORT]}")
    _title(console, f"3. Resumed in a new process: jackstay resume {run_id[:SHORT]}")
    seen = stage.resume(run_id, in_flight)
    _quote(console, seen.said)
    return seen


def _compare(console: Console, undisturbed: Seen, killed: Seen) -> None:
    again = killed.requests - undisturbed.requests
    lost = killed.bill.lost
    _title(console, "4. What the kill cost")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("", "requests at the stub", "calls in the journal", "lost", "tokens", "cost (simulated)"):
        table.add_column(column, justify="right" if column else "left")
    for name, seen in (("undisturbed", undisturbed), ("killed and resumed", killed)):
        table.add_row(
            name,
            f"{seen.requests}",
            f"{seen.recorded.requests}",
            f"{seen.bill.lost.requests}",
            tokens(seen.recorded.usage.total_tokens),
            cost(seen.recorded.cost_usd),
        )
    console.print(table)
    answered = KILL_AT - killed.in_flight
    console.print()
    _say(
        console,
        f"Of the {plural(answered, 'call')} answered before the kill, {max(0, again - killed.in_flight)} were issued again.",
    )
    _say(
        console,
        f"The {plural(killed.in_flight, 'call')} in flight at the kill had to be: it is booked as lost, at worst {cost(lost.cost_usd)}, "
        "since a provider may bill it.",
    )
    _check(undisturbed, killed, again)


def _check(undisturbed: Seen, killed: Seen, again: int) -> None:
    """The claims above, as facts; a demo that shows something else has failed."""
    lost = killed.bill.lost.requests
    if again > killed.in_flight:
        raise DemoFailed(f"{again} calls were issued again, and only {killed.in_flight} had been in flight")
    if killed.requests != killed.recorded.requests + lost:
        raise DemoFailed(
            f"the stub saw {killed.requests} requests, the journal has {killed.recorded.requests} and {lost} lost"
        )
    if killed.recorded.usage != undisturbed.recorded.usage:
        raise DemoFailed("the resumed run did not use what the undisturbed one used")


# --- saying --------------------------------------------------------------------------------------------------------


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _say(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)


def _quote(console: Console, said: str) -> None:
    for line in said.splitlines():
        console.print(Text(f"  | {line}", style="dim"), soft_wrap=True)
