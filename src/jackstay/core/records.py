"""The rows of the journal as values. `journal/` stores them, `engine/` makes them, nobody changes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jackstay.core.budget import NOTHING, Amount, Hold
from jackstay.core.canonical import HASH_VERSION

ROW_FORMAT = 1
"""Version of the encodings inside a row (results, errors, requests)."""

RunKind = Literal["crew", "flow", "agent", "llm", "script", "batch"]
RunStatus = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
FailReason = Literal[
    "error", "max_iterations", "no_progress", "deadline", "budget", "guardrail", "storage", "interrupted"
]
StepKind = Literal[
    "llm", "tool", "task", "method", "crew", "flow", "agent", "guardrail", "step", "wait", "input", "returned"
]
StepStatus = Literal["succeeded", "failed", "cancelled", "opaque"]
ReservationState = Literal["open", "settled", "lost"]

SAVED = "saved"
"""A flag of methods' rows: behind them the flow's state is that which is loaded by its id."""

TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class RunRow:
    """One execution. `inputs`, `output`, `error`, `entry` and `tags` are JSON text; times are aware UTC."""

    id: str
    kind: RunKind
    name: str
    created_at: datetime
    status: RunStatus = "running"
    reason: FailReason | None = None
    inputs: str | None = None
    output: str | None = None
    error: str | None = None
    entry: str | None = None
    """How to start this program again: project and definition, `module:object`, or script, arguments, folder."""
    fingerprint: str | None = None
    run_key: str | None = None
    parent_run: str | None = None
    forked_from: str | None = None
    trigger: str | None = None
    deployment: str | None = None
    version: str | None = None
    project_id: str | None = None
    session_id: str | None = None
    idempotency_key: str | None = None
    model_override: str | None = None
    priority: int = 0
    attempts: int = 1
    """How often the run was taken up (1 + resumes)."""
    cancel_requested: bool = False
    not_before: datetime | None = None
    admitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    tags: str | None = None
    format: int = ROW_FORMAT


@dataclass(frozen=True, slots=True)
class RunEnd:
    """What is written into the run's row when it stops (or pauses)."""

    status: RunStatus
    finished_at: datetime | None
    reason: FailReason | None = None
    output: str | None = None
    error: str | None = None


# Not frozen, as the others are: that would make it take six times as long to make, and a run has thousands of them.
@dataclass(slots=True)
class StepRow:
    """One finished step. `seq` is 0 until the writer assigns it at commit (order of completion in the run)."""

    run_id: str
    path: str
    kind: StepKind
    name: str
    status: StepStatus
    args_hash: str
    started_at: datetime
    finished_at: datetime
    rev: int = 1
    seq: int = 0
    epoch: int = 1
    attempts: int = 1
    """Tries of the step; of a model call: requests sent by processes that lived to see their end."""
    hash_version: int = HASH_VERSION
    request: str | None = None
    """JSON text: what was asked, beside the messages."""
    request_ref: str | None = None
    """Hash of the conversation asked; its messages are blobs (see `MessagesBlob`)."""
    result: str | None = None
    error: str | None = None
    agent: str | None = None
    task: str | None = None
    model: str | None = None
    """Requested as; who answered stands in `answered_by`."""
    answered_by: str | None = None
    provider: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_pico: int | None = None
    """Pico-dollars; None: not a paid step, or the price is unknown (then `price_version` is None too)."""
    price_version: str | None = None
    flags: str | None = None
    """Words, comma-separated: estimated, streamed, simulated, cancelled, cached; skipped, missing (a task), rejected (by a guardrail);
    of a tool: side_effect, not_called, decided (by a person), receipt (of an earlier attempt), kept (may answer equal calls); saved (a method)."""
    duration_us: int = 0
    origin_run_id: str | None = None
    format: int = ROW_FORMAT
    tried: str | None = None
    """JSON text of a model call: the requests that gave no answer and the models that were passed over, each with its
    model and why."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside before one request of a paid call. Key: run, path, rev, attempt."""

    run_id: str
    path: str
    rev: int
    attempt: int
    epoch: int
    model: str
    created_at: datetime
    worst_pico: int | None = None
    worst_input_tokens: int = 0
    worst_output_tokens: int = 0
    state: ReservationState = "open"
    cost_pico: int | None = None
    outcome: str | None = None
    """`answered`, `cancelled`, or the failed attempt's error code; None while open or lost."""
    settled_at: datetime | None = None
    held: str | None = None
    """JSON text: name and period of each budget that the worst case is held in."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one reservation ended; written in the transaction of the step's row (or of the next attempt's reservation)."""

    run_id: str
    path: str
    rev: int
    attempt: int
    outcome: str
    settled_at: datetime
    cost_pico: int | None = None
    holds: tuple[Hold, ...] = ()
    """What the reservation held; given back, and `used` is spent instead."""
    used: Amount = NOTHING


@dataclass(frozen=True, slots=True)
class Intent:
    """That a tool with a side effect is about to be called. Key: run, path, rev; the call's row has the same key, and
    without one nobody knows whether the tool has acted."""

    run_id: str
    path: str
    rev: int
    epoch: int
    key: str
    """The idempotency key that the tool is given."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """A run pausing for a person. Key: run, path, rev."""

    run_id: str
    path: str
    rev: int
    kind: str
    """What is waited for: `budget`, `needs_decision`, or a person's words (`core.waits.PERSONAL`)."""
    prompt: str | None
    payload: str | None
    project_id: str | None
    created_at: datetime
    deadline: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """Content-addressed bytes. `sha256` is the address that rows refer to; equal content is stored once."""

    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class MessagesBlob:
    """A stretch of a conversation: the messages between two links of its hash chain.

    `sha256` is the chain's value after the last message, `parent` its value before the first (`EMPTY_CHAIN` at the
    start). Stored once however many requests share it, so that a run grows with its new messages only.
    """

    sha256: str
    parent: str
    messages: str
    """JSON text: a list of `Message.to_json()`."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on a run. Writes carry `epoch`; a higher epoch in the database fences this one off."""

    run_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The lease as another process sees it. `live` by the database's clock (and, on one machine, by the owner's
    existence)."""

    run_id: str
    epoch: int
    owner: str | None
    live: bool
    activity: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StateUse:
    """A kickoff of a flow with a state of some id: the run, or at `path` inside it."""

    run: RunRow
    path: str
    ended_well: bool


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a worker learns when it takes a run up: the new lease, the newest revision of every recorded step, all
    reservations of earlier epochs (open ones are `lost` now)."""

    lease: Lease
    run: RunRow
    steps: tuple[StepRow, ...]
    reservations: tuple[Reservation, ...]
    waits: tuple[Wait, ...] = ()
    intents: tuple[Intent, ...] = ()
    is_unended: bool = False
    """The process before has not written an end, nor that the run waits: it is gone."""


@dataclass(frozen=True, slots=True)
class Write:
    """Rows of one run that are committed together or not at all."""

    lease: Lease
    steps: tuple[StepRow, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    blobs: tuple[Blob | MessagesBlob, ...] = ()
    end: RunEnd | None = None
    """Given: the run's row gets its end and the lease is released, in the same transaction."""
    holds: tuple[Hold, ...] = ()
    """Of the reservations. One that is over its budget: nothing is written, and `DoesNotFit` is raised."""
    waits: tuple[Wait, ...] = ()
    intents: tuple[Intent, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list, newest first."""

    status: tuple[RunStatus, ...] = ()
    kind: tuple[RunKind, ...] = ()
    name: str | None = None
    unfinished: bool = False
    limit: int = 50
    session_id: str | None = None
    parent_run: str | None = None
    forked_from: str | None = None
    before: str | None = None
    """A run id: only older runs (paging)."""
    since: datetime | None = None
    """Only runs made then or later."""
    crew: str | None = None
    """Only runs of the crew with this name, or in which it was kicked off."""
