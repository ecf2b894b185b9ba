"""`jackstay doctor`: is everything there that a run needs?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from jackstay.cli import checkup
from jackstay.cli.checkup import Check, bad, good
from jackstay.cli.environment import read_dotenv
from jackstay.cli.outcome import ExitCode
from jackstay.cli.terminal import print_table, say
from jackstay.engine.runtime import Runtime
from jackstay.errors import JackstayError
from jackstay.models.provider import Endpoint
from jackstay.models.wire import Wire
from jackstay.observe.figures import plural

PATIENCE_S = 20.0
"""For one provider's list of models."""
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}


def doctor(*, online: bool) -> int:
    """Exit code 1 if something that is needed does not work."""
    read_dotenv()
    checks = list(_checks())
    if online:
        checks += _online()
    print_table(_table(checks))
    wrong = sum(check.ok is False for check in checks)
    if wrong:
        say(f"{plural(wrong, 'thing')} to put right", "red")
        return ExitCode.FAILED
    return ExitCode.OK


def _checks() -> Iterator[Check]:
    wire = Wire(os.environ)
    yield from checkup.python()
    yield from checkup.database(os.environ)
    yield from checkup.default_model(os.environ, wire)
    yield from checkup.keys(os.environ)
    yield from checkup.network(os.environ)


def _online() -> list[Check]:
    with Runtime() as runtime:
        found = list(checkup.endpoints(os.environ, runtime.wire))
        return [one if isinstance(one, Check) else _asked(runtime, provider.name, one) for provider, one in found]


def _asked(runtime: Runtime, name: str, endpoint: Endpoint) -> Check:
    job = runtime.engine_loop.submit(lambda: runtime.wire.list_models(endpoint))
    matter = f"{name} online"
    try:
        models = job.future.result(PATIENCE_S)
    except TimeoutError:
        job.cancel()
        return bad(matter, "no answer", f"{endpoint.base_url or name} did not answer within {PATIENCE_S:.0f} s")
    except JackstayError as error:
        return bad(matter, "refused", str(error))
    except Exception as error:  # noqa: BLE001 - an SDK's own code, in a diagnosis that has to go on
        return bad(matter, type(error).__name__, str(error))
    return good(matter, f"the key in {endpoint.key_name} is accepted; {plural(len(models), 'model')}")


def _table(checks: Sequence[Check]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, style = _MARKS[check.ok]
        found = Text(check.found)
        if check.remedy:
            found.append(f"\n→ {check.remedy}", style="red" if check.ok is False else "yellow")
        table.add_row(Text(mark, style=style), check.matter, found)
    return table
