"""Reading files and folders: below one folder only, in bounded pieces, text only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jackstay.errors import ToolFailure
from jackstay.tools import DirectoryReadTool, FileReadTool


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    top = tmp_path / "top"
    (top / "b" / "c").mkdir(parents=True)
    (top / "ten").write_text("".join(f"line {n}\n" for n in range(10)))
    (top / "a.txt").write_text("Größe")
    (top / "b" / "c" / "deep").write_text("deep")
    (top / "b" / "first").write_text("first")
    (top / "out").symlink_to(tmp_path)
    return top


def reason(tool: FileReadTool | DirectoryReadTool, **arguments: object) -> str:
    with pytest.raises(ToolFailure) as raised:
        tool.run(**arguments)
    return raised.value.reason


def test_a_small_file_is_read_whole(root: Path) -> None:
    assert FileReadTool(root=str(root)).run(file_path="a.txt") == "Größe"
    assert FileReadTool(root=str(root)).run(file_path=str(root / "b" / "first")) == "first"
    assert FileReadTool(root=str(root), file_path="a.txt").run() == "Größe"


def test_a_file_is_read_piece_by_piece(root: Path) -> None:
    read = FileReadTool(root=str(root))

    assert read.run(file_path="ten", limit=2) == "line 0\nline 1\n[more follows: go on with offset=2]"
    assert read.run(file_path="ten", offset=8, limit=2) == "line 8\nline 9\n"
    assert read.run(file_path="ten", offset=10) == "[nothing after line 10]"


def test_a_piece_is_never_larger_than_allowed(root: Path) -> None:
    (root / "long").write_text("x" * 100 + "\ny\n")
    read = FileReadTool(root=str(root), max_chars=20)

    assert read.run(file_path="ten") == "line 0\nline 1\n[more follows: go on with offset=2]"
    first = read.run(file_path="long")
    assert first == f"{'x' * 20}\n[the rest of this line is left out]\n[more follows: go on with offset=1]"
    assert read.run(file_path="long", offset=1) == "y\n"


@pytest.mark.parametrize("path", ["../secret", "out/secret", "b/../../secret", "/etc/passwd"])
def test_what_leads_out_of_the_folder_is_refused(root: Path, path: str) -> None:
    assert reason(FileReadTool(root=str(root)), file_path=path) == "refused"


@pytest.mark.parametrize("path", ["..", "out", "/etc"])
def test_a_folder_outside_is_refused(root: Path, path: str) -> None:
    assert reason(DirectoryReadTool(root=str(root)), directory=path) == "refused"


@pytest.mark.parametrize("content", [b"\x00\x01", b"text\xff\xfe", b"t" * 9000 + b"\xff"])
def test_what_is_no_text_is_refused(root: Path, content: bytes) -> None:
    (root / "binary").write_bytes(content)

    assert reason(FileReadTool(root=str(root)), file_path="binary") == "binary"


@pytest.mark.parametrize("path", ["nothing", "b", "pipe", ""])
def test_what_is_no_file_is_said_and_not_opened(root: Path, path: str) -> None:
    os.mkfifo(root / "pipe")  # opening it would wait for ever

    assert reason(FileReadTool(root=str(root)), file_path=path) in ("not_found", "invalid_input")


def test_a_path_that_is_none_is_a_failure(root: Path) -> None:
    assert reason(FileReadTool(root=str(root)), file_path="a\0b") == "invalid_input"


def test_all_files_below_a_folder_are_listed_and_links_to_folders_not_followed(root: Path) -> None:
    listing = DirectoryReadTool(root=str(root))

    assert listing.run() == "a.txt\nten\nb/first\nb/c/deep"
    assert listing.run(directory="b") == "b/first\nb/c/deep"
    assert DirectoryReadTool(root=str(root), directory="b/c").run() == "b/c/deep"


def test_a_listing_is_read_piece_by_piece(root: Path) -> None:
    listing = DirectoryReadTool(root=str(root))

    assert listing.run(limit=3) == "a.txt\nten\nb/first\n[more follow: go on with offset=3]"
    assert listing.run(offset=3) == "b/c/deep"
    assert listing.run(offset=4) == "[no files]"


def test_a_folder_that_is_none_is_a_failure(root: Path) -> None:
    assert reason(DirectoryReadTool(root=str(root)), directory="a.txt") == "not_found"
