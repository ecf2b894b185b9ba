"""A flow that goes on whatever happens: every kickoff and call of it stands in an `except Exception`.

FORKS: it forks before each kickoff, after which its journal's files are opened anew. POWERLESS: file permissions hold
for it even if it is root. CATCH_ALL: it catches even what is no `Exception`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Any

from jackstay import LLM, Flow, listen, start
from jackstay.testing import FaultPoints
from tests.programs.crew_of_five import MODEL, crew_of


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """The flow's state, or what it raised, and what its methods were told meanwhile."""
    if os.environ.get("POWERLESS") and os.geteuid() == 0:
        _give_up_powers()
    told: list[str] = []
    flow = _flow(points, told)()
    try:
        flow.kickoff(run_key=key)
    except BaseException as error:  # noqa: BLE001 - told to the test
        return {"raised": type(error).__name__, "text": str(error), "told": told}
    state = {name: value for name, value in flow.state.items() if name != "id"}
    return {"raised": None, "state": state, "usage": flow.usage_metrics.model_dump(), "told": told}


def _flow(points: FaultPoints, told: list[str]) -> type[Flow[Any]]:
    caught = BaseException if os.environ.get("CATCH_ALL") else Exception

    class Stubborn(Flow[dict]):  # type: ignore[type-arg]
        @start()
        def begin(self) -> None:
            self.state["begun"] = crew_of(points, ("Survey",)).kickoff({"topic": "tides"}).raw

        @listen(begin)
        def insist(self) -> None:
            for number in range(3):
                _fork_if_asked()
                try:
                    output = crew_of(points, ("Survey",)).kickoff({"topic": f"sea {number}"})
                    self.state[f"said {number}"] = output.raw
                except caught as error:
                    told.append(type(error).__name__)

        @listen(insist)
        async def together(self) -> None:
            asked = (LLM(MODEL).acall(f"Ponder sea {number}") for number in range(3))
            answers = await asyncio.gather(*asked, return_exceptions=True)
            told.extend(type(answer).__name__ for answer in answers if isinstance(answer, Exception))
            self.state["together"] = [answer for answer in answers if isinstance(answer, str)]

        @listen(together)
        def last(self) -> None:
            _fork_if_asked()
            try:
                self.state["last"] = LLM(MODEL).call("Conclude")
            except caught as error:
                told.append(type(error).__name__)

    return Stubborn


def _fork_if_asked() -> None:
    if os.environ.get("FORKS"):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)


def _give_up_powers() -> None:
    """Linux: no capabilities any more, for this thread and those that it starts."""
    version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(version_3, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")
