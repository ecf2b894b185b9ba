"""Pictures of flows: where boxes and arrows go."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from jackstay.core.flow_graph import FlowGraph, MethodSpec
from jackstay.core.flow_layout import CHARACTER, Box, Layout, arrows, layout
from tests.unit.core.test_flow_graph import all_of, any_of, graph, listen, route, start
from tests.unit.core.test_flow_random import random_condition, random_graph


def boxes_of(made: Layout) -> dict[str, Box]:
    return {box.name: box for box in made.boxes}


def overlap(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not beside and not (one.y + one.height <= other.y or other.y + other.height <= one.y)


def sixty_methods() -> FlowGraph:
    draw = random.Random(60)
    names = [f"a_method_with_the_number_{index}" for index in range(60)]
    methods = [MethodSpec(names[0], print, start=True)]
    for index, name in enumerate(names[1:], 1):
        methods.append(MethodSpec(name, print, condition=random_condition(draw, names[max(0, index - 8) : index])))
    return FlowGraph({method.name: method for method in methods})


@pytest.mark.parametrize("made", [*(random_graph(random.Random(seed)) for seed in range(40)), sixty_methods()])
def test_every_method_has_a_box_wide_enough_and_none_overlap(made: FlowGraph) -> None:
    picture = layout(made, {})

    boxes = picture.boxes
    assert [box.name for box in boxes] == list(made.methods)
    assert all(box.width > CHARACTER * len(box.name) for box in boxes)
    assert not [(a.name, b.name) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if overlap(a, b)]
    assert all(box.x > 0 and box.x + box.width < picture.width for box in boxes)
    assert all(box.y > 0 and box.y + box.height < picture.height for box in boxes)
    assert [line.arrow for line in picture.lines] == arrows(made)


def test_a_note_makes_its_box_wider() -> None:
    made = graph(start("a"))

    assert boxes_of(layout(made, {"a": "n" * 60}))["a"].width > boxes_of(layout(made, {}))["a"].width


def test_what_follows_stands_below_and_an_arrow_passes_beside_the_boxes_between() -> None:
    picture = layout(graph(start("a"), listen("b", "a"), listen("c", any_of("a", "b"))), {})

    boxes = boxes_of(picture)
    assert boxes["a"].y < boxes["b"].y < boxes["c"].y
    (over,) = [line for line in picture.lines if (line.arrow.begin, line.arrow.end) == ("a", "c")]
    between = [x for x, y in over.points if boxes["b"].y <= y <= boxes["b"].y + boxes["b"].height]
    assert between
    assert not [x for x in between if boxes["b"].x <= x <= boxes["b"].x + boxes["b"].width]


def test_chains_stand_straight_below_their_beginning_whatever_goes_past_them() -> None:
    chains = [["begin_" * 4 + str(n), f"next_{n}", f"last_{n}"] for n in range(3)]
    links = [listen(after, before) for chain in chains for before, after in pairwise(chain)]
    made = graph(
        start("a", "again"),
        *(listen(chain[0], "a") for chain in chains),
        *links,
        listen("beside", "a"),
        listen("end", all_of(*(chain[-1] for chain in chains), "beside")),
        route("judge", "end", ("again", "good")),
        listen("done", "good"),
    )

    centre = {box.name: box.x + box.width / 2 for box in layout(made, {}).boxes}

    for chain in [*chains, ["end", "judge", "done"]]:
        assert len({round(centre[name], 3) for name in chain}) == 1, chain


def test_a_cycle_is_cut_where_it_returns() -> None:
    made = graph(start("a", "again"), route("judge", "a", ("again", "good")), listen("end", "good"))
    boxes = boxes_of(layout(made, {}))

    assert boxes["a"].y < boxes["judge"].y < boxes["end"].y


def test_arrows_say_how() -> None:
    made = graph(
        start("a"), start("b"), listen("both", all_of("a", "b")), listen("any", any_of("a", "b")), route("r", "any", ("x",)),
        listen("x1", "x"), listen("x2", any_of("x", "a")),
    )  # fmt: skip
    told = {(arrow.begin, arrow.end): (arrow.how, arrow.label) for arrow in arrows(made)}

    assert told["a", "both"] == ("and", "")
    assert told["b", "any"] == ("or", "")
    assert told["any", "r"] == ("listen", "")
    assert told["r", "x1"] == told["r", "x2"] == ("label", "x")


def test_a_label_of_unknown_routers_comes_from_each_of_them() -> None:
    made = graph(start("a"), route("r", "a"), route("s", "a", ("y",)), listen("x1", "x"))

    assert ("r", "x1") in {(arrow.begin, arrow.end) for arrow in arrows(made)}
    assert ("s", "x1") not in {(arrow.begin, arrow.end) for arrow in arrows(made)}


def test_nothing_is_drawn_of_an_empty_graph() -> None:
    assert layout(FlowGraph(), {}).boxes == ()


def test_a_cycle_is_cut_where_it_returns_to_a_start_method() -> None:
    made = graph(
        start("plan", "again"),
        start("budget"),
        listen("draft", any_of("plan", "budget")),
        route("judge", "draft", ("again", "good")),
        listen("publish", "good"),
    )

    tops = {name: box.y for name, box in boxes_of(layout(made, {})).items()}

    assert tops["plan"] == tops["budget"] < tops["draft"] < tops["judge"] < tops["publish"]
