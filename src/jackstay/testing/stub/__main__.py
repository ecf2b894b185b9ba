"""`python -m jackstay.testing.stub`: the stub as a process of its own; its URL is the first line it prints."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from jackstay.testing.stub.log import StubRequest
from jackstay.testing.stub.server import Stub


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jackstay.testing.stub", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds before each answer")
    parser.add_argument("--pace", type=float, default=0.0, metavar="S", help="seconds before each chunk of a stream")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1, help="turns with tool calls before the answer")
    parser.add_argument("--text", help="this text for every answer, instead of the simulated model's")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append each finished request as a line of JSON")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the starting process does")
    return parser.parse_args()


def _writer(path: Path) -> Callable[[StubRequest], None]:
    # Line by line, opened for each: a killed stub leaves whole lines, and the reader may move the file away.
    def write(request: StubRequest) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(request.to_json(), ensure_ascii=False) + "\n")

    return write


def main() -> int:
    options = _arguments()
    text: str | None = options.text
    stub = Stub(
        None if text is None else lambda _request: text,
        latency_s=options.latency,
        pace_s=options.pace,
        seed=options.seed,
        rounds=options.rounds,
        port=options.port,
        on_finished=_writer(options.log) if options.log else None,
    )
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    with stub:
        print(stub.url, flush=True)  # noqa: T201 - what the starting process reads
        if options.until_stdin_closes:
            sys.stdin.read()
        else:
            ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
