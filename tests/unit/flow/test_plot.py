"""`Flow.plot` and `jackstay flow plot`: what is in the files."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from jackstay import Flow, listen, router, start
from jackstay.errors import ConfigurationError, DefinitionError
from jackstay.flow.visualization import visualize_flow_structure


class Writing(Flow):
    @start("again")
    def write(self) -> None:
        self.state["n"] = self.state.get("n", 0) + 1

    @router(write)
    def judge(self) -> str:
        return "again" if self.state["n"] < 2 else "good"

    @listen("good")
    def publish(self) -> str:
        """Ends with </script><b>."""
        return "</script>"

    @listen("never")
    def rest(self) -> None: ...


def page_of(flow: Flow, folder: Path) -> str:
    return Path(flow.plot(folder / "flow", show=False)).read_text(encoding="utf-8")


@pytest.mark.promise("flow.plot")
def test_the_page_needs_no_network_and_has_the_sources(tmp_path: Path) -> None:
    text = page_of(Writing(), tmp_path)

    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text
    (data,) = re.findall(r'<script type="application/json" id="methods">(.*?)</script>', text)
    methods = json.loads(data)
    assert methods["publish"]["source"].startswith('@listen("good")\ndef publish(self)')
    assert methods["publish"]["about"] == "listener\nlistens to good\nEnds with </script><b>."
    assert text.count("</script>") == 2


def test_the_states_of_the_last_run_lie_over_it(tmp_path: Path) -> None:
    flow = Writing()
    assert 'class="node start succeeded"' not in page_of(flow, tmp_path)
    flow.kickoff()
    text = page_of(flow, tmp_path)

    classes = dict(re.findall(r'<g class="node ([^"]*)" data-method="(\w+)"', text))
    assert {name: states for states, name in classes.items()} == {
        "write": "start succeeded", "judge": "router succeeded", "publish": "listener succeeded", "rest": "listener",
    }  # fmt: skip
    assert re.search(r"start · 2× \d\.\d\d s", text)
    assert str(flow.run_id)[:13] in text


def test_the_states_of_a_run_that_has_failed_lie_over_it_too(tmp_path: Path) -> None:
    class Breaks(Flow):
        @start()
        def begin(self) -> int:
            return 1

        @listen(begin)
        def divide(self) -> float:
            return 1 / 0

    flow = Breaks()
    with pytest.raises(ZeroDivisionError):
        flow.kickoff()

    classes = dict(re.findall(r'<g class="node ([^"]*)" data-method="(\w+)"', page_of(flow, tmp_path)))
    assert {name: states for states, name in classes.items()} == {
        "begin": "start succeeded", "divide": "listener failed",
    }  # fmt: skip


@pytest.mark.promise("cli.flow.plot")
def test_svg_is_well_formed_and_mermaid_is_text(tmp_path: Path) -> None:
    flow = Writing()
    drawn = Path(flow.plot(tmp_path / "deep" / "flow", format="svg"))
    text = Path(flow.plot(tmp_path / "flow.txt", format="mermaid")).read_text(encoding="utf-8")

    boxes = [
        each.get("data-method")
        for each in ET.fromstring(drawn.read_text(encoding="utf-8")).iter()
        if each.get("data-method")
    ]
    assert drawn.suffix == ".svg"
    assert boxes == ["write", "judge", "publish", "rest"]
    assert text.startswith('flowchart TD\n    M1(["write"])\n    M2{"judge"}\n')
    assert '    M2 -->|"again"| M1\n' in text


def test_what_cannot_be_drawn_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="format is one of html, svg, mermaid, not 'png'"):
        Writing().plot(tmp_path / "flow", format="png")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    for name in (tmp_path / "file" / "flow", "", "\0"):
        with pytest.raises(ConfigurationError, match="cannot be written to"):
            Writing().plot(name, show=False)


def test_the_files_suffix_says_the_form(tmp_path: Path) -> None:
    written = {
        name: Path(Writing().plot(tmp_path / name, show=False)) for name in ("a.svg", "b.mmd", "c.html", "d", "e.f")
    }

    begins = {name: path.read_text(encoding="utf-8")[:9].lower() for name, path in written.items()}
    assert begins == {
        "a.svg": "<svg xmln",
        "b.mmd": "flowchart",
        "c.html": "<!doctype",
        "d": "<!doctype",
        "e.f": "<!doctype",
    }
    assert written["d"].name == "d.html"


def test_a_label_is_no_html_in_mermaid(tmp_path: Path) -> None:
    class Odd(Flow):
        @router(emit=['<b>&"1"#'])
        @start()
        def choose(self) -> str:
            return '<b>&"1"#'

        @listen('<b>&"1"#')
        def end(self) -> None: ...

    assert '|"#lt;b>#amp;#quot;1#quot;#35;"|' in Path(Odd().plot(tmp_path / "x.mmd")).read_text(encoding="utf-8")


@pytest.mark.promise("flow.visualize_flow_structure")
@pytest.mark.parametrize("given", [Writing, Writing()], ids=["class", "object"])
def test_visualize_flow_structure_writes_the_page_of_plot(given: Any, tmp_path: Path) -> None:
    written = Path(visualize_flow_structure(given, str(tmp_path / "flow.html")))

    assert written == tmp_path / "flow.html"
    assert written.read_text() == Path(Writing().plot(tmp_path / "other.html", show=False)).read_text()
