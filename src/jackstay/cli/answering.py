"""`jackstay answer`: what a person has to say to a run that waits for it."""

from __future__ import annotations

import getpass
import os

from jackstay.cli.environment import read_dotenv
from jackstay.cli.masked import masked_by
from jackstay.cli.outcome import ExitCode, UsageError
from jackstay.cli.resuming import resume
from jackstay.cli.stored import chosen, existing_journal
from jackstay.cli.terminal import say
from jackstay.cli.waits import answers_of
from jackstay.core.ids import SHORT
from jackstay.core.records import Wait
from jackstay.core.waits import PERSONAL, payload_of
from jackstay.engine import console
from jackstay.engine.answers import give_words, number_in, wait_of


def answer(wanted: str, text: str | None, *, outcome: str | None, go_on: bool) -> int:
    """Notes the answer. Without one a person at the terminal is asked; others are told the question."""
    read_dotenv()
    name, number = number_in(wanted)
    with existing_journal() as journal:
        row = chosen(journal, name)
        wait = wait_of(journal, row.id, number)
        if text is None and outcome is None:
            text = _asked(wait)
            if text is None:
                return ExitCode.NEEDS_PERSON
        try:
            secrets = masked_by(os.environ).secrets
            give_words(journal, wait, text, outcome, by=f"{_user()} at the command line", secrets=secrets)
        except ValueError as error:
            if type(error) is not ValueError:
                raise
            raise UsageError(str(error)) from error
    if go_on:
        return resume(row.id)
    say(f"answered; go on with it: jackstay resume {row.id[:SHORT]}")
    return 0


def _asked(wait: Wait) -> str | None:
    shown = payload_of(wait).get("shown") if wait.kind in PERSONAL else None
    lines = [*([shown, ""] if shown else []), wait.prompt or "", f"answers: {answers_of(wait)}"]
    if console.is_there("auto"):
        return console.read(lines, "")
    print("\n".join(lines))
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"
