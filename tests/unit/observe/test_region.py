"""The lines at the bottom of a terminal."""

from __future__ import annotations

import builtins
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from jackstay.observe.region import Region
from tests.unit.observe.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def shown_on(terminal: Terminal) -> Iterator[Region]:
    """Inside the test, and not in a fixture: pytest puts its own streams there before each phase."""
    with redirect_stdout(terminal), redirect_stderr(terminal):
        region = Region(terminal, before_output=lambda: None)
        region.start()
        try:
            yield region
        finally:
            region.stop()


def test_programs_output_stands_above_the_lines_as_it_was_written():
    terminal = Terminal()
    with shown_on(terminal) as region:
        region.draw(["at work", "1 call"])
        print("first")
        print("a [bold]text[/bold] :smile:", file=sys.stderr)
        region.draw(["at work", "2 calls"])
        seen = Screen.of(terminal.getvalue()).lines

    assert seen == ["first", "a [bold]text[/bold] :smile:", "at work", "2 calls"]


def test_lines_wait_for_the_program_to_end_its_own():
    terminal = Terminal()
    with shown_on(terminal) as region:
        region.draw(["at work"])
        print("half", end="")
        region.draw(["at work still"])
        half = Screen.of(terminal.getvalue()).lines
        print(" whole")
        whole = Screen.of(terminal.getvalue()).lines

    assert (half, whole) == (["half"], ["half whole", "at work still"])


def test_question_of_the_program_is_not_drawn_over(monkeypatch):
    terminal = Terminal()
    seen: list[list[str]] = []

    def answers(prompt: object = "") -> str:
        region.draw(["at work"])
        seen.append(Screen.of(terminal.getvalue()).lines)
        return "yes"

    monkeypatch.setattr(builtins, "input", answers)
    with shown_on(terminal) as region:
        region.draw(["at work"])
        answer = input("sure? ")

    assert (answer, seen) == ("yes", [[]])
    assert input is answers


def test_nothing_is_left_when_it_stops_and_kept_streams_go_on_working():
    terminal = Terminal()
    with shown_on(terminal) as region:
        kept = sys.stderr
        region.draw(["one", "two", "three"])
    kept.write("later\n")

    assert kept is not terminal
    assert Screen.of(terminal.getvalue()).lines == ["later"]
