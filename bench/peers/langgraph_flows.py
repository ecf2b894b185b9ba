"""LangGraph: the same graphs; without a saver, or with `saver` in SQLite, written before the next step (`sync`)."""

from __future__ import annotations

import itertools
import operator
import sqlite3
import sys
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from bench.peers.flow_workloads import METHODS, TURNS
from bench.peers.measuring import Workload, serve


class Count(TypedDict):
    count: int


class Sum(TypedDict):
    count: Annotated[int, operator.add]


class Graphs:
    def __init__(self, saver: Any) -> None:
        self.saver = saver
        self.threads = itertools.count()

    def chain(self) -> Any:
        graph = StateGraph(Count)
        for at in range(METHODS):
            graph.add_node(f"m{at}", lambda state, at=at: {"count": at + 1})
        for before, after in itertools.pairwise([START, *(f"m{at}" for at in range(METHODS)), END]):
            graph.add_edge(before, after)
        return graph.compile(checkpointer=self.saver)

    def fan_out(self) -> Any:
        graph = StateGraph(Sum)
        graph.add_node("begin", lambda state: {})
        graph.add_node("join", lambda state: {})
        graph.add_edge(START, "begin")
        names = [f"m{at}" for at in range(METHODS)]
        for name in names:
            graph.add_node(name, lambda state: {"count": 1})
            graph.add_edge("begin", name)
        graph.add_edge(names, "join")
        graph.add_edge("join", END)
        return graph.compile(checkpointer=self.saver)

    def loop(self) -> Any:
        graph = StateGraph(Count)
        graph.add_node("begin", lambda state: {"count": 0})
        graph.add_node("turn", lambda state: {"count": state["count"] + 1})
        graph.add_node("end", lambda state: {})
        graph.add_edge(START, "begin")
        graph.add_edge("begin", "turn")
        graph.add_conditional_edges("turn", lambda state: "turn" if state["count"] < TURNS else "end", ["turn", "end"])
        graph.add_edge("end", END)
        return graph.compile(checkpointer=self.saver)

    def kickoffs(self, graph: Any, expected: int) -> Workload:
        def run(count: int) -> None:
            for _ in range(count):
                config: dict[str, Any] = {"recursion_limit": TURNS + 10}
                kept: Any = {}
                if self.saver is not None:
                    config["configurable"] = {"thread_id": str(next(self.threads))}
                    kept = {"durability": "sync"}
                result = graph.invoke({"count": 0}, config, **kept)
                assert result["count"] == expected, result

        return run


def main(*options: str) -> None:
    saver = None
    if "saver" in options:
        connection = sqlite3.connect("langgraph.db", check_same_thread=False)
        saver = SqliteSaver(connection)
        saver.setup()
        connection.execute("pragma synchronous=normal")
    graphs = Graphs(saver)
    serve(
        {
            "chain": graphs.kickoffs(graphs.chain(), METHODS),
            "fan_out": graphs.kickoffs(graphs.fan_out(), METHODS),
            "loop": graphs.kickoffs(graphs.loop(), TURNS),
        },
        packages=("langgraph", "langgraph-checkpoint-sqlite"),
        durability="none" if saver is None else "each step in SQLite before the next one, WAL, synchronous=NORMAL",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
