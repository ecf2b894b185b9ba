"""What `kickoff_for_each` gives back: one output for each item, and what of it failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jackstay.crew.output import CrewOutput, UsageMetrics
from jackstay.engine.batch import Ended, Failed

OnError = Literal["keep", "raise"]


class CrewOutputs(list[CrewOutput]):
    """The items' outputs in the order of the inputs. One that failed has `ok=False`, `error`, and an empty `raw`."""

    _errors: tuple[BaseException, ...] = ()

    @property
    def failed(self) -> list[CrewOutput]:
        """The outputs of the items that failed, in their order."""
        return [output for output in self if not output.ok]

    def raise_if_any(self) -> None:
        """Raises what the first failed item raised, with a note on the others; nothing if none failed."""
        if not self._errors:
            return
        first, rest = self._errors[0], len(self._errors) - 1
        note = f"{len(self._errors)} of {len(self)} items failed; this is the first one's error"
        if rest and note not in getattr(first, "__notes__", ()):
            first.add_note(note)
        raise first

    @property
    def token_usage(self) -> UsageMetrics:
        """Of all items together, the failed ones included."""
        total = UsageMetrics()
        for output in self:
            total.add_usage_metrics(output.token_usage)
        return total


def outputs_of(ended: Sequence[Ended], on_error: OnError) -> CrewOutputs:
    """`on_error="raise"`: raises the first failure."""
    outputs = CrewOutputs(_output(each) for each in ended)
    outputs._errors = tuple(each.error for each in ended if isinstance(each, Failed))
    if on_error == "raise":
        outputs.raise_if_any()
    return outputs


def _output(ended: Ended) -> CrewOutput:
    if not isinstance(ended, Failed):
        return CrewOutput.of(ended)
    return CrewOutput(
        ok=False,
        error=f"{type(ended.error).__name__}: {ended.error}",
        run_id=ended.run_id,
        path=ended.path,
        token_usage=UsageMetrics.of(ended.bill),
        cost_usd=ended.bill.cost_usd,
    )
