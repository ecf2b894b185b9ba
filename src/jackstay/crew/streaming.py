"""`Crew(stream=True)`: a kickoff that is listened to. What its models say comes piece by piece, the output at the end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
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
from jackstay.engine.bridge import STOP_WAIT_S, Work, run_async, run_sync
from jackstay.engine.home import Home
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope


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


class CrewStreamingOutput:
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
        self._runtime, self._present = runtime, present
        self._names = [_Names(tasks, item) for item in range(len(kickoffs))]
        pairs = zip(self._names, kickoffs, strict=True)
        self._listened_work = work([replace(each, body=self._listened(names, each.body)) for names, each in pairs])
        self._waiting = deque[StreamChunk]()
        self._changed = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self._begun = self._ended = self._closed = False
        self._work: asyncio.Task[Any] | None = None
        self._driver: asyncio.Task[Any] | None = None
        self._results: Sequence[CrewOutput] | None = None
        self._error: BaseException | None = None
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
        if self._error is not None:
            raise self._error
        if self._results is None or not self._ended:
            why = "it was closed" if self._closed else "it has not been iterated to its end"
            raise RuntimeError(f"the stream has no result: {why}")
        return self._results

    @property
    def is_completed(self) -> bool:
        return self._results is not None

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

    # --- iterating ---------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[StreamChunk]:
        return self

    def __next__(self) -> StreamChunk:
        self._begin(self._begin_on_thread)
        try:
            with self._runtime.pool.slot_given_back(), self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
        except BaseException:  # Ctrl-C: nobody listens any more
            self.close()
            raise
        chunk = self._next()
        if chunk is None:
            raise StopIteration
        return chunk

    def __aiter__(self) -> AsyncIterator[StreamChunk]:
        return self

    async def __anext__(self) -> StreamChunk:
        arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: _call_soon(loop, arrived.set)
        self._begin(self._begin_on_loop)
        try:
            while not self._waiting and not self._ended:
                await arrived.wait()
                arrived.clear()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        chunk = self._next()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def _next(self) -> StreamChunk | None:
        with self._changed:
            chunk = self._waiting.popleft() if self._waiting and not self._closed else None
        if chunk is not None:
            self.chunks.append(chunk)
        elif self._error is not None:
            raise self._error
        return chunk

    # --- stopping ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stops the run: requests in flight are closed, nothing more is spent, and it can be resumed. Returns when it
        has stopped (5 s at most). Does nothing when it has ended."""
        self._stop()
        with self._changed:
            self._changed.wait_for(lambda: self._ended, STOP_WAIT_S)

    async def aclose(self) -> None:
        """As `close`, to be awaited; of a stream that was iterated by `async for`."""
        self._stop()
        if self._driver is not None:
            await asyncio.wait([self._driver], timeout=STOP_WAIT_S)

    def __enter__(self) -> CrewStreamingOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> CrewStreamingOutput:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _stop(self) -> None:
        with self._changed:
            if self._ended:
                return
            self._closed = True
            if not self._begun:
                self._begun = self._ended = True
            work = self._work
        if work is not None:
            _call_soon(self._runtime.engine_loop.loop, work.cancel)

    # --- the run -----------------------------------------------------------------------------------------------------

    def _begin(self, begin: Callable[[], None]) -> None:
        with self._changed:
            if self._begun:
                return
            self._begun = True
        begin()

    def _begin_on_thread(self) -> None:
        # The thread is the home of the run's asynchronous functions: the caller's own is busy with what it is told.
        context = contextvars.copy_context()

        def drive() -> None:
            self._finish(lambda: context.run(run_sync, self._runtime, self._drive))

        threading.Thread(target=drive, name="jackstay-stream", daemon=True).start()

    def _begin_on_loop(self) -> None:
        self._driver = asyncio.create_task(run_async(self._runtime, self._drive))
        self._driver.add_done_callback(lambda driver: self._finish(driver.result))

    async def _drive(self, home: Home) -> Any:
        with self._changed:
            self._work = asyncio.current_task()
            closed = self._closed
        if closed:
            raise asyncio.CancelledError
        return await self._listened_work(home)

    def _finish(self, outcome: Callable[[], Any]) -> None:
        results: Sequence[CrewOutput] | None = None
        error: BaseException | None = None
        try:
            results = self._present(outcome())
        except (asyncio.CancelledError, concurrent.futures.CancelledError) as stopped:
            error = None if self._closed else stopped
        except BaseException as raised:  # noqa: BLE001 - raised again where the stream is iterated
            error = None if self._closed else raised
        # Where nothing was done the whole run is a record.
        told = [
            chunk for names, output in zip(self._names, results or (), strict=False) for chunk in names.replayed(output)
        ]
        with self._changed:
            self._waiting.extend(told)
            self._results, self._error, self._ended = results, error, True
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()

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

    def _push(self, chunk: StreamChunk) -> None:
        with self._changed:
            last = self._waiting[-1] if self._waiting else None
            if last is not None and _is_one_text(last, chunk):
                self._waiting[-1] = last.model_copy(update={"content": last.content + chunk.content})
            else:
                self._waiting.append(chunk)
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()


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


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
