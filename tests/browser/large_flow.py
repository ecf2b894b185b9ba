"""A flow of 60 methods of every kind: branches, joins, routers with labels, a cycle, long names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jackstay import Flow, and_, listen, or_, router, start

METHODS = 60
STAGES = (
    "collect",
    "clean",
    "translate_everything_into_english",
    "rank",
    "summarise",
    "check_the_sources",
    "illustrate",
)


def _method(name: str) -> Callable[..., Any]:
    def method(self: Any) -> str:
        """Works."""
        return "good"

    method.__name__ = method.__qualname__ = name
    return method


def large_flow() -> type[Flow[Any]]:
    members: dict[str, Any] = {"plan": start("again")(_method("plan")), "budget": start()(_method("budget"))}
    ends = []
    for branch in range(7):
        before = "plan"
        for stage in STAGES:
            name = f"{stage}_{branch}"
            condition = or_(before, "budget") if stage == "rank" else before
            members[name] = listen(condition)(_method(name))
            before = name
        ends.append(before)
    members["edit"] = listen(and_(*ends))(_method("edit"))
    members["first_look"] = listen(or_(*(f"clean_{branch}" for branch in range(7))))(_method("first_look"))
    members["judge"] = router("edit", emit=["good", "again", "hopeless"])(_method("judge"))
    members["layout"] = listen("good")(_method("layout"))
    members["proofread"] = listen("layout")(_method("proofread"))
    members["give_up"] = listen("hopeless")(_method("give_up"))
    members["print"] = listen(and_("proofread", "first_look"))(_method("print"))
    members["announce"] = listen(or_("print", "give_up"))(_method("announce"))
    members["archive"] = listen("announce")(_method("archive"))
    assert len(members) == METHODS, len(members)
    return type("Gazette", (Flow,), {**members, "__module__": __name__})
