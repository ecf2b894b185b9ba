"""A run as a Mermaid flowchart: its tasks with their states, what follows from what, and its replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jackstay.cli.tasks import mark_of
from jackstay.core.flow_graph import names_in
from jackstay.core.ids import SHORT
from jackstay.core.outlines import TaskOutline, graph_of
from jackstay.core.preview import done_again
from jackstay.core.replay import Record, RecordedKickoff, Unit, is_behind, target_of, units_of
from jackstay.engine.addressing import short_path, unit_id

_STYLES = {"✅": "fill:#4CAF50,color:#fff", "❌": "fill:#f44336,color:#fff", "🔄": "fill:#FF9800,color:#fff"}
_AGAIN = "🔄"


def mermaid(record: Record, replays: Sequence[Record]) -> str:
    """The run, and beside it each of its replays from the step where it branches off."""
    lines = ["flowchart LR", *_Chart(record, replays).lines()]
    return "\n".join(lines)


class _Chart:
    def __init__(self, record: Record, replays: Sequence[Record]) -> None:
        self.record, self.replays = record, replays
        self.units = {unit.path: unit for unit in units_of(record)}
        self.nodes = {path: f"T{number}" for number, path in enumerate(self.units, 1)}
        self.styles: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        shown = [kickoff for kickoff in self.record.kickoffs if kickoff.kind in ("crew", "flow")]
        continued = {unit.path for replay in self.replays for unit in done_again(replay)}
        continued -= {target_of(replay.run) for replay in self.replays}
        for number, kickoff in enumerate(shown):
            inner = list(self._tasks(kickoff, continued) if kickoff.kind == "crew" else self._methods(kickoff))
            if len(shown) > 1 and inner:
                yield f'    subgraph S{number}["{kickoff.kind} {_text(kickoff.name)}"]'
                yield from (f"    {line}" for line in inner)
                yield "    end"
            else:
                yield from inner
        for number, replay in enumerate(self.replays, 1):
            yield from self._replay(replay, number if len(self.replays) > 1 else None)
        yield from (f"    style {node} {style}" for node, style in self.styles.items())

    # --- a crew ------------------------------------------------------------------------------------------------------

    def _tasks(self, kickoff: RecordedKickoff, continued: set[str]) -> Iterator[str]:
        tasks = self.record.tasks(kickoff)
        paths = [f"{kickoff.path}/{task.part}" if kickoff.path else task.part for task in tasks]
        # What never began is drawn where it ran in the end.
        shown = [path for path in paths if self.units[path].begun or path not in continued]
        for path in shown:
            yield f"    {self._node(self.units[path], self.nodes[path])}"
        for task, path in zip(tasks, paths, strict=True):
            for before in _told_by(task):
                if path in shown and paths[before] in shown:
                    yield f"    {self.nodes[paths[before]]} --> {self.nodes[path]}"

    def _node(self, unit: Unit, node: str, mark: str | None = None) -> str:
        mark = mark or mark_of(unit)
        if mark in _STYLES:
            self.styles[node] = _STYLES[mark]
        return f'{node}["{_text(unit.label)}{f" {mark}" if mark in _STYLES else ""}"]'

    # --- a flow ------------------------------------------------------------------------------------------------------

    def _methods(self, kickoff: RecordedKickoff) -> Iterator[str]:
        outline = self.record.outline(kickoff)
        if outline is None:
            return
        methods = graph_of(outline).methods
        prefix = f"{kickoff.path}/" if kickoff.path else ""
        nodes = {}
        for name in methods:
            unit = next((u for u in reversed(self.units.values()) if u.path.startswith(f"{prefix}{name}#")), None)
            unit = unit or Unit(f"{prefix}{name}#1", "method", name)
            nodes[name] = self.nodes.setdefault(unit.path, f"M{len(self.nodes) + 1}")
            yield f"    {self._node(unit, nodes[name])}"
        for method in methods.values():
            for trigger in dict.fromkeys(names_in(method.condition) if method.condition else ()):
                if trigger in nodes:
                    yield f"    {nodes[trigger]} --> {nodes[method.name]}"
                for other in methods.values():
                    if other.router and trigger in (other.emits or ()):
                        yield f"    {nodes[other.name]} -->|{_text(trigger)}| {nodes[method.name]}"

    # --- a replay ----------------------------------------------------------------------------------------------------

    def _replay(self, replay: Record, number: int | None) -> Iterator[str]:
        """From the step that was asked for, dotted, to what it did again."""
        target = target_of(replay.run)
        again = done_again(replay)
        if target not in self.nodes or not again:
            return
        suffix = f"R{number or ''}"
        first = next((unit for unit in again if unit.path.endswith(target.rpartition("/")[2])), again[0])
        nodes = {unit.path: f"{self.nodes.get(unit.path, f'N{index}')}{suffix}" for index, unit in enumerate(again)}
        nodes[first.path] = f"{self.nodes[target]}{suffix}"
        how = "checkpoint" if is_behind(replay.run) else "replay -t"
        link = unit_id(self.record.run.id[:SHORT], short_path(self.units[target], self.units.values()))
        yield f'    {self.nodes[target]} -.->|"{how} {_text(link)}"| {self._node(first, nodes[first.path], _again(first))}'
        previous = nodes[first.path]
        for unit in again:
            if unit is not first:
                yield f"    {previous} --> {self._node(unit, nodes[unit.path])}"
                previous = nodes[unit.path]


def _again(unit: Unit) -> str:
    mark = mark_of(unit)
    return _AGAIN if mark == "✅" else mark


def _told_by(task: TaskOutline) -> Sequence[int]:
    """Of tasks that are told everything before them, the one directly before."""
    context: Sequence[int] | None = task.body["context"]
    if context is not None:
        return context
    return () if task.body["async"] or task.index == 0 else (task.index - 1,)


def _text(text: str) -> str:
    """A label may hold anything but quotation marks; Mermaid reads `#35;` as a number sign."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("\n", " ")
