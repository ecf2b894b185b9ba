"""How a command ends: its exit code, and what is said of an error."""

from __future__ import annotations

import os
import select
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

import typer

from jackstay.cli.terminal import hiding, say
from jackstay.errors import (
    BudgetExceeded,
    JackstayError,
    LeaseLost,
    MissingVariableError,
    NotFoundError,
    RunCancelled,
    RunSignal,
    RunSuspended,
    RunWaiting,
    StorageUnavailable,
)

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_LIBRARY = sysconfig.get_path("stdlib")


class ExitCode(IntEnum):
    """A promise to scripts: docs/cli.md lists them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NEEDS_PERSON = 3
    BUDGET = 4
    INTERRUPTED = 5
    """The run stopped where it was and can be resumed."""
    CTRL_C = 130


class UsageError(JackstayError, ValueError):
    """The command line asks for something that cannot be done; the message says what can."""

    code: ClassVar[str] = "usage"


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP. A `KeyboardInterrupt`, because that is what a blocking kickoff stops for in good order."""


@contextmanager
def reporting(*, debug: bool = False) -> Iterator[None]:
    """Around a command: whatever leaves it is said on stderr and becomes an exit code."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BaseException as error:  # noqa: BLE001 - users' programs may raise anything; here it ends
        raise typer.Exit(int(report(error, debug=debug))) from None


def report(error: BaseException, *, debug: bool = False) -> int:
    """Says what went wrong and returns the exit code."""
    error = _as_raised(error)
    if isinstance(error, SystemExit):
        return _exit_code_of(error)
    if isinstance(error, BrokenPipeError) and _stdout_is_gone():
        return ExitCode.FAILED
    if isinstance(error, KeyboardInterrupt):
        say("stopped" if isinstance(error, Terminated) else "interrupted", "yellow")
        return code_of(error)
    if debug or not isinstance(error, JackstayError | RunSignal):
        _print_traceback(error, whole=debug)
    else:
        _print_message(error)
    return code_of(error)


def code_of(error: BaseException) -> ExitCode:
    match error:
        case Terminated():
            return ExitCode.INTERRUPTED
        case KeyboardInterrupt():
            return ExitCode.CTRL_C
        case UsageError() | NotFoundError():
            return ExitCode.USAGE
        case RunSuspended() | RunWaiting():
            return ExitCode.NEEDS_PERSON
        case BudgetExceeded():
            return ExitCode.BUDGET
        case LeaseLost() | RunCancelled():
            return ExitCode.INTERRUPTED
        case StorageUnavailable() if error.retryable:
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.FAILED


def _as_raised(error: BaseException) -> BaseException:
    """What user code raised, where the engine has carried it: `sys.exit()` in a method of a flow."""
    original = getattr(error, "original", None)
    return original if isinstance(error, RunSignal) and isinstance(original, BaseException) else error


def leave_quietly() -> None:
    """Before the interpreter flushes at exit, and complains: whoever read our output may have left."""
    _stdout_is_gone()


def _stdout_is_gone() -> bool:
    """Whether who read our output has left (`jackstay runs | head -1`): nothing to be said about."""
    try:
        sys.stdout.flush()
        # The text of a write that has failed is dropped: the flush after it says nothing.
        gone = _reader_has_left(sys.stdout.fileno())
    except BrokenPipeError:
        gone = True
    except (AttributeError, OSError, ValueError):  # none, none that is a file, or closed
        return False
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


def _reader_has_left(pipe: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(pipe, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _exit_code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    say(str(error.code))
    return ExitCode.FAILED


def _print_message(error: BaseException) -> None:
    if isinstance(error, RunSuspended | RunWaiting):
        # No error: the next step is a person's, and the text says which.
        say(str(error) if isinstance(error, RunWaiting) else f"the run is waiting: {error}", "yellow")
        return
    say(f"error: {error}", "red")
    place = _place_in_program(error)
    if place:
        say(f"  at {place}", "dim")
    if isinstance(error, MissingVariableError):
        say(f"  on the command line: --input {error.variable}=…")
    if not isinstance(error, UsageError):  # what was asked for cannot be resumed either
        for note in getattr(error, "__notes__", ()):
            say(note)


def _place_in_program(error: BaseException) -> str:
    """Where in the user's own code the call stood that raised: the innermost frame that is neither ours nor a library's."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not _is_noise(frame.filename) and "site-packages" not in frame.filename:
            return f"{frame.filename}, line {frame.lineno}"
    return ""


def _print_traceback(error: BaseException, *, whole: bool) -> None:
    told = traceback.TracebackException.from_exception(error)
    if not whole:
        _without_noise(told)
    sys.stderr.write(hiding.get()("".join(told.format())))


def _without_noise(told: traceback.TracebackException | None) -> None:
    """Keeps the user's frames: ours between two of them say nothing about the user's mistake (--debug shows them)."""
    while told is not None:
        kept = [frame for frame in told.stack if not _is_noise(frame.filename)]
        if kept or getattr(told, "filename", None) is not None:  # a SyntaxError says by itself where it is
            told.stack[:] = kept
        told = told.__cause__ or told.__context__


def _is_noise(filename: str) -> bool:
    ours = filename.startswith(_PACKAGE) and "/testing/demo/" not in filename
    return ours or filename.startswith((_LIBRARY, "<frozen"))
