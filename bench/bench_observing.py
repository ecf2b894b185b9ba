"""CPU of observing: a one-task kickoff without it, with logs, with traces, with metrics, with logs and traces; beside pydantic-ai's `Agent` with and without its
own instrumentation, in the same environment against the same stub.

The goal: everything on costs at most 15 % of a kickoff. Each way is a process of its own, all are asked in turn for short rounds, and
a ratio is the median of the rounds' ratios. CPU of that process only, its threads that encode, send and write included; the
receiver is in this one.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import heading, scratch_folder, stub_process

ROUNDS, KICKOFFS, GOAL = 40, 20, 15.0
OURS = ("off", "logs", "traces", "metrics", "logs and traces")
THEIRS = ("Agent, off", "Agent, traced")


def provider_at(url: str) -> Any:
    """As pydantic-ai's users make one."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
    return provider


def kickoffs(stack: ExitStack, way: str, stub: str, receiver: str) -> Callable[[], None]:
    from bench.bench_kickoff import crew_at
    from jackstay import Runtime

    # By the standard variables, as most programs do it. Not once in five seconds: the rounds are short.
    sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver, "OTEL_BSP_SCHEDULE_DELAY": "200"} if "traces" in way else {}
    os.environ.update(sent | ({"JACKSTAY_LOG_FILE": "run.json"} if "logs" in way else {}))
    os.environ.update({"JACKSTAY_METRICS_PORT": "0"} if way == "metrics" else {})
    stack.enter_context(Runtime())
    crew = crew_at(stub)

    def go() -> None:
        for _ in range(KICKOFFS):
            crew.kickoff()

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
            await agent.run("Research AI agents")

    def go() -> None:
        runner.run(several())

    return go


def work(way: str, stub: str, receiver: str) -> int:
    """A round for each line that comes, and what it cost (ms of CPU per kickoff)."""
    with ExitStack() as stack:
        stack.enter_context(scratch_folder())
        go = kickoffs(stack, way, stub, receiver) if way in OURS else agent_runs(way, stub, receiver)
        go()  # warm
        print("ready", flush=True)
        for _ in sys.stdin:
            began_s = time.process_time()
            go()
            print((time.process_time() - began_s) * 1000 / KICKOFFS, flush=True)
    return 0


@contextmanager
def receiver() -> Iterator[tuple[str, list[int]]]:
    """Takes everything; the sizes of what came."""
    sizes: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sizes.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", sizes
    server.shutdown()


def main() -> int:
    figures: dict[str, list[float]] = {way: [] for way in (*OURS, *THEIRS)}
    with stub_process("--text", "The summary is short.") as stub, receiver() as (url, sizes):
        workers = {way: _worker(way, stub.openai_url, url) for way in figures}
        for worker in workers.values():
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for _ in range(ROUNDS):
            for way, worker in workers.items():
                assert worker.stdin is not None
                assert worker.stdout is not None
                worker.stdin.write("go\n")
                worker.stdin.flush()
                figures[way].append(float(worker.stdout.readline()))
        for worker in workers.values():
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait(20)
        assert sizes, "no spans were received"
    print(heading("observing, CPU per kickoff", "pydantic-ai-slim", "opentelemetry-sdk", "structlog"))
    for ways in (OURS, THEIRS):
        for way in ways:
            more = [100 * (one / off - 1) for one, off in zip(figures[way], figures[ways[0]], strict=True)]
            print(f"  {way:<16} {statistics.median(figures[way]):6.2f} ms   {statistics.median(more):+6.1f} %")
    print(f"  goal: at most {GOAL:.0f} % for logs and traces")
    return 0


def _worker(way: str, stub: str, receiver: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", way, stub, receiver]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    sys.exit(work(*sys.argv[2:5]) if sys.argv[1:2] == ["--worker"] else main())
