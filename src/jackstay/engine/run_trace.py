"""The spans of one run that happens now, and where users' code finds itself in them. Loaded when spans are made."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.trace import Span

from jackstay.core.messages import Conversation, Message
from jackstay.core.paths import parent_of
from jackstay.core.records import RunEnd, StepRow
from jackstay.observe.open_spans import RootSpan, StepSpan
from jackstay.observe.otel import Spans
from jackstay.observe.past_spans import around_root, past_root
from jackstay.observe.span_attributes import Describing
from jackstay.observe.span_shapes import Shapes
from jackstay.observe.spans import EpochSpans, Placed
from jackstay.observe.writing import WAITING_MOST, Job

if TYPE_CHECKING:
    from jackstay.engine.run import Run


Put = Callable[[Job], bool]
"""Takes a job that is done on another thread. False: it takes no more."""


class RunTrace:
    """The spans of one epoch of a run. The engine loop says what has ended; where that stands in the tree, and what is in it, is
    found out by who sends it, of much at once: between a run's steps it takes longer."""

    def __init__(
        self,
        spans: Spans,
        run: Run,
        put: Put,
        failed: Callable[[Exception], None],
        *,
        shapes: Shapes,
        content: bool,
    ) -> None:
        # Little, for every kickoff waits for it: what only who sends needs is made there. And nothing that it has leads back
        # to it or to the run: what waits to be told would have to wait for the garbage collector, too.
        self._spans, self._put, self._failed, self._run_row = spans, put, failed, run.row
        self._ids, self._clock, self._context = run.span_ids, run.runtime.clock, context.get_current()
        self._questions = _Questions() if content else None
        asked = None if self._questions is None else self._questions.of
        self._describing = Describing(run.row, shapes, asked=asked)
        self._steps: dict[str, StepSpan] = {}
        """What stands for steps whose own code has begun."""
        self._ended: set[str] = set()
        """Paths at which something has ended: what begins there again is another span."""
        self._rows: deque[tuple[StepRow | RunEnd, StepSpan | None]] = deque(maxlen=WAITING_MOST)
        """What has ended and has no place yet."""
        self._is_put = False
        self._lock = threading.Lock()
        self._epoch: EpochSpans | None = None
        self._placed: list[tuple[Sequence[Placed], StepSpan | None]] = []
        self._end: RunEnd | None = None
        self._root = self._begin()
        # One that is ours is sampled, and has no context yet.
        self._is_sampled = isinstance(self._root, RootSpan) or self._root.get_span_context().trace_flags.sampled
        if run.unended and self._is_sampled:
            rows, run.unended = run.unended, ()
            put(lambda: self._end_of_dead(rows))

    def _begin(self) -> Span:
        ids, row = self._ids, self._run_row
        parent, links = around_root(ids, row)
        describe = partial(self._describing.root, ids.epoch)
        if ids.epoch > 1 and parent is not None:
            if ids.parent is None:
                # As the first epoch's was decided: by the trace's id.
                parent = replace(parent, is_sampled=self._spans.would_sample(ids.trace, describe().name))
            if (around := self._spans.current()) is not None:
                links.append(around)
        # As it will be sent later; of an epoch that goes on with a run nothing says when it began.
        began = (row.started_at if ids.epoch == 1 else None) or self._clock.now()
        return self._spans.begin_root(
            describe, ids, parent=parent, context=self._context, started_at=began, links=links
        )

    # --- steps -------------------------------------------------------------------------------------------------------

    def ended(self, row: StepRow) -> None:
        """A step's row was made."""
        if self._is_sampled:
            self._ended.add(row.path)
            if self._questions is not None:
                self._questions.ended(row)
            self._tell_of(row, self._steps.pop(row.path, None))

    def over(self, end: RunEnd) -> None:
        """The epoch has ended: the run is over, or waits."""
        self._tell_of(end if end.finished_at is not None else replace(end, finished_at=self._clock.now()), None)

    def _tell_of(self, ended: StepRow | RunEnd, own: StepSpan | None) -> None:
        self._rows.append((ended, own))
        if not self._is_put:
            self._is_put = True
            if not self._put(self._tell):
                self._is_put = False

    def _tell(self) -> None:
        self._is_put = False  # before anything is taken: what comes from here on says it again
        self._place()
        with self._lock:
            placed, self._placed = self._placed, []
            end, self._end = self._end, None
        for each, own in placed:
            try:
                self._send(each, own)
            except Exception as error:  # noqa: BLE001 - of one step; the others are told
                self._failed(error)
        if end is not None:
            assert end.finished_at is not None
            attributes, failed = self._describing.ending(end.status, end.reason, end.error)
            self._spans.end(self._root, end.finished_at, failed=failed, attributes=attributes)

    def _place(self) -> EpochSpans:
        with self._lock:
            epoch = self._epoch = self._epoch or EpochSpans(self._ids)
            while self._rows:
                ended, own = self._rows.popleft()
                if isinstance(ended, RunEnd):
                    self._end, placed = ended, epoch.left_open()
                else:
                    placed = epoch.place(ended)
                if placed:
                    self._placed.append((placed, own))
            return epoch

    def _send(self, placed: Sequence[Placed], own: StepSpan | None = None) -> None:
        for each in placed:
            mine = own if each.row is not None else None
            self._spans.tell(self._describing, each, trace_id=self._ids.trace, context=self._context, own=mine)

    def _end_of_dead(self, rows: Sequence[StepRow]) -> None:
        """Of a process that did not live to tell it: the scopes that it was in, and its root."""
        ids = replace(self._ids, epoch=self._ids.epoch - 1)
        told = EpochSpans(ids)
        for row in rows:
            told.place(row)
        self._send(told.left_open())
        past_root(self._spans, self._describing, self._run_row, ids, rows, ("interrupted", None, None))

    # --- where users' code finds itself --------------------------------------------------------------------------------

    def enter(self, path: str) -> None:
        """Makes the step's span the current one in this context (contexts are copied per call)."""
        current = trace.get_current_span()
        # A model of the user's own is asked inside of its call's span, which has no scope.
        inside = (
            isinstance(current, StepSpan)
            and current.ids.run_id == self._ids.run_id
            and current.path.startswith(f"{path}/")
        )
        if not (inside and path):
            context.attach(trace.set_span_in_context(self._span_at(path)))

    def asking(self, path: str, conversation: Conversation) -> _Inside:
        """Around a model's request: what is below it (a client that the host traces) is below the call's span."""
        if self._questions is not None:
            self._questions.asked(path, conversation)
        return _Inside(self._span_at(path))

    def _span_at(self, path: str) -> Span:
        if not path:
            return self._root
        found = self._steps.get(path)
        if found is None:
            found = self._steps[path] = StepSpan(self._ids, path, self._again(path), is_sampled=self._is_sampled)
        return found

    def _again(self, path: str) -> str | None:
        """The id of a step that may have ended before."""
        at = path
        while at and at not in self._ended:
            at = parent_of(at)
        if not at:  # nearly always
            return None
        return self._place().id_of(path)


class _Questions:
    """What calls were asked with, until their spans are told."""

    def __init__(self) -> None:
        self._open: dict[str, Conversation] = {}
        """Of calls that have not ended, by path."""
        self._ended: dict[tuple[str, int], Conversation] = {}
        """Of those that have, by path and revision: at that path the next one may be asked already."""

    def asked(self, path: str, conversation: Conversation) -> None:
        self._open[path] = conversation

    def ended(self, row: StepRow) -> None:
        if (asked := self._open.pop(row.path, None)) is not None:
            self._ended[row.path, row.rev] = asked

    def of(self, row: StepRow) -> Sequence[Message]:
        asked = self._ended.pop((row.path, row.rev), None)
        return asked.messages if asked is not None else ()


class _Inside:
    """A span is the current one. Not by `contextmanager`, which takes longer than what is in it."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = context.attach(trace.set_span_in_context(self._span))

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)
