"""`Flow.plot` in a real browser: what a person sees of a large flow."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.browser.large_flow import METHODS, large_flow

BOXES = """
JSON.stringify([...document.querySelectorAll(".node")].map(node => {
  const box = node.querySelector("rect").getBoundingClientRect();
  const texts = [...node.querySelectorAll("text")].map(text => text.getBoundingClientRect());
  const as = r => [r.left, r.top, r.right, r.bottom];
  return { name: node.dataset.method, box: as(box), texts: texts.map(as) };
}))
"""

# Of each line points so near to one another that no box fits between them.
CROSSED = """
(() => {
  const boxes = [...document.querySelectorAll(".node")].map(n => [n.dataset.method, n.querySelector("rect").getBBox()]);
  const hit = (x, y, but) => boxes.filter(([name, b]) => !but.includes(name)
    && x > b.x + 1 && x < b.x + b.width - 1 && y > b.y + 1 && y < b.y + b.height - 1).map(([name]) => name);
  const found = [];
  for (const path of document.querySelectorAll("path[data-begin]")) {
    const ends = [path.dataset.begin, path.dataset.end];
    for (let at = 0; at < path.getTotalLength(); at += 5) {
      const point = path.getPointAtLength(at);
      found.push(...hit(point.x, point.y, ends).map(name => `${ends.join(" to ")} through ${name}`));
    }
  }
  for (const word of document.querySelectorAll(".word")) {
    const b = word.getBBox();
    for (const x of [b.x, b.x + b.width]) found.push(...hit(x, b.y + b.height / 2, []).map(n => `${word.textContent} on ${n}`));
  }
  return [...new Set(found)];
})()
"""


@pytest.fixture
def drawn(page: Page, tmp_path: Path, jackstay_runtime: Any) -> Page:
    path = large_flow()().plot(tmp_path / "gazette", show=False)
    page.go(Path(path).as_uri())
    return page


def boxes(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(f"JSON.parse({BOXES})")
    return found


@pytest.mark.promise("flow.plot")
def test_sixty_methods_are_sixty_boxes_that_do_not_overlap_and_no_name_is_clipped(drawn: Page) -> None:
    found = boxes(drawn)

    assert len(found) == METHODS == len({each["name"] for each in found})
    overlapping = [(a["name"], b["name"]) for a, b in combinations(found, 2) if _overlap(a["box"], b["box"])]
    assert overlapping == []
    clipped = [each["name"] for each in found for text in each["texts"] if not _inside(text, each["box"])]
    assert clipped == []
    width, height = drawn.evaluate("[innerWidth, innerHeight]")
    outside = [each["name"] for each in found if not _inside(each["box"], [0, 0, width, height])]
    assert outside == []


def test_no_line_runs_through_a_box_and_no_label_lies_on_one(drawn: Page) -> None:
    crossed = drawn.evaluate(CROSSED)

    assert crossed == []
    assert drawn.evaluate('document.querySelectorAll("path[data-begin]").length') > METHODS


def test_no_request_leaves_the_page_and_it_complains_of_nothing(drawn: Page) -> None:
    # A click, a zoom: what only happens then must be in the page, too.
    source = drawn.evaluate(
        """(() => { document.querySelector('[data-method="judge"]').dispatchEvent(new MouseEvent("click", {bubbles: true}));
        document.getElementById("stage").dispatchEvent(new WheelEvent("wheel", {deltaY: -300, clientX: 400, clientY: 400}));
        return document.querySelector("aside pre").textContent; })()"""
    )

    assert "def method(self" in source
    asked = [each["request"]["url"] for each in drawn.told("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    errors = [each for each in drawn.told("Runtime.consoleAPICalled") if each["type"] in ("error", "warning", "assert")]
    entries = [each["entry"] for each in drawn.told("Log.entryAdded") if each["entry"]["level"] in ("error", "warning")]
    assert (errors, entries, drawn.told("Runtime.exceptionThrown")) == ([], [], [])


def _overlap(a: list[float], b: list[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _inside(inner: list[float], outer: list[float]) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
