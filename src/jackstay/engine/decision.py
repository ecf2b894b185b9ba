"""A decision of user code about an output: a condition's, a guardrail's. A step of its task: a resumed run that comes to
the same output reads what was decided and does not call the function again."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.failures import failure_of
from jackstay.core.records import StepKind
from jackstay.core.results import TaskResult, output_hash
from jackstay.engine.scope import Scope
from jackstay.engine.user_code import call_user


class Decision:
    """One asking. `part` is the step's name in its path, `name` what its row says."""

    def __init__(self, task: Scope, part: str, kind: StepKind, name: str, seen: TaskResult) -> None:
        self.run = task.run
        self.scope = task.child(task.numbered(part))
        self.kind, self.name = kind, name
        self.args_hash = output_hash(seen)
        self.run.check(self.scope)
        self.began = self.run.began()

    def recorded(self) -> Any:
        """What was decided on the same output, as JSON data; None: it has to be asked. A failure is asked again: nothing
        has gone on after it, since it ended its task."""
        row = self.run.find(self.scope.path, self.args_hash)
        if row is None or row.status != "succeeded":
            return None
        self.run.tell("reused", self.scope.path, kind=self.kind, name=self.name)
        return json.loads(row.result or "null")

    async def ask(self, function: Callable[..., Any], output: Any) -> Any:
        """What the function says of the output. One that swallowed a stop of the run has decided nothing."""
        said = await call_user(self.scope, function, output)
        self.run.check(self.scope)
        return said

    @contextmanager
    def recording_failure(self) -> Iterator[None]:
        """An exception in the block is the step's failure, unless the run was stopped."""
        try:
            yield
        except Exception as error:
            if error is not self.run.stop and not self.scope.is_late:
                failure = failure_of(error, traceback="".join(traceback.format_exception(error)))
                self.run.defer(
                    self.run.step_row(
                        self.began, self.scope.path, self.kind, self.name, "failed", self.args_hash,
                        error=failure, agent=self.scope.agent, task=self.scope.task,
                    )
                )  # fmt: skip
            raise

    def record(self, decided: Any, *, flags: str | None = None) -> None:
        """Writes the decision, as JSON data, into the run's next commit."""
        self.run.defer(
            self.run.step_row(
                self.began, self.scope.path, self.kind, self.name, "succeeded", self.args_hash,
                result=canonical_json(decided), flags=flags, agent=self.scope.agent, task=self.scope.task,
            )
        )  # fmt: skip
