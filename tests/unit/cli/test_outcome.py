"""Exit codes and what is said of errors."""

from __future__ import annotations

import pytest

from jackstay import errors
from jackstay.cli.outcome import Terminated, UsageError, code_of, report
from jackstay.engine.user_code import UserExit


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("x"), 1),
        (errors.ConfigurationError("x"), 1),
        (errors.DatabaseTooNew("x"), 1),
        (errors.AlreadyRunning("x"), 1),
        (UsageError("x"), 2),
        (errors.NotFoundError("x"), 2),
        (errors.RunSuspended("x"), 3),
        (errors.BudgetExceeded("x"), 4),
        (errors.LeaseLost("x"), 5),
        (errors.RunCancelled("x"), 5),
        (errors.DeadlineExceeded("x"), 1),
        (errors.StorageUnavailable("x"), 5),
        (Terminated("SIGTERM"), 5),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_end_has_its_code(error, code):
    assert code_of(error) == code


def test_exit_of_user_code_inside_a_run_is_the_programs_exit(capsys):
    assert report(UserExit(SystemExit(7))) == 7
    assert report(SystemExit(None)) == 0
    assert report(SystemExit("sorry")) == 1
    assert capsys.readouterr().err == "sorry\n"


def test_error_of_ours_is_a_message_with_its_notes_and_brackets_stay(capsys):
    error = errors.MissingVariableError("topic", "description", "task 'a [b]'")
    error.add_note("run 1 can go on")

    report(error)

    said = capsys.readouterr().err
    assert said.startswith("error: Missing required template variable 'topic' in description of task 'a [b]'")
    assert "on the command line: --input topic=…" in said
    assert said.endswith("run 1 can go on\n")
