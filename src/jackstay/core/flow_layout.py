"""Where a flow's methods and arrows go in a picture: layers from top to bottom, as in Sugiyama's method.

Arrows that go back (cycles) do not count for the layers. An arrow over several layers passes through a lane in each layer
between, so that no box lies on it. Units: pixels; a box's place is its upper left corner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from jackstay.core.flow_graph import AllOf, AnyOf, Condition, FlowGraph, MethodSpec, Trigger

CHARACTER, SMALL, PADDING, HEIGHT = 8.4, 6.5, 32.0, 52.0
"""Of a monospaced letter at 13 px and at 10 px (0.6 em, and some air); of a box."""
NARROWEST = 112.0
LANE = 14.0
ACROSS, DOWN = 28.0, 76.0
MARGIN = 24.0
SWEEPS = 12

How = Literal["listen", "or", "and", "label"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """`end` runs after `begin`. `label`: the router's word for it."""

    begin: str
    end: str
    how: How = "listen"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    name: str
    x: float
    y: float
    width: float
    height: float = HEIGHT


@dataclass(frozen=True, slots=True)
class Line:
    arrow: Arrow
    points: tuple[tuple[float, float], ...]
    """From box to box, through its lanes."""


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def arrows(graph: FlowGraph) -> list[Arrow]:
    """What follows what. A label comes from the routers that may return it; where none is known to, from those whose labels
    are not known."""
    found: dict[tuple[str, str, str], Arrow] = {}
    for method in graph.methods.values():
        if method.condition is None:
            continue
        for name, how in _mentioned(method.condition):
            for arrow in _arrows_for(graph, name, method, how):
                found.setdefault((arrow.begin, arrow.end, arrow.label), arrow)
    return list(found.values())


def _arrows_for(graph: FlowGraph, name: str, listener: MethodSpec, how: How) -> Iterable[Arrow]:
    if name in graph.methods:
        yield Arrow(name, listener.name, how)
        return
    routers = [method for method in graph.methods.values() if method.router]
    sure = [router for router in routers if name in (router.emits or ())]
    for router in sure or [router for router in routers if router.emits is None]:
        yield Arrow(router.name, listener.name, "label", name)


def _mentioned(condition: Condition, how: How = "listen") -> Iterable[tuple[str, How]]:
    match condition:
        case Trigger(name):
            yield name, how
        case AnyOf(parts):
            for part in parts:
                yield from _mentioned(part, "or" if len(parts) > 1 else how)
        case AllOf(parts):
            for part in parts:
                yield from _mentioned(part, "and" if len(parts) > 1 else how)


def layout(graph: FlowGraph, notes: Mapping[str, str]) -> Layout:
    """No two boxes overlap; the same graph has the same picture. `notes`: the small text that stands below a name."""
    return _Layers(graph, notes).placed()


class _Layers:
    def __init__(self, graph: FlowGraph, notes: Mapping[str, str]) -> None:
        self.names = list(graph.methods)
        self.arrows = arrows(graph)
        starts = [name for name, method in graph.methods.items() if method.start]
        self.back = _going_back([*starts, *self.names], self.arrows)
        self.layer = self._layers()
        self.rows: list[list[str]] = [[] for _ in range(max(self.layer.values(), default=-1) + 1)]
        for name in self.names:
            self.rows[self.layer[name]].append(name)
        self.lanes: dict[Arrow, list[str]] = {}
        for number, arrow in enumerate(self.arrows):
            self._add_lanes(number, arrow)
        self.width = {
            name: max(NARROWEST, PADDING + max(CHARACTER * len(name), SMALL * len(notes.get(name, ""))))
            for name in self.names
        }

    def _layers(self) -> dict[str, int]:
        """Each below everything that it follows: the longest way from a start."""
        layer = dict.fromkeys(self.names, 0)
        forward = [arrow for arrow in self.arrows if arrow not in self.back]
        for _ in self.names:
            changed = False
            for arrow in forward:
                if layer[arrow.end] <= layer[arrow.begin]:
                    layer[arrow.end], changed = layer[arrow.begin] + 1, True
            if not changed:
                break
        return layer

    def _add_lanes(self, number: int, arrow: Arrow) -> None:
        low, high = sorted((self.layer[arrow.begin], self.layer[arrow.end]))
        self.lanes[arrow] = [f"\0{number}/{layer}" for layer in range(low + 1, high)]
        for layer, lane in zip(range(low + 1, high), self.lanes[arrow], strict=True):
            self.rows[layer].append(lane)
            self.layer[lane] = layer

    def placed(self) -> Layout:
        self._order()
        x = self._across()
        left = min((x[name] - self._half(name) for name in x), default=0.0)
        centre = {name: at - left + MARGIN for name, at in x.items()}
        top = {name: MARGIN + layer * (HEIGHT + DOWN) for name, layer in self.layer.items()}
        boxes = tuple(Box(n, centre[n] - self._half(n), top[n], self.width[n]) for n in self.names)
        lines = tuple(Line(arrow, self._points(arrow, centre, top)) for arrow in self.arrows)
        right = max((point[0] for line in lines for point in line.points), default=0.0)
        width = max([right, *(box.x + box.width for box in boxes)]) + MARGIN
        return Layout(boxes, lines, width, 2 * MARGIN + len(self.rows) * (HEIGHT + DOWN) - DOWN)

    def _order(self) -> None:
        """Fewer crossings: each layer by the middle of its neighbours in the one before, down and up again."""
        beside = self._neighbours()
        for sweep in range(SWEEPS):
            rows = self.rows if sweep % 2 == 0 else self.rows[::-1]
            for fixed, moved in pairwise(rows):
                at = {name: index for index, name in enumerate(fixed)}
                was = {name: index for index, name in enumerate(moved)}
                moved.sort(key=lambda name: (_mean([at[n] for n in beside[name] if n in at], was[name]), was[name]))

    def _across(self) -> dict[str, float]:
        """The middle of each: near those of its neighbours, in the order of its layer, with room between."""
        beside = {name: self._pulling(name, near) for name, near in self._neighbours().items()}
        x: dict[str, float] = {}
        for row in self.rows:
            self._spread(row, x, dict.fromkeys(row, 0.0))
        # Down and up by turns, each by the layer before: by both at once it would take far more turns to settle. The last
        # one goes down, so that what has one predecessor stands below it.
        for sweep in range(SWEEPS + 1):
            step = 1 if sweep % 2 == 0 else -1
            for row in self.rows[::step]:
                before = {
                    name: [n for n in beside[name] if (self.layer[name] - self.layer[n]) * step > 0] for name in row
                }
                self._spread(row, x, {name: _mean([x[n] for n in before[name]], x[name]) for name in row})
        return x

    def _pulling(self, name: str, beside: Sequence[str]) -> Sequence[str]:
        """A box stands by those that come right before and after it: long arrows (and so those that go back, which run
        outside) would draw it away from these."""
        boxes = [each for each in beside if each in self.width]
        return boxes if boxes and name in self.width else beside

    def _spread(self, row: Sequence[str], x: dict[str, float], wanted: dict[str, float]) -> None:
        """As near to what is wanted as the order allows: those that would overlap form a group around their mean."""
        groups: list[tuple[list[str], float]] = []
        for name in row:
            groups.append(([name], wanted[name]))
            while len(groups) > 1 and self._overlap(groups[-2], groups[-1]):
                right, left = groups.pop(), groups.pop()
                names = left[0] + right[0]
                offset = self._offsets(names)
                groups.append((names, _mean([wanted[n] - offset[n] for n in names], 0.0)))
        for names, first in groups:
            for name, offset_ in self._offsets(names).items():
                x[name] = first + offset_

    def _overlap(self, left: tuple[list[str], float], right: tuple[list[str], float]) -> bool:
        last = left[0][-1]
        end = left[1] + self._offsets(left[0])[last] + self._half(last)
        return end + ACROSS > right[1] - self._half(right[0][0])

    def _offsets(self, names: Sequence[str]) -> dict[str, float]:
        """From the middle of the first to that of each, side by side."""
        offsets, at = {names[0]: 0.0}, 0.0
        for before, name in pairwise(names):
            at += self._half(before) + ACROSS + self._half(name)
            offsets[name] = at
        return offsets

    def _neighbours(self) -> dict[str, list[str]]:
        beside: dict[str, list[str]] = {name: [] for row in self.rows for name in row}
        for arrow, lanes in self.lanes.items():
            ends = [arrow.begin, arrow.end]
            if self.layer[arrow.begin] > self.layer[arrow.end]:
                ends.reverse()
            way = [ends[0], *lanes, ends[1]]
            for above, below in pairwise(way):
                beside[above].append(below)
                beside[below].append(above)
        return beside

    def _half(self, name: str) -> float:
        return self.width.get(name, LANE) / 2

    def _points(self, arrow: Arrow, centre: dict[str, float], top: dict[str, float]) -> tuple[tuple[float, float], ...]:
        begin, end = arrow.begin, arrow.end
        if self.layer[begin] == self.layer[end]:  # only an arrow that goes back: over both boxes
            return (centre[begin], top[begin]), (centre[end], top[end])
        down = self.layer[begin] < self.layer[end]
        lanes = self.lanes[arrow] if down else self.lanes[arrow][::-1]
        between = [at for lane in lanes for at in _through(centre[lane], top[lane], down=down)]
        leave, arrive = (top[begin] + HEIGHT, top[end]) if down else (top[begin], top[end] + HEIGHT)
        return (centre[begin], leave), *between, (centre[end], arrive)


def _through(x: float, top: float, *, down: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    ends = ((x, top), (x, top + HEIGHT))
    return ends if down else (ends[1], ends[0])


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _going_back(names: Sequence[str], found: Sequence[Arrow]) -> set[Arrow]:
    """Arrows to what is on the way to them already: without these there is no cycle. `names`: those first that a kickoff begins
    with, in their order, so that a cycle is cut where it returns to its beginning."""
    after: dict[str, list[Arrow]] = {name: [] for name in names}
    for arrow in found:
        after[arrow.begin].append(arrow)
    back: set[Arrow] = set()
    done: set[str] = set()
    on_way: set[str] = set()
    for root in names:
        if root in done:
            continue
        stack = [(root, iter(after[root]))]
        on_way.add(root)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                on_way.discard(name)
                done.add(name)
            elif following.end in on_way:
                back.add(following)
            elif following.end not in done:
                on_way.add(following.end)
                stack.append((following.end, iter(after[following.end])))
    return back
