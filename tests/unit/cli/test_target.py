"""What PATH means."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackstay.cli.outcome import UsageError
from jackstay.cli.target import Target, resolve


def _made(folder: Path, *names: str, **texts: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(texts.get(file.stem, ""), encoding="utf-8")
    return folder


def test_file_module_and_object(tmp_path):
    _made(tmp_path, "a.py", "odd:name.py")

    assert resolve("a.py", ("-x",), tmp_path).shown == f"{tmp_path / 'a.py'} -x"
    assert resolve("a.py:made.crew", (), tmp_path).object == "made.crew"
    assert resolve("odd:name.py", (), tmp_path).object is None
    assert resolve("pack.mod", (), tmp_path).module == "pack.mod"
    assert resolve("pack.mod:crew", (), tmp_path).name == "pack.mod:crew"


@pytest.mark.parametrize(
    ("pyproject", "files", "expected"),
    [
        ('[tool.jackstay]\nrun = "pack.go:start"\n[project.scripts]\nrun = "pack.main:run"', (), "pack.go:start"),
        ('[project.scripts]\nrun_crew = "pack.main:run"\ntrain = "pack.main:train"', (), "pack.main:run"),
        (
            '[project.scripts]\nrun_crew = "pack.main:run"\nkickoff = "pack.main:kickoff"\n[tool.crewai]\ntype = "flow"',
            (),
            "pack.main:kickoff",
        ),
        ("[project]", ("main.py", "src/pack/main.py"), "main.py"),
        ("[project]", ("src/pack/main.py",), "pack.main"),
    ],
)
def test_project_folder(tmp_path, pyproject, files, expected):
    _made(tmp_path, "pyproject.toml", *files, pyproject=pyproject)

    assert resolve(".", (), tmp_path).name == expected


def test_project_that_names_nothing_or_too_much_says_so(tmp_path):
    (tmp_path / "none").mkdir()
    _made(tmp_path, "two/src/a/main.py", "two/src/b/main.py")

    with pytest.raises(UsageError, match=r"nothing to run: it has no main.py"):
        resolve("none", (), tmp_path)
    with pytest.raises(UsageError, match="several programs"):
        resolve("two", (), tmp_path)


def test_entry_brings_the_same_program_back(tmp_path):
    _made(tmp_path, "a.py")
    target = resolve("a.py:crew", ("--x",), tmp_path)

    assert Target.from_entry(target.to_entry()) == target
    assert Target.from_entry({}) is None
    plain = Target.from_entry({"script": "/x/a.py", "arguments": ["1"], "folder": "/y"})
    assert plain == Target(script="/x/a.py", search=("/x",), arguments=("1",), folder="/y")
    module = Target.from_entry({"script": "/x/p/a.py", "module": "p.a", "arguments": [], "folder": "/x"})
    assert module == Target(module="p.a", search=("/x",), folder="/x")


@pytest.mark.promise("cli.run.definition")
def test_a_declared_flow_finds_its_code_beside_it_and_in_its_project(tmp_path):
    _made(
        tmp_path, "pyproject.toml", "src/pack/flow.yaml", pyproject='[tool.crewai]\ndefinition = "src/pack/flow.yaml"'
    )

    found = resolve("src/pack/flow.yaml", (), tmp_path)

    assert found.is_declaration
    assert found.search == tuple(str(tmp_path / each) for each in ("src/pack", ".", "src"))
    assert resolve(".", (), tmp_path).script == found.script
    assert not resolve("pack.mod", (), tmp_path).is_declaration
