"""The spans of one run that happens now, and where users' code finds itself in them. Loaded when spans are made."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.trace import Span

from jackstay.core.messages import Conversation, Message
from jackstay.core.paths import parent_of
from jackstay.core.records import RunEnd, StepRow
from jackstay.observe.open_spans import RootSpan, StepSpan
from jackstay.observe.otel import Spans
from jackstay.observe.past_spans import around_root, past_root
from jackstay.observe.span_attributes import Described, Describing
from jackstay.observe.spans import EpochSpans, Placed
from jackstay.observe.writing import WAITING_MOST, Job

if TYPE_CHECKING:
    from jackstay.engine.run import Run


Put = Callable[[Job], bool]
"""Takes a job that is done on another thread. False: it takes no more."""


class RunTrace:
    """The spans of one epoch of a run. The engine loop says what has ended; where that stands in the tree, and what is in it, is
    found out by who sends it, of much at once: between a run's steps it takes longer."""

    def __init__(self, spans: Spans, run: Run, put: Put, failed: Callable[[Exception], None], *, content: bool) -> None:
        # Little, for every kickoff waits for it: what only who sends needs is made there.
        self._spans, self._put, self._failed, self._run = spans, put, failed, run
        self._ids, self._context = run.span_ids, context.get_current()
        self._asked: dict[str, Conversation] | None = {} if content else None
        """What calls were asked with that have not ended, by path."""
        self._questions: dict[tuple[str, int], Conversation] = {}
        """Of those that have, by path and revision: at that path the next one may be asked already."""
        self._steps: dict[str, StepSpan] = {}
        """What stands for steps whose own code has begun."""
        self._ended: set[str] = set()
        """Paths at which something has ended: what begins there again is another span."""
        self._rows: deque[tuple[StepRow | None, StepSpan | None]] = deque(maxlen=WAITING_MOST)
        """That have no place yet. None: the end."""
        self._is_put = False
        self._lock = threading.Lock()
        self._epoch: EpochSpans | None = None
        self._placed: list[tuple[Sequence[Placed], StepSpan | None]] = []
        self._described: Describing | None = None
        self._root = self._begin()
        # One that is ours is sampled, and has no context yet.
        self._is_sampled = isinstance(self._root, RootSpan) or self._root.get_span_context().trace_flags.sampled
        if run.unended and self._is_sampled:
            rows, run.unended = run.unended, ()
            put(lambda: self._end_of_dead(rows))

    def _begin(self) -> Span:
        ids = self._ids
        parent, links = around_root(ids, self._run.row)
        if ids.epoch > 1 and parent is not None:
            if ids.parent is None:
                # As the first epoch's was decided: by the trace's id.
                parent = replace(parent, is_sampled=self._spans.would_sample(ids.trace, self._describe_root().name))
            if (around := self._spans.current()) is not None:
                links.append(around)
        # As it will be sent later; of an epoch that goes on with a run nothing says when it began.
        began = (self._run.row.started_at if ids.epoch == 1 else None) or self._run.now()
        return self._spans.begin_root(
            self._describe_root, ids, parent=parent, context=self._context, started_at=began, links=links
        )

    def _describe_root(self) -> Described:
        return self._describing().root(self._ids.epoch)

    def _describing(self) -> Describing:
        """With what is masked now."""
        masking = self._run.runtime.masked.now
        if self._described is None or self._described.masking is not masking:
            asked = None if self._asked is None else self._asked_with
            self._described = Describing(self._run.row, masking, asked=asked)
        return self._described

    # --- steps -------------------------------------------------------------------------------------------------------

    def ended(self, row: StepRow) -> None:
        """A step's row was made."""
        if self._is_sampled:
            self._ended.add(row.path)
            if self._asked and (asked := self._asked.pop(row.path, None)) is not None:
                self._questions[row.path, row.rev] = asked
            self._tell_of(row, self._steps.pop(row.path, None))

    def over(self, end: RunEnd) -> None:
        """The epoch has ended: the run is over, or waits."""
        finished_at = end.finished_at or self._run.now()
        self._tell_of(None, None)

        def tell() -> None:
            attributes, failed = self._describing().ending(end.status, end.reason, end.error)
            self._spans.end(self._root, finished_at, failed=failed, attributes=attributes)

        self._put(tell)

    def _tell_of(self, row: StepRow | None, own: StepSpan | None) -> None:
        self._rows.append((row, own))
        if not self._is_put:
            self._is_put = True
            if not self._put(self._tell):
                self._is_put = False

    def _tell(self) -> None:
        self._is_put = False  # before anything is taken: what comes from here on says it again
        self._place()
        with self._lock:
            placed, self._placed = self._placed, []
        for each, own in placed:
            try:
                self._send(each, own)
            except Exception as error:  # noqa: BLE001 - of one step; the others are told
                self._failed(error)

    def _place(self) -> EpochSpans:
        with self._lock:
            epoch = self._epoch = self._epoch or EpochSpans(self._ids)
            while self._rows:
                row, own = self._rows.popleft()
                if placed := epoch.left_open() if row is None else epoch.place(row):
                    self._placed.append((placed, own))
            return epoch

    def _send(self, placed: Sequence[Placed], own: StepSpan | None = None) -> None:
        describing = self._describing()
        for each in placed:
            mine = own if each.row is not None else None
            self._spans.tell(describing, each, trace_id=self._ids.trace, context=self._context, own=mine)

    def _end_of_dead(self, rows: Sequence[StepRow]) -> None:
        """Of a process that did not live to tell it: the scopes that it was in, and its root."""
        ids = replace(self._ids, epoch=self._ids.epoch - 1)
        told = EpochSpans(ids)
        for row in rows:
            told.place(row)
        self._send(told.left_open())
        past_root(self._spans, self._describing(), self._run.row, ids, rows, ("interrupted", None, None))

    # --- where users' code finds itself --------------------------------------------------------------------------------

    def enter(self, path: str) -> None:
        """Makes the step's span the current one in this context (contexts are copied per call)."""
        current = trace.get_current_span()
        # A model of the user's own is asked inside of its call's span, which has no scope.
        inside = (
            isinstance(current, StepSpan) and current.ids.run_id == self._run.id and current.path.startswith(f"{path}/")
        )
        if not (inside and path):
            context.attach(trace.set_span_in_context(self._span_at(path)))

    def asking(self, path: str, conversation: Conversation) -> _Inside:
        """Around a model's request: what is below it (a client that the host traces) is below the call's span."""
        if self._asked is not None:
            self._asked[path] = conversation
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

    def _asked_with(self, row: StepRow) -> Sequence[Message]:
        asked = self._questions.pop((row.path, row.rev), None)
        return asked.messages if asked is not None else ()


class _Inside:
    """A span is the current one. Not by `contextmanager`, which takes longer than what is in it."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = context.attach(trace.set_span_in_context(self._span))

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)
