"""A decision of user code about an output or inputs: a condition's, a guardrail's, a kickoff callback's. A step of its
task or crew: a resumed run that comes to the same question reads what was decided and does not call the function again."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jackstay.core.canonical import ordered_json
from jackstay.core.failures import Failure, failure_of, rebuild
from jackstay.core.records import StepKind, StepRow
from jackstay.engine.scope import Scope
from jackstay.engine.user_code import call_user


class Decision:
    """One asking. `part` is the step's name in its path, `name` what its row says, `args_hash` that of what the function
    is shown."""

    def __init__(self, around: Scope, part: str, kind: StepKind, name: str, args_hash: str) -> None:
        self.run = around.run
        self.scope = around.child(around.numbered(part))
        self.kind, self.name = kind, name
        self.args_hash = args_hash
        self.run.check(self.scope)
        self.began = self.run.began()
        self.gone_on_from: StepRow | None = None
        """A failure that something was recorded after, once `recorded` has looked."""

    def recorded(self) -> Any:
        """What was decided on the same question, as JSON data; None: it has to be asked. A failure is asked again: it ended
        its crew, or its task, unless the task went on after it (`gone_on_from`)."""
        row = self.run.find(self.scope.path, self.args_hash)
        if row is None or row.status != "succeeded":
            self.gone_on_from = row
            return None
        self.run.tell("reused", self.scope.path, kind=self.kind, name=self.name)
        return json.loads(row.result or "null")

    def failed_before(self, row: StepRow) -> Exception:
        """What was raised then."""
        self.run.tell("reused", self.scope.path, kind=self.kind, name=self.name)
        return rebuild(Failure.from_json(row.error or "{}"), self.run.runtime.codec.classes)

    async def ask(self, function: Callable[..., Any], shown: Any) -> Any:
        """What the function says of what it is shown. One that swallowed a stop of the run has decided nothing."""
        said = await call_user(self.scope, function, shown)
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
                result=ordered_json(decided), flags=flags, agent=self.scope.agent, task=self.scope.task,
            )
        )  # fmt: skip
