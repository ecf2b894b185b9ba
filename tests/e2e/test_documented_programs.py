"""Programs as users write them, one per topic that CrewAI's documentation has a page on: what they ask the provider, and what
they print."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from jackstay.testing import Fault, Stub, StubRequest
from tests.e2e.ledger import Ledger
from tests.programs import documented
from tests.programs.documented.conversations import DOCUMENTED, Documented, Turn

FOLDER = Path(documented.__path__[0])


class Conversation:
    """Answers each question by the first turn that fits it and has not been had."""

    def __init__(self) -> None:
        self.left: list[Turn] = []
        self.unexpected: list[StubRequest] = []

    def __call__(self, request: StubRequest) -> object:
        turn = next((turn for turn in self.left if turn.fits(request)), None)
        if turn is None:
            self.unexpected.append(request)
            return Fault.http(400)
        self.left.remove(turn)
        return turn.answer


@pytest.fixture
def conversation() -> Conversation:
    return Conversation()


@pytest.fixture
def stub(conversation):
    with Stub(conversation) as running:
        yield running


@pytest.mark.parametrize("one", DOCUMENTED, ids=lambda one: one.program)
def test_a_documented_program_has_its_conversation_and_prints_its_result(
    one: Documented, conversation, stub, runtime, monkeypatch, tmp_path, capfd
) -> None:
    conversation.left = list(one.turns)
    monkeypatch.chdir(tmp_path)

    runpy.run_path(str(FOLDER / one.program), run_name="__main__")

    assert capfd.readouterr().out == one.prints
    assert [(request.system[:60], request.last_user) for request in conversation.unexpected] == []
    assert conversation.left == []
    assert [(name, Path(name).read_text(encoding="utf-8")) for name, _ in one.files] == list(one.files)
    ledger = Ledger.of(runtime)
    assert len(stub.requests) == sum(call.attempts for call in ledger.calls)


def test_every_program_of_the_folder_is_run() -> None:
    programs = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py")}

    assert {one.program for one in DOCUMENTED} == programs - {"conversations.py"}
    assert len(DOCUMENTED) == 12


@pytest.mark.parametrize("one", DOCUMENTED, ids=lambda one: one.program)
def test_a_documented_program_imports_nothing_but_what_users_import(one: Documented) -> None:
    lines = (FOLDER / one.program).read_text(encoding="utf-8").splitlines()

    imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}

    assert imported <= {"jackstay", "pydantic", "pathlib", "sys", "typing"}
