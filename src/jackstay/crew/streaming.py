"""`Crew(stream=True)`: a kickoff that is listened to. What its models say comes piece by piece, the output at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from jackstay.core.paths import numbered
from jackstay.core.pieces import Piece
from jackstay.core.tasks import task_keys
from jackstay.crew.output import CrewOutput
from jackstay.crew.task import Task
from jackstay.engine.asked import Kickoff
from jackstay.engine.bridge import Work
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope
from jackstay.engine.streamed import Streamed


class StreamChunkType(StrEnum):
    TEXT = "text"
    TOOL_CALL = "tool_call"


class ToolCallChunk(BaseModel):
    """A tool call that is being said: its name first, then its arguments' JSON text in `arguments`, as it comes."""

    index: int = 0
    tool_name: str = ""
    arguments: str = ""


class StreamChunk(BaseModel):
    """Some of what the model of a task's agent says. `replayed`: from the record, in one piece. `restart`: the answer is
    asked for anew; what came of the same `call` before it does not count."""

    content: str = ""
    chunk_type: StreamChunkType = StreamChunkType.TEXT
    task_index: int = 0
    task_name: str = ""
    task_id: str = ""
    agent_role: str = ""
    agent_id: str = ""
    tool_call: ToolCallChunk | None = None
    replayed: bool = False
    restart: bool = False
    call: str = ""
    """The step that says it: its path in the run."""
    item: int = 0
    """Of `kickoff_for_each`: which of the inputs, from 0."""


class CrewStreamingOutput(Streamed[StreamChunk]):
    """A kickoff that begins when it is first iterated, by `for` or `async for`, and ends with the iteration.

    What the run raises is raised by the iteration. `close()` (`await aclose()`) stops the run; leaving a `with` (`async
    with`) block does. A consumer that is slow gets more text at a time and slows nobody.
    """

    def __init__(
        self,
        runtime: Runtime,
        tasks: list[Task],
        kickoffs: Sequence[Kickoff],
        work: Callable[[Sequence[Kickoff]], Work[Any]],
        present: Callable[[Any], Sequence[CrewOutput]],
    ) -> None:
        """`work` is what a kickoff of these would do, `present` makes outputs of its result, one for each."""
        self._present = present
        self._names = [_Names(tasks, item) for item in range(len(kickoffs))]
        pairs = zip(self._names, kickoffs, strict=True)
        super().__init__(runtime, work([replace(each, body=self._listened(names, each.body)) for names, each in pairs]))
        self.chunks: list[StreamChunk] = []
        """Those that the iteration has given out."""

    @property
    def result(self) -> CrewOutput:
        """The crew's output. `RuntimeError` before the iteration has ended, and of several items; what the run raised, if
        it did."""
        if len(self._names) != 1:
            raise RuntimeError(f"the stream is of {len(self._names)} items: they are in its results")
        return self.results[0]

    @property
    def results(self) -> Sequence[CrewOutput]:
        """The outputs: one, or of `kickoff_for_each` its `CrewOutputs`. Raises as `result` does."""
        results: Sequence[CrewOutput] = self._the_result()
        return results

    def get_full_text(self) -> str:
        """All text that was given out, item by item, without what was restarted."""
        return "".join(text for _, _, text in sorted(self._texts(), key=lambda each: each[0]))

    def _texts(self) -> list[tuple[int, str, str]]:
        """With the item and the call that said it."""
        found: list[tuple[int, str, str]] = []
        for chunk in self.chunks:
            if chunk.restart:
                found = [each for each in found if each[:2] != (chunk.item, chunk.call)]
            elif chunk.chunk_type is StreamChunkType.TEXT:
                found.append((chunk.item, chunk.call, chunk.content))
        return found

    def _presented(self, outcome: Any) -> Sequence[CrewOutput]:
        return self._present(outcome)

    def _given(self, waiting: Any) -> StreamChunk:
        chunk: StreamChunk = waiting
        self.chunks.append(chunk)
        return chunk

    def _as_one(self, last: StreamChunk, new: StreamChunk) -> StreamChunk | None:
        return last.model_copy(update={"content": last.content + new.content}) if _is_one_text(last, new) else None

    def _at_the_end(self) -> Iterator[StreamChunk]:
        # Where nothing was done the whole run is a record.
        for names, output in zip(self._names, self._result or (), strict=False):
            yield from names.replayed(output)

    def _listened(self, names: _Names, body: Callable[[Scope], Any]) -> Callable[[Scope], Any]:
        async def listened(scope: Scope) -> Any:
            outer, names.scope = scope.listener, scope.path

            def heard(piece: Piece) -> None:
                names.heard = True
                self._push(names.chunk(piece))
                if outer is not None:
                    outer(piece)

            scope.listener = heard
            return await body(scope)

        return listened


class _Names:
    """Which item, task and agent a piece belongs to, by its path."""

    def __init__(self, tasks: list[Task], item: int) -> None:
        self.item, self.heard = item, False
        self.scope = ""
        """The crew's own path in the run."""
        keys = task_keys([task.key for task in tasks])
        self._tasks = {
            numbered("", *key): (index, task) for index, (key, task) in enumerate(zip(keys, tasks, strict=True))
        }
        self._order = tasks

    def chunk(self, piece: Piece) -> StreamChunk:
        inside = piece.path[len(self.scope) + 1 :] if self.scope else piece.path
        index, task = self._tasks.get(inside.partition("/")[0], (0, None))
        agent = next((each for each in (task.workers if task else ()) if each.role == piece.agent), None)
        agent = agent or (task.agent if task else None)
        call = None
        if piece.kind == "tool_call":
            call = ToolCallChunk(index=piece.tool_index, tool_name=piece.tool_name, arguments=piece.text)
        return StreamChunk(
            content="" if piece.kind == "tool_call" else piece.text,
            chunk_type=StreamChunkType.TOOL_CALL if call is not None else StreamChunkType.TEXT,
            task_index=index,
            task_name=task.label if task else "",
            task_id=str(task.id) if task else "",
            agent_role=piece.agent,
            agent_id=str(agent.id) if agent else "",
            tool_call=call,
            replayed=piece.replayed,
            restart=piece.kind == "restart",
            call=piece.path,
            item=self.item,
        )

    def replayed(self, output: CrewOutput) -> Iterator[StreamChunk]:
        """What stands in the record, if nobody has said anything."""
        for path, said in zip(self._tasks, () if self.heard else output.tasks_output, strict=False):
            if said.raw:
                yield self.chunk(Piece(f"{self.scope}/{path}".lstrip("/"), said.agent, "text", said.raw, replayed=True))


def _is_one_text(last: StreamChunk, chunk: StreamChunk) -> bool:
    texts = last.chunk_type is chunk.chunk_type is StreamChunkType.TEXT
    return (
        texts
        and (last.item, last.call) == (chunk.item, chunk.call)
        and not (last.restart or chunk.restart or last.replayed or chunk.replayed)
    )
