"""`jackstay checkpoint diff`: two checkpoints or runs, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from jackstay.cli.checkpoints import cut
from jackstay.cli.environment import read_dotenv
from jackstay.cli.replaying import amounts
from jackstay.cli.stored import existing_journal
from jackstay.cli.terminal import stdout
from jackstay.core.contents import Contents, Difference, contents_of, differences
from jackstay.core.preview import Figures
from jackstay.core.usage import from_pico
from jackstay.engine.checkpoints import find_checkpoint


def diff(one: str, other: str, *, as_json: bool) -> int:
    """Says in what they differ. The exit code is 0 in any case."""
    read_dotenv()
    with existing_journal() as journal:
        found = [find_checkpoint(journal, wanted) for wanted in (one, other)]
    ids = [each.id for each in found]
    contents = [contents_of(each.record, each.unit.path if each.unit else "") for each in found]
    between = differences(contents[0], contents[1])
    if as_json:
        print(json.dumps(_to_json(ids, contents, between), indent=2))
        return 0
    console = stdout()
    for line in _lines(ids, contents, between):
        console.print(line, soft_wrap=True)
    return 0


def _lines(ids: list[str], contents: list[Contents], between: list[Difference]) -> Iterator[Text]:
    yield Text(f"--- {ids[0]}\n+++ {ids[1]}", style="bold")
    for each in between:
        yield Text(f"{each.kind} {each.name}")
        for sign, value, style in (("-", each.one, "red"), ("+", each.other, "green")):
            yield Text(f"  {sign} {_said(value)}", style=style)
    if not between:
        yield Text("the same outputs and state")
    used = [amounts(each.used) for each in contents]
    yield Text(f"usage: {used[0]}" if used[0] == used[1] else f"usage\n  - {used[0]}\n  + {used[1]}")


def _said(value: Any) -> str:
    if value is None:
        return "(none)"
    return cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _to_json(ids: list[str], contents: list[Contents], between: list[Difference]) -> dict[str, Any]:
    return {
        "one": ids[0],
        "other": ids[1],
        "differences": [
            {"kind": each.kind, "name": each.name, "one": each.one, "other": each.other} for each in between
        ],
        "usage": {"one": _figures(contents[0].used), "other": _figures(contents[1].used)},
    }


def _figures(figures: Figures) -> dict[str, Any]:
    cost = from_pico(figures.cost_pico)
    return {"calls": figures.calls, "tokens": figures.tokens, "cost_usd": None if cost is None else float(cost)}
