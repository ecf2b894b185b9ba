"""A flow whose method runs six crews side by side, in whatever order they are answered."""

from __future__ import annotations

import asyncio
from typing import Any

from jackstay import Flow, start
from jackstay.testing import FaultPoints
from tests.programs.crew_of_five import crew_of


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    class AtOnce(Flow):  # type: ignore[type-arg]
        @start()
        async def spread(self) -> list[str]:
            crews = [crew_of(points, ("Survey",)).akickoff(inputs={"topic": f"sea {n}"}) for n in range(6)]
            outputs = await asyncio.gather(*crews)
            self.state["said"] = [output.raw for output in outputs]
            return list(self.state["said"])

    flow = AtOnce()
    result = flow.kickoff(run_key=key)
    return {
        "run_id": flow.run_id,
        "raw": result,
        "said": flow.state["said"],
        "usage": flow.usage_metrics.model_dump(),
    }
