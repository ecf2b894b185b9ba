"""`@human_feedback`: what a person is asked about a method's output, what becomes of the words, and flows that wait."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from jackstay import Flow, Runtime, and_, answer, human_feedback, listen, or_, router, start
from jackstay.core.records import RunFilter
from jackstay.errors import (
    AlreadyAnswered,
    AlreadyResumed,
    DefinitionError,
    HumanFeedbackPending,
    ModelAuthenticationFailed,
    ModelRejected,
    NoPendingFeedback,
)
from jackstay.flow import HumanFeedbackResult, flow_config
from jackstay.flow.async_feedback import ConsoleProvider, HumanFeedbackProvider, PendingFeedbackContext
from jackstay.testing import ScriptedModel


class Says:
    """A provider that has its answers ready; `asked` are the contexts that it was given."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[PendingFeedbackContext]()

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> Any:
        self.asked.append(context)
        said = self.answers.pop(0)
        if said is HumanFeedbackPending:
            raise HumanFeedbackPending(context, callback_info={"channel": "#drafts"})
        return said


class Passes:
    """A provider that hands the question on, and never has an answer."""

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        raise HumanFeedbackPending(context)


def reviewing(provider: Any = None, llm: Any = None, **more: Any) -> Any:
    """A flow with an `and_` join beside the question. Its `calls` are those of all its objects."""
    calls: list[str] = []
    given = {"emit": ["approved", "rejected"], "llm": llm or ScriptedModel(), "provider": provider, **more}

    class Review(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("Is it good?", **given)
        def draft(self) -> str:
            calls.append("draft")
            self.state["written"] = True
            return "a draft"

        @start()
        def facts(self) -> str:
            calls.append("facts")
            return "facts"

        @listen("approved")
        def publish(self, result: HumanFeedbackResult) -> str:
            calls.append("publish")
            self.state["said"] = f"{result.output}: {result.outcome}, {result.feedback!r}"
            return self.state["said"]

        @listen("rejected")
        def discard(self, result: HumanFeedbackResult) -> str:
            calls.append("discard")
            self.state["said"] = f"no: {result.feedback}"
            return self.state["said"]

        @listen(and_(draft, facts))
        def joined(self) -> None:
            calls.append("joined")

        @listen(and_(joined, or_(publish, discard)))
        def end(self) -> str:
            """Whichever of the two completes last: the flow's result is what was said."""
            return self.state["said"]

    Review.calls = calls  # type: ignore[attr-defined]
    return Review


# --- asked at once ---------------------------------------------------------------------------------------------------


@pytest.mark.promise("human.feedback.result")
def test_without_labels_a_listener_is_given_output_and_words() -> None:
    says = Says("shorter, please")

    class Draft(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("How is it?", metadata={"desk": "night"}, provider=says)
        def draft(self) -> dict[str, int]:
            return {"words": 9}

        @listen(draft)
        def heard(self, result: HumanFeedbackResult) -> HumanFeedbackResult:
            return result

    flow = Draft()
    result = flow.kickoff()

    assert (result.output, result.feedback, result.outcome) == ({"words": 9}, "shorter, please", None)
    assert (result.method_name, result.metadata) == ("draft", {"desk": "night"})
    assert result.timestamp is not None
    assert flow.last_human_feedback == result
    [context] = says.asked
    assert (context.message, context.method_name, context.method_output) == ("How is it?", "draft", {"words": 9})
    assert (context.flow_id, context.emit, context.metadata) == (flow.flow_id, None, {"desk": "night"})


@pytest.mark.promise("human.feedback.emit")
def test_words_become_the_label_that_a_model_finds_and_that_is_recorded(runtime: Runtime) -> None:
    model = ScriptedModel([{"outcome": "rejected"}])
    review = reviewing(Says("I do not like it"), model)

    assert review().kickoff(run_key="k") == "no: I do not like it"
    assert review().kickoff(run_key="k") == "no: I do not like it"

    assert len(model.calls) == 1
    assert "I do not like it" in model.calls[0].last_user
    assert "approved, rejected" in model.calls[0].last_user


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (["it is rejected I think"], "rejected"),  # no JSON, but a label is in it
        (["hm", "Rejected."], "rejected"),  # asked again in plain words
        (["hm", "what?"], "approved"),  # nothing found: the first
        ([ModelRejected("no schemas here", exhausted=True), "rejected"], "rejected"),
    ],
)
@pytest.mark.promise("human.feedback.fallbacks")
def test_a_model_that_gives_no_label_is_asked_plainly_and_then_the_first_one_counts(answers: Any, outcome: str) -> None:
    flow = reviewing(Says("so-so"), ScriptedModel(answers))()
    flow.kickoff()

    assert flow.last_human_feedback.outcome == outcome


def test_a_model_that_cannot_be_asked_decides_nothing(runtime: Runtime) -> None:
    # The first label, often "approved", would be the wrong thing to take for a missing key; the person is not asked again.
    says, model = Says("so-so"), ScriptedModel([ModelAuthenticationFailed("bad key", exhausted=True)])
    review = reviewing(says, model)

    with pytest.raises(ModelAuthenticationFailed):
        review().kickoff(run_key="k")
    model.add({"outcome": "rejected"})

    assert review().kickoff(run_key="k") == "no: so-so"
    assert len(says.asked) == 1
    assert review.calls.count("draft") == 1


@pytest.mark.promise("human.feedback.default_outcome")
@pytest.mark.parametrize(("default", "outcome"), [(None, "approved"), ("rejected", "rejected")])
def test_nothing_said_is_the_default_outcome_or_the_first_label(default: str | None, outcome: str) -> None:
    flow = reviewing(Says("  "), default_outcome=default)()
    flow.kickoff()

    assert flow.last_human_feedback.outcome == outcome


def test_a_label_that_is_said_outright_costs_no_call() -> None:
    model = ScriptedModel()
    assert reviewing(Says("REJECTED"), model)().kickoff() == "no: REJECTED"
    assert model.calls == []


@pytest.mark.promise("human.feedback.real_output")
def test_a_flow_that_ends_with_a_labelled_question_returns_what_the_method_returned() -> None:
    class Last(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("ok?", emit=["yes", "no"], provider=Says("yes"), llm=ScriptedModel())
        def last(self) -> str:
            return "the real thing"

    assert Last().kickoff() == "the real thing"


@pytest.mark.promise("human.feedback.label_listener")
def test_a_listener_of_another_routers_label_is_not_given_the_feedback() -> None:
    heard: dict[str, Any] = {}

    class Two(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("ok?", emit=["good", "bad"], provider=Says("good"), llm=ScriptedModel())
        def ask_first(self) -> int:
            return 1

        @listen("good")
        def after(self, given: Any) -> int:
            heard["good"] = given
            return 2

        @router(after)
        def route(self) -> Literal["left", "right"]:
            return "left"

        @listen("left")
        def end(self, given: Any) -> None:
            heard["left"] = given

    Two().kickoff()

    assert isinstance(heard["good"], HumanFeedbackResult)
    assert heard["left"] == "left"


def test_a_draft_goes_round_until_the_person_approves() -> None:
    class Rounds(Flow):  # type: ignore[type-arg]
        @start(or_("again"))
        @human_feedback("ok?", emit=["again", "done"], provider=Says("again", "again", "done"), llm=ScriptedModel())
        def write(self) -> int:
            self.state["rounds"] = self.state.get("rounds", 0) + 1
            return int(self.state["rounds"])

        @listen("done")
        def end(self, result: HumanFeedbackResult) -> int:
            return int(result.output)

    flow = Rounds()
    assert flow.kickoff() == 3
    assert [each.outcome for each in flow.human_feedback_history] == ["again", "again", "done"]


def test_an_asynchronous_provider_and_an_asynchronous_method_share_the_callers_loop() -> None:
    loops: list[Any] = []

    class Async:
        async def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
            loops.append(asyncio.get_running_loop())
            return "yes"

    class Waits(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("ok?", provider=Async())
        async def begin(self) -> str:
            loops.append(asyncio.get_running_loop())
            return "x"

    async def program() -> Any:
        loops.append(asyncio.get_running_loop())
        return await Waits().akickoff()

    assert asyncio.run(program()).feedback == "yes"
    assert len(set(loops)) == 1


@pytest.mark.promise("human.feedback.provider")
def test_the_process_has_a_provider_of_its_own_and_the_decorators_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere, own = Says("rejected"), Says("approved")
    monkeypatch.setattr(flow_config, "hitl_provider", everywhere)

    assert reviewing()().kickoff().startswith("no:")
    assert reviewing(own)().kickoff().startswith("a draft: approved")
    assert (len(everywhere.asked), len(own.asked)) == (1, 1)
    assert isinstance(own, HumanFeedbackProvider)


@pytest.mark.promise("human.feedback.console")
def test_the_console_provider_prints_the_output_and_reads_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts: list[str] = []

    def typed(prompt: str = "") -> str:
        prompts.append(prompt)
        return "rejected"

    monkeypatch.setattr("builtins.input", typed)

    assert reviewing(ConsoleProvider())().kickoff() == "no: rejected"

    out = capsys.readouterr().out
    assert "a draft" in out
    assert "Is it good?" in out
    assert "approved / rejected" in prompts[0]


def test_at_the_end_of_the_input_the_console_provider_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(prompt: str = "") -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    assert isinstance(reviewing(ConsoleProvider())().kickoff(), HumanFeedbackPending)


def test_ctrl_c_at_the_question_ends_the_run_and_a_resume_asks_again(
    monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    said: list[Any] = [KeyboardInterrupt(), "approved"]

    def typed(prompt: str = "") -> str:
        one = said.pop(0)
        if isinstance(one, BaseException):
            raise one
        return str(one)

    monkeypatch.setattr("builtins.input", typed)
    review = reviewing(ConsoleProvider())
    with pytest.raises(KeyboardInterrupt):
        review().kickoff(run_key="k")

    [row] = runtime.journal.runs(RunFilter())
    assert (row.status, row.reason) == ("cancelled", "interrupted")
    assert review().kickoff(run_key="k").startswith("a draft: approved")
    assert review.calls.count("draft") == 1


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.promise("human.feedback.pending")
def test_without_anybody_there_the_flow_pauses_and_its_join_is_kept(runtime: Runtime) -> None:
    review = reviewing()
    flow = review()

    pending = flow.kickoff()

    assert isinstance(pending, HumanFeedbackPending)
    assert sorted(review.calls) == ["draft", "facts"]
    [row] = runtime.journal.runs(RunFilter())
    assert (row.status, runtime.journal.lease(row.id).live) == ("waiting", False)  # type: ignore[union-attr]
    assert flow.state["written"] is True
    assert flow.pending_feedback == pending.context
    again = review.from_pending(pending.context.flow_id)
    assert again.state["written"] is True
    assert (again.pending_feedback.method_output, again.pending_feedback.emit) == ("a draft", ["approved", "rejected"])

    assert again.resume("approved") == "a draft: approved, 'approved'"

    assert sorted(review.calls) == ["draft", "facts", "joined", "publish"]
    assert again.pending_feedback is None
    with pytest.raises(NoPendingFeedback):
        again.resume("approved")


@pytest.mark.promise("human.resume")
def test_of_two_that_resume_one_wins_and_the_other_is_told() -> None:
    review = reviewing()
    flow = review()
    flow_id = flow.kickoff().context.flow_id
    other = review.from_pending(flow_id)

    assert flow.resume("approved").startswith("a draft")

    with pytest.raises(AlreadyResumed, match="has answered"):
        other.resume("rejected")
    with pytest.raises(ValueError, match="No pending feedback"):
        review.from_pending(flow_id)
    assert "discard" not in review.calls


def test_resume_in_a_loop_is_refused_and_resume_async_does_it() -> None:
    flow = reviewing()()

    async def program() -> Any:
        pending = await flow.akickoff()
        assert isinstance(pending, HumanFeedbackPending)
        with pytest.raises(RuntimeError, match="resume_async"):
            flow.resume("approved")
        return await flow.resume_async("rejected")

    assert asyncio.run(program()) == "no: rejected"


def test_a_provider_that_passes_the_question_on_is_not_asked_again_while_the_run_waits() -> None:
    says = Says(HumanFeedbackPending)
    review = reviewing(says)

    first = review().kickoff(run_key="k")
    second = review().kickoff(run_key="k")

    assert first.callback_info == {"channel": "#drafts"}
    assert isinstance(second, HumanFeedbackPending)
    assert len(says.asked) == 1
    assert review.from_pending(first.context.flow_id).resume("approved").startswith("a draft")


def test_two_questions_at_once_are_two_waits_and_each_is_answered(runtime: Runtime) -> None:
    calls: list[str] = []

    class Both(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("left?")
        def left(self) -> str:
            calls.append("left")
            return "l"

        @start()
        @human_feedback("right?")
        def right(self) -> str:
            calls.append("right")
            return "r"

        @listen(and_(left, right))
        def both(self) -> list[str]:
            return [each.feedback for each in self.human_feedback_history]

    flow = Both()
    run_id = flow.kickoff().context.run_id
    waits = runtime.journal.open_waits()
    assert sorted(wait.prompt or "" for wait in waits) == ["left?", "right?"]
    right = next(wait for wait in waits if wait.prompt == "right?")
    answer(f"{run_id}#{right.rev}", "second")

    still = flow.kickoff(resume=run_id)

    assert still.context.message == "left?"
    assert flow.resume("first") == ["second", "first"]
    assert sorted(calls) == ["left", "right"]


@pytest.mark.promise("human.feedback.pending")
def test_what_is_beside_a_waiting_method_goes_on_to_its_end() -> None:
    class Long(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("ok?")
        def asks(self) -> int:
            return 1

        @start()
        async def first(self) -> None:
            await asyncio.sleep(0)

        @listen(first)
        async def second(self) -> None:
            await asyncio.sleep(0)

        @listen(second)
        def third(self) -> None:
            self.state["third"] = True

    flow = Long()
    assert isinstance(flow.kickoff(), HumanFeedbackPending)
    assert flow.state["third"] is True


def test_a_failure_beside_the_question_is_the_runs_and_the_question_comes_again(runtime: Runtime) -> None:
    broken = [True]

    class Half(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("ok?")
        def asks(self) -> int:
            return 1

        @start()
        def fails(self) -> int:
            if broken:
                raise OSError("disk full")
            return 2

        @listen(and_(asks, fails))
        def end(self) -> str:
            return "end"

    with pytest.raises(OSError, match="disk full"):
        Half().kickoff(run_key="k")
    assert runtime.journal.open_waits(("waiting", "failed")) == []
    broken.clear()

    flow = Half()
    assert isinstance(flow.kickoff(run_key="k"), HumanFeedbackPending)
    assert flow.resume("fine") == "end"


def test_state_that_others_change_during_the_pause_is_as_they_left_it() -> None:
    class Counts(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("ok?")
        def asks(self) -> None:
            self.state["by"] = "asks"

        @start()
        async def later(self) -> None:
            while "by" not in self.state:
                await asyncio.sleep(0.001)
            self.state["by"] = "later"

        @listen(asks)
        def end(self) -> Any:
            return self.state["by"]

    flow = Counts()
    flow.kickoff()

    assert Counts.from_pending(flow.flow_id).state["by"] == "later"
    assert Counts.from_pending(flow.flow_id).resume("") == "later"


def test_typed_state_and_inputs_are_there_after_the_pause() -> None:
    class State(BaseModel):
        topic: str = ""
        notes: list[str] = []

    class Typed(Flow[State]):
        @start()
        @human_feedback("ok?")
        def begin(self) -> str:
            self.state.notes.append(f"about {self.state.topic}")
            return "x"

        @listen(begin)
        def end(self) -> list[str]:
            return [self.state.topic, *self.state.notes]

    pending = Typed().kickoff(inputs={"topic": "tides"})

    assert Typed.from_pending(pending.context.flow_id).resume("") == ["tides", "about tides"]


@pytest.mark.promise("human.from_pending")
def test_a_flow_is_found_by_the_id_that_its_inputs_gave() -> None:
    review = reviewing()
    review().kickoff(inputs={"id": "order-7"})

    assert review.from_pending("order-7").resume("rejected") == "no: rejected"


def test_a_pause_of_another_flow_is_not_taken_for_this_ones() -> None:
    review = reviewing()
    flow_id = review().kickoff().context.flow_id

    class Other(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> None: ...

    with pytest.raises(NoPendingFeedback, match="inside run"):
        Other.from_pending(flow_id)
    with pytest.raises(NoPendingFeedback, match="No pending feedback"):
        Other.from_pending("nobody")


def test_a_changed_question_is_asked_anew_and_not_answered_by_the_old_answer(runtime: Runtime) -> None:
    run_id = reviewing()().kickoff(run_key="k").context.run_id
    answer(run_id, outcome="approved")

    class Review(reviewing(Passes(), emit=["approved", "rejected", "later"])):  # type: ignore[misc]
        pass

    flow = Review(name="Review")
    still = flow.kickoff(resume=run_id)

    assert isinstance(still, HumanFeedbackPending)
    assert still.context.emit == ["approved", "rejected", "later"]
    flow.resume("later")
    assert flow.last_human_feedback.outcome == "later"


class Letters(set[str]):
    """A set whose text is another one each time, as that of sets is in each process."""

    told = 0

    def __str__(self) -> str:
        Letters.told += 1
        return f"{Letters.told} letters"


class Unstorable:
    """Its text has its address in it."""


@pytest.mark.parametrize(
    "make", [lambda: {"zebra": 1, "ant": 2}, lambda: Letters({"a", "b"}), Unstorable, lambda: [Unstorable()]]
)
def test_an_answer_counts_though_the_text_of_the_output_is_another_one_now(make: Any) -> None:
    class Odd(Flow):
        @start()
        @human_feedback("Good?")
        def draft(self) -> Any:
            return make()

        @listen(draft)
        def end(self, result: Any) -> str:
            return str(result.feedback)

    kept = [Odd().kickoff(run_key="k")]  # its output stays where it is: the next one has another address
    answer("k", "yes")

    assert Odd().kickoff(run_key="k") == "yes"
    assert kept


# --- in time ---------------------------------------------------------------------------------------------------------


def overdue(runtime: Runtime, run_id: str) -> None:
    """The time for the answer has passed."""
    from sqlalchemy import update

    from jackstay.journal.schema import wait

    runtime.journal._writer.call(lambda c: c.core.execute(update(wait).values(deadline=1)).rowcount).result(10)


def test_after_the_deadline_the_default_outcome_counts_and_no_answer_is_taken(runtime: Runtime) -> None:
    review = reviewing(default_outcome="rejected", timeout_s=3600)
    flow = review()
    run_id = flow.kickoff(run_key="k").context.run_id
    overdue(runtime, run_id)

    with pytest.raises(AlreadyAnswered, match="the deadline has answered"):
        answer(run_id, outcome="approved")

    assert flow.kickoff(run_key="k") == "no: "
    assert flow.last_human_feedback.outcome == "rejected"


@pytest.mark.parametrize("text", [5, ["yes"], {"a": 1}])
def test_what_is_no_text_is_no_answer_and_the_question_stays_open(text: Any) -> None:
    review = reviewing()
    review().kickoff(run_key="k")

    with pytest.raises(ValueError, match="an answer is a text"):
        answer("k", text)

    answer("k", outcome="rejected")
    assert review().kickoff(run_key="k") == "no: "


def test_the_time_runs_out_while_a_second_object_wants_to_resume(runtime: Runtime) -> None:
    review = reviewing(default_outcome="rejected", timeout_s=3600)
    flow = review()
    run_id = flow.kickoff().context.run_id
    overdue(runtime, run_id)

    with pytest.raises(AlreadyResumed, match="was over"):
        flow.resume("approved")
    assert review().kickoff(resume=run_id) == "no: "


# --- what cannot be defined ------------------------------------------------------------------------------------------


@pytest.mark.promise("human.feedback.validation")
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"emit": ["a"], "llm": None}, "needs an llm"),
        ({"default_outcome": "a"}, "needs emit"),
        ({"emit": ["a"], "default_outcome": "b"}, "none of the outcomes a"),
        ({"emit": []}, "name the outcomes"),
        ({"emit": "a"}, "a list of labels"),
        ({"emit": ["a", "A"]}, "named twice"),
        ({"emit": ["a"], "timeout_s": 5}, "needs default_outcome"),
        ({"timeout_s": -1}, "greater than 0"),
        ({"metadata": {"x": object()}}, "metadata="),
        ({"provider": Says}, "not its class"),
        ({"provider": object()}, "request_feedback"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_the_decoration(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        human_feedback("ok?", **given)
    assert isinstance(caught.value, DefinitionError)


def test_feedback_on_a_method_that_never_runs_is_refused() -> None:
    class Idle(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> None: ...

        @human_feedback("ok?")
        def never(self) -> None: ...

    with pytest.raises(DefinitionError, match="never has @human_feedback, but neither"):
        Idle()


def test_learn_is_accepted_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="learn= is accepted"):
        human_feedback("ok?", learn=True)


def test_a_provider_that_returns_something_else_is_told_so() -> None:
    with pytest.raises(DefinitionError, match="returned a int"):
        reviewing(Says(7))().kickoff()


# --- replays ---------------------------------------------------------------------------------------------------------


@pytest.mark.promise("human.feedback.replay")
def test_a_replay_has_the_persons_answer_from_the_record() -> None:
    says = Says("rejected")
    review = reviewing(says)
    flow = review()
    flow.kickoff()

    assert flow.replay("discard") == "no: rejected"

    assert len(says.asked) == 1
    assert review.calls.count("draft") == 1
    assert review.calls.count("discard") == 2
    assert flow.last_human_feedback.outcome == "rejected"


def test_a_replay_of_the_method_itself_asks_the_person_again() -> None:
    says = Says("rejected", "approved")
    review = reviewing(says)
    flow = review()
    flow.kickoff()

    assert flow.replay("draft").startswith("a draft: approved")
    assert review.calls.count("draft") == 2
