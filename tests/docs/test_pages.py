"""Every Python block of the documentation runs, and what its console examples show is what the commands print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jackstay.testing import Stub
from tests import warm_python
from tests.docs.pages import PAGES, agrees, environment, examples, play, program, write_files

WITH_PYTHON = [page for page in PAGES if program(page)]
WITH_CONSOLE = [page for page in PAGES if any(examples(page))]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as made:
        yield made


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_blocks_of_a_page_run(page: Path, stub: Stub, tmp_path: Path) -> None:
    # The page's own line numbers, under the page's own name: a traceback says where the page is wrong.
    script = tmp_path / f"{page.stem.replace('-', '_')}.py"
    script.write_text(program(page), encoding="utf-8")
    write_files(page, tmp_path)
    # Models with a provider's name are answered by the stub, `sim/…` in the process itself.
    addresses = {name: value for name, value in stub.environ().items() if name != "SIM_BASE_URL"}

    environ = environment(tmp_path, addresses)
    done = warm_python.run([script.name], cwd=tmp_path, env=environ, timeout_s=100, merged=True)

    assert done.returncode == 0, f"{page.name} (lines are those of the page):\n{done.stdout}"


@pytest.mark.parametrize("page", WITH_CONSOLE, ids=lambda page: page.name)
def test_console_examples_of_a_page_show_what_is_printed(page: Path, tmp_path: Path) -> None:
    write_files(page, tmp_path)

    for example in examples(page):
        printed = play(example.command, tmp_path, environment(tmp_path))
        assert agrees(example.expected, printed), (
            f"{page.name}, line {example.line}: $ {example.command}\n--- the page shows\n{example.expected}"
            f"--- printed\n{printed}"
        )


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("run 01a20363-0bd2  succeeded\n", "run 01a20399-aaaa-73e4-badf-956a8de80968 succeeded\n"),
        ("a\n…\nz\n", "a\nb\nc\nz\n"),
        ("took 3.1s and …\n", "took 12ms and more\n"),
        ("", "anything\n"),
    ],
)
def test_page_agrees_with_output_that_differs_in_ids_times_and_what_was_left_out(expected: str, printed: str) -> None:
    assert agrees(expected, printed)


@pytest.mark.parametrize(("expected", "printed"), [("a\n", "b\n"), ("a\n", "a\nb\n"), ("1 call\n", "2 call\n")])
def test_page_does_not_agree_with_other_output(expected: str, printed: str) -> None:
    assert not agrees(expected, printed)
