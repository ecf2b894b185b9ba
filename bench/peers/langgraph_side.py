"""LangGraph with one ChatOpenAI for all graphs: without a saver, or with `saver` in SQLite.

A task is a node that asks the model with what the node before it has said. The saver keeps the promise that ours does:
`durability="sync"` has a step on disk before the next one starts, and its connection syncs as ours (NORMAL, not FULL).
"""

from __future__ import annotations

import itertools
import operator
import sqlite3
import sys
from typing import Annotated, Any, TypedDict

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from bench.peers.measuring import KEY, MODEL, SYSTEM, TASK, TASKS, at_once, each, serve


class Outputs(TypedDict):
    outputs: Annotated[list[str], operator.add]


@tool
def word_count(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


class Graphs:
    def __init__(self, url: str, saver: Any) -> None:
        self.llm = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0)
        self.saver = saver
        self.threads = itertools.count()

    def crew(self, tasks: int = 1) -> Any:
        graph = StateGraph(Outputs)
        names = [f"task{number}" for number in range(tasks)]
        for name in names:
            graph.add_node(name, self.task)
        for before, after in itertools.pairwise([START, *names, END]):
            graph.add_edge(before, after)
        return graph.compile(checkpointer=self.saver)

    def task(self, state: Outputs) -> dict[str, list[str]]:
        return {"outputs": [self.llm.invoke(self.messages(state)).text]}

    def messages(self, state: Outputs) -> list[Any]:
        context = "".join(f"\n\n{output}" for output in state["outputs"][-1:])
        return [SystemMessage(SYSTEM), HumanMessage(TASK + context)]

    def awaiting(self) -> Any:
        async def task(state: Outputs) -> dict[str, list[str]]:
            return {"outputs": [(await self.llm.ainvoke(self.messages(state))).text]}

        graph = StateGraph(Outputs)
        graph.add_node("task", task)
        graph.add_edge(START, "task")
        graph.add_edge("task", END)
        return graph.compile()

    def with_tool(self) -> Any:
        bound = self.llm.bind_tools([word_count])
        graph = StateGraph(MessagesState)
        graph.add_node("agent", lambda state: {"messages": [bound.invoke(state["messages"])]})
        graph.add_node("tools", ToolNode([word_count]))
        graph.add_edge(START, "agent")
        graph.add_conditional_edges("agent", tools_condition)
        graph.add_edge("tools", "agent")
        return graph.compile(checkpointer=self.saver)

    def invoke(self, graph: Any, given: dict[str, Any] | None = None) -> Any:
        kept: Any = {}
        if self.saver is not None:
            kept = {"config": {"configurable": {"thread_id": str(next(self.threads))}}, "durability": "sync"}
        return graph.invoke(given or {"outputs": []}, **kept)


def main(url: str, *options: str) -> None:
    saver = None
    if "saver" in options:
        connection = sqlite3.connect("langgraph.db", check_same_thread=False)
        saver = SqliteSaver(connection)
        saver.setup()
        connection.execute("pragma synchronous=normal")
    graphs = Graphs(url, saver)
    one, ten, asking, awaiting = graphs.crew(), graphs.crew(TASKS), graphs.with_tool(), graphs.awaiting()
    asked = {"messages": [SystemMessage(SYSTEM), HumanMessage(TASK)]}
    serve(
        {
            "one_task": each(lambda: graphs.invoke(one)),
            "ten_tasks": each(lambda: graphs.invoke(ten)),
            "tool_call": each(lambda: graphs.invoke(asking, asked)),
            "fresh": each(lambda: graphs.invoke(graphs.crew())),
            "construction": each(graphs.crew),
            "at_once": at_once(lambda: awaiting.ainvoke({"outputs": []})),
        },
        packages=("langgraph", "langchain-openai", "openai", "langgraph-checkpoint-sqlite"),
        durability="none" if saver is None else "each step in SQLite before the next one, WAL, synchronous=NORMAL",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
