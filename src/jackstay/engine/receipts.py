"""What tools that act had done in attempts of a task that failed (`on_error`). The attempts after it, whose model knows
nothing of it, are answered by it when they make the same call: a task that is done again does not act again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from jackstay.core.canonical import digest
from jackstay.core.failures import Failure
from jackstay.core.intents import NOT_CALLED, SIDE_EFFECT
from jackstay.core.progress import normal_arguments
from jackstay.core.records import Intent, StepRow


@dataclass(frozen=True, slots=True)
class Receipt:
    """Of one call that has come to its end: what it has given, or how it failed (it may have acted before that)."""

    path: str
    """Where it was made; an answer by a receipt has the path of the call that has acted."""
    key: str
    text: str
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A call that was interrupted: nobody knows whether it has acted."""

    key: str
    intent: Intent
    agent: str | None


def key_of(tool: str, arguments: str) -> str:
    return digest([tool, normal_arguments(arguments)])


def receipt_of(row: StepRow) -> Receipt | None:
    """What a tool's row says of an act."""
    flags = (row.flags or "").split(",")
    if row.status not in ("succeeded", "failed") or SIDE_EFFECT not in flags or NOT_CALLED in flags:
        return None
    request = json.loads(row.request or "{}")
    key = key_of(row.name, request.get("arguments", ""))
    text = json.loads(row.result or "{}").get("text", "")
    return Receipt(request.get("receipt", row.path), key, text, Failure.from_json(row.error) if row.error else None)


class DoneByTools:
    """Of one run, filled from its rows."""

    def __init__(self) -> None:
        self._receipts: dict[str, Receipt] = {}
        self._unsettled: list[Unsettled] = []

    def note(self, row: StepRow) -> None:
        receipt = receipt_of(row) if row.flags else None
        if receipt is not None:
            self._receipts[row.path] = receipt

    def leave_unsettled(self, tool: str, arguments: str, intent: Intent, agent: str | None) -> None:
        self._unsettled.append(Unsettled(key_of(tool, arguments), intent, agent))

    def at(self, path: str) -> Receipt | None:
        return self._receipts.get(path)

    def under(self, path: str) -> dict[str, Receipt]:
        """By the paths of the calls that have acted, each once."""
        return {each.path: each for at, each in self._receipts.items() if at.startswith(f"{path}/")}

    def unsettled_under(self, path: str) -> list[Unsettled]:
        return [each for each in self._unsettled if each.intent.path.startswith(f"{path}/")]


class Receipts:
    """For the attempts of one task."""

    def __init__(self, done: DoneByTools, path: str, around: Receipts | None) -> None:
        """`around`: of the task that this one is a part of."""
        self._done, self._path, self._around = done, path, around
        self._left: dict[str, Receipt] = {}
        self._unsettled: list[Unsettled] = []

    def begin_again(self) -> None:
        """Another attempt begins: what those before it have done is there for it, each act once."""
        self._left, self._unsettled = self._done.under(self._path), self._done.unsettled_under(self._path)

    def take(self, tool: str, arguments: str) -> Receipt | None:
        """What answers this call, for the first time in this attempt."""
        key = key_of(tool, arguments)
        found = next((each for each in self._left.values() if each.key == key), None)
        if found is None:
            found = self._around.take(tool, arguments) if self._around is not None else None
        if found is not None:
            self.use_up(found)
        return found

    def use_up(self, receipt: Receipt) -> None:
        self._left.pop(receipt.path, None)
        if self._around is not None:
            self._around.use_up(receipt)

    def unsettled(self, tool: str, arguments: str) -> Unsettled | None:
        """An equal call of an earlier attempt whose end nobody knows."""
        key = key_of(tool, arguments)
        found = next((each for each in self._unsettled if each.key == key), None)
        return found if found is not None or self._around is None else self._around.unsettled(tool, arguments)
