"""What a flow has to do with people: `ask`, the feedback that it was given, and going on after a pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast

from jackstay.core.feedback import FlowTalk, HumanFeedbackResult, PendingFeedbackContext
from jackstay.engine.asking import ask
from jackstay.engine.bridge import loop_is_running, run_async, run_sync
from jackstay.engine.runtime import current_runtime
from jackstay.errors import NoPendingFeedback
from jackstay.flow import pausing
from jackstay.flow.running import vouch
from jackstay.flow.state import StateBox

if TYPE_CHECKING:
    from jackstay.flow.flow import Flow


class AsksPeople:
    """Part of `Flow`."""

    input_provider: Any = None
    """Who answers `ask`: an object with `request_input(message, flow, metadata)`; None: `flow_config`'s, else the console."""
    _talk: FlowTalk = FlowTalk()
    _paused: pausing.Paused | None = None

    def ask(self, message: str, timeout: float | None = None, metadata: Mapping[str, Any] | None = None) -> str | None:
        """A text from a person, in a method of the running flow. None: not within `timeout` seconds, or the provider has
        failed.

        Recorded: a resumed run does not ask again. Where nobody is there the run waits, and the method is called again
        when there is an answer; its steps, kickoffs and model calls return what they had. In `async def`: `aask`.
        """
        said: str | None = run_sync(
            current_runtime(),
            lambda home: ask(home, self, self.input_provider, message, timeout, metadata),
            name="ask",
        )
        return said

    async def aask(
        self,
        message: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as `ask` has it, whose name is CrewAI's
        metadata: Mapping[str, Any] | None = None,
    ) -> str | None:
        """As `ask`, to be awaited: for `async def` methods."""
        return await run_async(
            current_runtime(), lambda home: ask(home, self, self.input_provider, message, timeout, metadata)
        )

    @property
    def human_feedback_history(self) -> list[HumanFeedbackResult]:
        """What people have said in the run, in order; outside of one, in the last."""
        return list(self._talk.history)

    @property
    def last_human_feedback(self) -> HumanFeedbackResult | None:
        return self._talk.history[-1] if self._talk.history else None

    @property
    def pending_feedback(self) -> PendingFeedbackContext | None:
        """What the paused run of this object asks; None if there is none."""
        return self._paused.context if self._paused else None

    @classmethod
    def from_pending(
        cls,
        flow_id: str,
        persistence: Any = None,  # noqa: ARG003 - CrewAI's code gives it; the journal has it all
        **fields: Any,
    ) -> Self:
        """A flow object for a run that waits for a person's words, with the state as it is; `resume` goes on with it.

        `flow_id`: that of the pause's context, or the run's id or run key. `persistence` is accepted: the journal has it
        all. Raises `NoPendingFeedback` (a `ValueError`).
        """
        runtime, made = current_runtime(), cls(**fields)
        flow = cast("Flow[Any]", made)
        vouch(runtime, flow)
        made._paused, _ = pausing.find_paused(runtime, flow_id, flow._name)
        pausing.restored(runtime, made._paused, StateBox(flow._state, runtime.codec))
        return made

    def resume(self, feedback: str = "") -> Any:
        """Answers what the paused run of this object asks, and goes on with it; returns what `kickoff` returns, another
        `HumanFeedbackPending` if it asks again. In an event loop: `resume_async`.

        Raises `AlreadyResumed` if somebody else has answered, `NoPendingFeedback` if there is nothing to answer.
        """
        if loop_is_running():
            raise RuntimeError("resume() would block the event loop that is running here; await resume_async()")
        run_id, inputs = self._answered(feedback)
        return cast("Flow[Any]", self).kickoff(inputs, resume=run_id)

    async def resume_async(self, feedback: str = "") -> Any:
        """As `resume`, to be awaited."""
        runtime = current_runtime()
        run_id, inputs = await run_async(runtime, lambda _: runtime.off_loop(self._answered, feedback))
        return await cast("Flow[Any]", self).akickoff(inputs, resume=run_id)

    def _answered(self, feedback: str) -> tuple[str, dict[str, Any]]:
        paused, runtime = self._paused, current_runtime()
        if paused is None:
            raise NoPendingFeedback(
                "No pending feedback context: this flow object has no paused run; take one up with from_pending(flow_id)"
            )
        pausing.answered(runtime, paused, feedback)
        self._paused = None
        return paused.run_id, pausing.inputs_of(runtime, paused.run_id)
