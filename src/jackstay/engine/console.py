"""Asking a person who sits at the program's terminal: what is printed, and what is read. One question at a time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from jackstay.core.waits import Answer, Asked

_RULE = "─" * 60
# Of the process, as its terminal is: two questions at once would be answered crosswise.
_asking = threading.Lock()

BY = "the console"


def is_there(setting: str) -> bool:
    """Whether somebody can be asked. `setting`: JACKSTAY_CONSOLE: on, off, or as the standard input is."""
    if setting != "auto":
        return setting == "on"
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # it was closed
        return False


def ask(asked: Asked) -> Answer | None:
    """The person's words; None: the input has ended, so that nobody is there after all."""
    lines = [_RULE, *([asked.shown, _RULE] if asked.shown else []), asked.message]
    text = read(lines, _hint(asked))
    return None if text is None else Answer(text, by=BY)


def read(lines: Sequence[str], hint: str) -> str | None:
    """One line of the terminal's; None at its end."""
    with _asking:
        sys.stdout.write("\n".join(["", *lines, ""]))
        sys.stdout.flush()
        try:
            return input(f"{hint}> ").strip()
        except EOFError:
            return None


def _hint(asked: Asked) -> str:
    match asked.kind:
        case "input":
            return ""
        case "review":
            return "(what is to be different? Enter: nothing, it is accepted) "
        case "feedback" if asked.options:
            skipped = asked.default or asked.options[0]
            return f"({' / '.join(asked.options)}, or in your own words; Enter: {skipped}) "
        case "feedback":
            return "(Enter: nothing to say) "
