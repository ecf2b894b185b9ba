"""Live progress on a terminal: which task, which agent, calls, tokens, cost, time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO, cast

from rich.console import Console
from rich.text import Text

from jackstay.core.events import Event
from jackstay.observe.doing import Doing
from jackstay.observe.figures import cost, seconds, tokens
from jackstay.observe.region import Region

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
INTERVAL_S = 0.1
MOST_LINES = 8


class Progress:
    """An observer that draws on the console's terminal from entering to leaving it.

    Events are only noted where they are told, on the engine's loop; a thread of its own writes, since a terminal may
    block (Ctrl-S) and a run must not.
    """

    def __init__(self, console: Console, *, told: Callable[[], bool] = lambda: False) -> None:
        """`told`: whether somebody else tells what stays on the screen."""
        self._console, self._told = console, told
        # Taken now: once the region has begun, the console would find the region's own stream in `sys.stderr`.
        self._terminal = cast("TextIO", console.file)
        self._doing = Doing(time.monotonic)
        self._region = Region(self._terminal, before_output=self._tell_news)
        self._news: deque[Text] = deque()
        self._telling = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw_until_ended, name="jackstay-progress", daemon=True)

    def __call__(self, event: Event) -> None:
        self._doing(event)
        line = _news_of(event)
        if line is not None and not self._told():
            self._news.append(line)

    def __enter__(self) -> Self:
        self._region.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=1.0)
        self._tell_news()
        self._region.stop()
        if self._doing.calls or self._doing.recorded:
            self._console.print(Text(self._doing.view().sums, style="dim"))

    def _draw_until_ended(self) -> None:
        frame = 0
        while not self._ended.wait(INTERVAL_S):
            self._tell_news()
            view = self._doing.view()
            if view.lines or self._doing.calls:
                self._region.draw(self._lines(view.lines, view.sums, FRAMES[frame % len(FRAMES)]))
                frame += 1

    def _lines(self, lines: tuple[str, ...], sums: str, mark: str) -> list[str]:
        shown = [Text.assemble((f"{mark} ", "cyan"), line) for line in lines[:MOST_LINES]]
        if len(lines) > MOST_LINES:
            shown.append(Text(f"  and {len(lines) - MOST_LINES} more"))
        return [self._rendered(text) for text in [*shown, Text(f"  {sums}", style="dim")]]

    def _tell_news(self) -> None:
        # Several threads may come here: the drawing one, and those that print.
        with self._telling:
            while self._news:
                self._region.write(self._terminal, self._rendered(self._news.popleft()) + "\n")

    def _rendered(self, text: Text) -> str:
        """One line with the terminal's colours, cut to its width."""
        text.truncate(max(self._console.width - 1, 20), overflow="ellipsis")
        with self._console.capture() as captured:
            self._console.print(text, end="", soft_wrap=True)
        return captured.get()


def _news_of(event: Event) -> Text | None:
    """What stays on the screen: tasks that have ended, failures, warnings."""
    data = event.data
    match event.name:
        case "task_finished":
            figures = f"{tokens(data['tokens'])} tokens · {cost(data['cost_usd'])} · {seconds(data['duration_s'])}"
            return Text.assemble(("✓ ", "green"), f"{data['agent']}: {data['task']} ", (f"· {figures}", "dim"))
        case "task_failed":
            return Text.assemble(("✗ ", "red"), f"{data['agent']}: {data['task']} · {_one_line(data['error'])}")
        case "task_skipped" if data.get("error"):
            return None  # a warning has said so
        case "task_skipped":
            return Text(f"– {data['agent']}: {data['task']} · skipped, its condition does not hold", style="dim")
        case "guardrail_rejected":
            return Text(f"↻ {data['guardrail']} rejected an answer: {_one_line(data['error'])}", style="yellow")
        case "reused" if data.get("kind") in ("task", "crew", "method"):
            return Text(
                f"↺ {data.get('task') or data.get('name') or data.get('method')}: from the journal", style="dim"
            )
        case "retry":
            return Text(f"↻ {_one_line(data['error'])}; again in {seconds(data['wait_s'])}", style="yellow")
        case "warning":
            return Text(f"warning: {_one_line(data['text'])}", style="yellow")
        case _:
            return None


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())
