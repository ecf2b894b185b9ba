"""A flow that goes round a large state and changes a little of it each time."""

from __future__ import annotations

import json
import random
from typing import Any

from jackstay import Flow, listen, or_, router, start


class LongLoop(Flow):
    """`turns` rounds over about 200 KB; stops in the round `breaks_at`, if that is given."""

    turns = 1000
    breaks_at: int | None = None
    changed = 0
    """Bytes of all leaves that have changed, as JSON."""

    @start()
    def begin(self) -> None: ...

    @router(or_(begin, "again"))
    def turn(self) -> str:
        state = self.state
        number = state["n"] = state["n"] + 1
        if number == self.breaks_at:
            raise OSError("the power is off")
        draw = random.Random(number)
        self._set(state["messages"][draw.randrange(200)], "text", text(draw, 120))
        self._set(state["table"][f"row {draw.randrange(100)}"], draw.randrange(40), draw.random())
        said = {"role": "user", "text": text(draw, 200), "at": number}
        state["messages"].append(said)
        self.changed += sum(len(json.dumps(leaf)) for leaf in (number, *said.values()))
        return "again" if number < self.turns else "done"

    @listen("done")
    def end(self) -> int:
        return len(self.state["messages"])

    def _set(self, where: Any, at: Any, value: Any) -> None:
        where[at] = value
        self.changed += len(json.dumps(value))


def text(draw: random.Random, length: int) -> str:
    return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz     ", k=length))


def large_state() -> dict[str, Any]:
    draw = random.Random(0)
    return {
        "n": 0,
        "messages": [{"role": "user", "text": text(draw, 550), "at": n} for n in range(200)],
        "table": {f"row {n}": [draw.random() for _ in range(40)] for n in range(100)},
    }
