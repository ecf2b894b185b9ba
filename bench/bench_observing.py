"""CPU of observing: a one-task kickoff without it, with logs, with traces, with metrics, with logs and traces; beside pydantic-ai's
`Agent` with and without its own instrumentation, in the same environment against the same stub.

The goal: everything on costs at most 15 % of a kickoff. Each way is a process of its own, all are asked in turn for short rounds; a lap
is as many rounds as fill a batch of spans, and a ratio is the median of the laps' ratios. New processes take over after a few laps, with
the same hash seed for all: two processes that do the same differ by up to 7 % for as long as they live. Batches have OpenTelemetry's own
size and delay on both sides. CPU is that of the process from the end of one round to the end of the next, so that what its threads encode,
send and write between rounds is counted, too; the receiver is in this process. Every answer is looked at; lines and spans are counted where
they arrive.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.harness import heading, scratch_folder, stub_process

STARTS, LAPS, ROUNDS, KICKOFFS, GOAL = 5, 3, 8, 16, 15.0
LINES, SPANS = 6, 4
"""Of ours, per kickoff."""
SAID = "The summary is short."
OURS = ("off", "logs", "traces", "metrics", "logs and traces")
THEIRS = ("Agent, off", "Agent, traced")


def provider_at(url: str) -> Any:
    """As pydantic-ai's users make one."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def kickoffs(stack: ExitStack, way: str, stub: str, receiver: str) -> Callable[[], None]:
    from bench.bench_kickoff import crew_at
    from jackstay import Runtime

    # By the standard variables, as most programs do it.
    sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver} if "traces" in way else {}
    os.environ.update(sent | ({"JACKSTAY_LOG_FILE": "run.json"} if "logs" in way else {}))
    os.environ.update({"JACKSTAY_METRICS_PORT": "0"} if way == "metrics" else {})
    stack.enter_context(Runtime())
    crew = crew_at(stub)

    def go() -> None:
        for _ in range(KICKOFFS):
            assert crew.kickoff().raw == SAID

    return go


def agent_runs(way: str, stub: str, receiver: str) -> Callable[[], None]:
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = provider_at(receiver) if "traced" in way else None
    model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=stub, api_key="stub-key-0001"))
    if provider is not None:
        Agent.instrument_all(InstrumentationSettings(tracer_provider=provider, include_content=False))
    agent = Agent(model, system_prompt="You are Analyst. Expert researcher.")
    runner = asyncio.Runner()

    async def several() -> None:
        for _ in range(KICKOFFS):
            assert (await agent.run("Research AI agents")).output == SAID

    def go() -> None:
        runner.run(several())

    return go


def work(way: str, stub: str, receiver: str) -> int:
    """A round for each line that comes, and what it cost (ms of CPU); at last how many lines were logged."""
    with scratch_folder() as folder:
        with ExitStack() as stack:
            go = kickoffs(stack, way, stub, receiver) if way in OURS else agent_runs(way, stub, receiver)
            go()  # warm
            print("ready", flush=True)
            before_s = time.process_time()
            while sys.stdin.readline().strip():
                go()
                now_s = time.process_time()
                print((now_s - before_s) * 1000, flush=True)
                before_s = now_s
        log = Path(folder, "run.json")
        logged = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        print(len(logged), flush=True)
    return 0


@contextmanager
def receiver() -> Iterator[tuple[str, Counter[str]]]:
    """Takes everything; how many spans came, by the first part of the address."""
    spans: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            came = sum(len(scope.spans) for resource in sent.resource_spans for scope in resource.scope_spans)
            spans[self.path.split("/")[1]] += came
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", spans
    server.shutdown()


def main() -> int:
    ways = {way: str(number) for number, way in enumerate((*OURS, *THEIRS))}
    laps: dict[str, list[float]] = {way: [] for way in ways}
    lines: Counter[str] = Counter()
    with stub_process("--text", SAID) as stub, receiver() as (url, spans):
        for seed in range(STARTS):
            workers = {way: _worker(way, stub.openai_url, f"{url}/{number}", seed) for way, number in ways.items()}
            for worker in workers.values():
                assert _said(worker) == "ready"
            for _ in range(LAPS):
                _lap(workers, laps)
            for way, worker in workers.items():
                lines[way] += int(_said(worker, ""))
                worker.wait(20)
    done = STARTS * KICKOFFS * (LAPS * ROUNDS + 1)
    for way in OURS:
        assert lines[way] == (LINES * done if "logs" in way else 0), f"{way}: {lines[way]} lines"
        assert spans[ways[way]] == (SPANS * done if "traces" in way else 0), f"{way}: {spans[ways[way]]} spans"
    assert spans[ways["Agent, traced"]] >= done, "not every run of pydantic-ai's was traced"
    print(heading("observing, CPU per kickoff", "pydantic-ai-slim", "opentelemetry-sdk", "structlog"))
    for group in (OURS, THEIRS):
        for way in group:
            more = sorted(100 * (one / off - 1) for one, off in zip(laps[way], laps[group[0]], strict=True))
            low, high = more[len(more) // 4], more[-1 - len(more) // 4]
            print(
                f"  {way:<16} {statistics.median(laps[way]):6.2f} ms   {statistics.median(more):+6.1f} %"
                f" ({low:+.1f} to {high:+.1f})   {lines[way] / done:g} lines, {spans[ways[way]] / done:g} spans"
            )
    print(
        f"  {STARTS * LAPS} laps of {ROUNDS * KICKOFFS} kickoffs in {STARTS} processes each; in brackets the middle half of the laps"
    )
    print(f"  load at the end {os.getloadavg()[0]:.1f}; goal: at most {GOAL:.0f} % for logs and traces")
    return 0


def _lap(workers: dict[str, subprocess.Popen[str]], laps: dict[str, list[float]]) -> None:
    took_ms = dict.fromkeys(workers, 0.0)
    for _ in range(ROUNDS):
        for way in random.sample(list(workers), len(workers)):
            took_ms[way] += float(_said(workers[way], "go"))
    for way, each in took_ms.items():
        laps[way].append(each / (ROUNDS * KICKOFFS))


def _said(worker: subprocess.Popen[str], asked: str | None = None) -> str:
    assert worker.stdin is not None
    assert worker.stdout is not None
    if asked is not None:
        worker.stdin.write(f"{asked}\n")
        worker.stdin.flush()
    return worker.stdout.readline().strip()


def _worker(way: str, stub: str, receiver: str, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", way, stub, receiver]
    environ = os.environ | {"PYTHONHASHSEED": str(seed)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)


if __name__ == "__main__":
    sys.exit(work(*sys.argv[2:5]) if sys.argv[1:2] == ["--worker"] else main())
