"""What is written at once: whole lines, all of them, in files that end where they should."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jackstay.observe.log_lines import Line, Place
from jackstay.observe.log_sinks import CHUNK, FileSink, chunks_of, json_form

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


class Unshown:
    def __str__(self) -> str:
        raise RuntimeError("nothing to show")


def sink(path: Path, failed: list[BaseException]) -> FileSink:
    return FileSink(path, json_form(lambda value: value), failed.append)


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_that_come_together_are_all_written_over_files_that_are_rotated(tmp_path: Path):
    failed: list[BaseException] = []
    made = sink(tmp_path / "run.json", failed)
    made.maxBytes = 3 * CHUNK
    lines = [Line("task_finished", logging.INFO, AT, Place({}), {"number": number}) for number in range(400)]

    made.write(lines)
    made.close()

    files = sorted(tmp_path.iterdir(), key=lambda path: path.name, reverse=True)
    assert not failed
    assert [each["number"] for path in files for each in read(path)] == list(range(400))
    assert len(files) > 2
    assert all(path.stat().st_size < made.maxBytes + CHUNK for path in files)


def test_chunks_are_whole_lines_of_what_a_pipe_takes_at_once_and_a_line_that_cannot_be_made_keeps_no_other():
    failed: list[BaseException] = []
    short = [Line("retry", logging.WARNING, AT, Place({}), {"number": number}) for number in range(60)]
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "%s", (Unshown(),), None)
    long = Line("long", logging.INFO, AT, Place({}), {"text": "x" * 2 * CHUNK})

    chunks = list(chunks_of([*short, record, long], json_form(lambda value: value), failed.append))

    assert [type(each) for each in failed] == [RuntimeError]
    assert [json.loads(line)["event"] for line in "".join(chunks).splitlines()] == ["retry"] * 60 + ["long"]
    assert all(chunk.endswith("\n") for chunk in chunks)
    assert all(len(chunk) <= CHUNK for chunk in chunks[:-1])
    assert 2 < len(chunks) < 10


def test_line_is_ascii_and_one_line_whatever_is_in_it():
    told = {"text": "a\u2028ü\n", "half": "\ud800", "cost": 1e-7, "odd": Odd()}
    form = json_form(lambda value: value)

    lines = [form(Line("retry", logging.WARNING, AT, Place({}), {key: value})) for key, value in told.items()]

    assert all(line.isascii() and "\n" not in line for line in lines)
    said = [json.loads(line)[key] for line, key in zip(lines, told, strict=True)]
    assert said == ["a\u2028ü\n", "\ud800", 1e-7, "odd"]


class Odd:
    def __repr__(self) -> str:
        return "odd"
