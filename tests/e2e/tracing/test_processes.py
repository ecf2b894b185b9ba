"""Programs as they are started: spans by the standard variables, a host with a provider of its own, receivers that are down,
kills, and `jackstay export otlp`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from jackstay import Runtime
from jackstay.core.records import RunFilter
from tests.e2e.tracing.kinds import crew, task
from tests.e2e.tracing.receiver import Receiver, told
from tests.e2e.tracing.trees import differences

HELLO = """
from jackstay import Agent, Crew, Task
analyst = Agent(role="Analyst", goal="g", backstory="b", llm="sim/demo")
output = Crew(agents=[analyst], tasks=[Task(name="research", description="d", expected_output="e", agent=analyst)]).kickoff()
"""


def program(folder: Path, source: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter in that folder, without the variables of whoever runs the tests."""
    (folder / "main.py").write_text(textwrap.dedent(source))
    return command(folder, sys.executable, "main.py", *arguments, **environ)


def command(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "JACKSTAY_CONSOLE": "off", "COLUMNS": "200", **environ}
    given["PYTHONPATH"] = str(Path(__file__).parents[3])
    return subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, timeout=60)


# --- by the standard variables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_spans_are_sent_where_the_standard_variables_say(tmp_path, receiver: Receiver, name):
    where = receiver.url if name == "OTEL_EXPORTER_OTLP_ENDPOINT" else f"{receiver.url}/own"
    told_more = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abc", "OTEL_SERVICE_NAME": "desk"}

    done = program(tmp_path, HELLO, **{name: where}, **told_more)

    assert (done.returncode, done.stderr) == (0, "")
    names = [span.name for span in receiver.spans]
    assert sorted(names) == ["chat demo", "invoke_agent Analyst", "invoke_workflow crew", "task research"]
    assert {span.resource["service.name"] for span in receiver.spans} == {"desk"}
    path, headers = receiver.requests[0]
    assert path == ("/v1/traces" if name == "OTEL_EXPORTER_OTLP_ENDPOINT" else "/own")
    assert headers["authorization"] == "Bearer abc"


def test_process_provider_is_not_set_by_us(tmp_path, receiver):
    source = f"{HELLO}\nfrom opentelemetry import trace\nprint(type(trace.get_tracer_provider()).__name__)"

    done = program(tmp_path, source, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.stdout == "ProxyTracerProvider\n"
    assert len(receiver.spans) == 4


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"JACKSTAY_TRACES": "off", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    ],
    ids=["nothing set", "no exporter", "off", "disabled"],
)
def test_program_without_traces_loads_nothing_for_them(tmp_path, environ):
    source = f"{HELLO}\nimport sys\nprint([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"

    done = program(tmp_path, source, **environ)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_missing_extra_is_one_warning_that_names_it(tmp_path):
    source = f"import sys\nsys.modules['opentelemetry.sdk'] = None\n{HELLO}\nprint(output.raw[:0] + 'done')\n{HELLO}"

    done = program(tmp_path, source, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    assert done.stdout == "done\n"
    assert done.stderr.count("\n") == 1
    assert "pip install 'jackstay[otel]'" in done.stderr


def test_protocol_that_is_not_spoken_is_one_warning(tmp_path):
    done = program(
        tmp_path, HELLO, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"
    )

    assert done.returncode == 0
    assert done.stderr == "traces are sent as http/protobuf, not as grpc: set OTEL_EXPORTER_OTLP_PROTOCOL\n"


def test_setting_that_cannot_be_used_is_one_warning(tmp_path, receiver):
    done = program(
        tmp_path, HELLO + HELLO, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_MAX_EXPORT_BATCH_SIZE="-1"
    )

    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("traces cannot be sent as the environment says: ")


# --- receivers that are down -----------------------------------------------------------------------------------------


def test_receiver_that_never_answers_blocks_neither_the_run_nor_its_end(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        source = f"import time\nbegan = time.monotonic()\n{HELLO}\nprint(time.monotonic() - began < 10)"
        began_s = time.monotonic()

        done = program(tmp_path, source, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")

        took_s = time.monotonic() - began_s
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert took_s < 20  # an interpreter that starts on a busy machine, and two seconds
    assert done.stderr == "the receiver of traces did not take the last spans in time; they are dropped\n"


def test_receiver_that_refuses_is_a_warning_and_nothing_else(tmp_path):
    with Receiver(status=403) as refusing:
        done = program(tmp_path, HELLO, OTEL_EXPORTER_OTLP_ENDPOINT=refusing.url)

    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("the receiver of traces does not take spans (")
    assert "403" in done.stderr


# --- a host ----------------------------------------------------------------------------------------------------------

HOST = """
import asyncio, json, logging, signal, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
logging.basicConfig(level=logging.ERROR, format="%(message)s")
signal.signal(signal.SIGTERM, lambda *_: None)

def state():
    root = logging.getLogger()
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    active = provider._active_span_processor._span_processors
    return [trace.get_tracer_provider() is provider, list(active), list(root.handlers), root.level, handlers, provider.id_generator]

async def serve():
    from jackstay import Agent, Crew, Task
    loop, before = asyncio.get_running_loop(), state()
    analyst = Agent(role="Analyst", goal="g", backstory="b", llm="sim/demo")
    crew = Crew(agents=[analyst], tasks=[Task(name="research", description="d", expected_output="e", agent=analyst)])
    with trace.get_tracer("host").start_as_current_span("request"):
        await crew.akickoff()
    mine = trace.get_tracer("jackstay").start_span("mine")
    mine.end()
    assert state() == before
    assert asyncio.get_running_loop() is loop
    assert len({span.context.trace_id for span in kept.get_finished_spans()}) == 2  # ours in the request's, and `mine`
    print(json.dumps(sorted(span.name for span in kept.get_finished_spans())))

asyncio.run(serve())
"""


def test_host_keeps_its_provider_logging_loop_and_signals(tmp_path, receiver):
    done = program(tmp_path, HOST, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.stderr == ""
    assert json.loads(done.stdout) == [
        "chat demo", "invoke_agent Analyst", "invoke_workflow crew", "mine", "request", "task research",
    ]  # fmt: skip
    assert receiver.spans == []  # the host's provider has them: nothing is sent twice


def test_script_that_sets_its_provider_while_it_runs_is_told_from_there_on(tmp_path, receiver):
    source = f"""
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint="{receiver.url}/v1/traces")))
        trace.set_tracer_provider(provider)
    """
    (tmp_path / "main.py").write_text(textwrap.dedent(source) + HELLO)

    done = command(tmp_path, sys.executable, "-m", "jackstay", "run", "main.py")

    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in receiver.spans) == [
        "chat demo", "invoke_agent Analyst", "invoke_workflow crew", "script main.py", "task research",
    ]  # fmt: skip


FOREIGN = """
from opentelemetry import trace

class Foreign(trace.TracerProvider):
    def get_tracer(self, *args, **more):
        return trace.NoOpTracer()

trace.set_tracer_provider(Foreign())
"""


def test_provider_that_takes_no_ids_gets_none_and_one_warning_says_so(tmp_path):
    done = program(tmp_path, FOREIGN + HELLO + HELLO)

    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "Foreign" in done.stderr
    assert "jackstay export otlp" in done.stderr


# --- processes -------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys, threading
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from jackstay import Agent, Crew, Runtime, Task
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool

asked = threading.Event()

class Asked(SpanProcessor):
    def on_end(self, span):
        asked.set()

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
provider.add_span_processor(Asked())

@tool
def look(topic: str) -> str:
    "Looks."
    if sys.argv[1] == "killed":
        asked.wait()
        os.kill(os.getpid(), signal.SIGKILL)
    return "seen"

model = ScriptedModel([tool_call("look", topic="a"), "done"] if sys.argv[1] == "killed" else ["done"])
analyst = Agent(role="Analyst", goal="g", backstory="b", llm=model, tools=[look])
tasks = [Task(name="research", description="d", expected_output="e", agent=analyst)]
with Runtime(tracer_provider=provider):
    print(Crew(agents=[analyst], tasks=tasks).kickoff(run_key="tuesday").raw)
"""


def test_run_that_was_killed_and_resumed_in_another_process_is_one_tree(tmp_path, receiver):
    killed = program(tmp_path, KILLED, "killed", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert killed.returncode == -9
    assert [span.name for span in receiver.spans] == ["chat scripted"]

    resumed = program(tmp_path, KILLED, "resumed", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert (resumed.stdout, resumed.stderr) == ("done\n", "")
    with Runtime(folder=tmp_path, environ={}) as runtime:
        [run] = runtime.journal.runs(RunFilter())
        rows = runtime.journal.steps(run.id, latest_only=False)
    assert {row.epoch for row in rows} == {1, 2}
    assert differences(run, rows, receiver.spans) == []
    ends = {span.epoch: span.attributes["jackstay.run.status"] for span in receiver.spans if span.epoch}
    assert ends == {1: "interrupted", 2: "succeeded"}


def test_spans_of_a_fork_reach_the_receiver_as_well(tmp_path, receiver):
    source = f"""
import os
{HELLO}
if (child := os.fork()) == 0:
{textwrap.indent(HELLO, "    ")}
    from jackstay.engine.runtime import current_runtime
    current_runtime().close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""

    done = program(tmp_path, source, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(receiver.spans) == 8
    assert len({span.trace_id for span in receiver.spans}) == 2


# --- sent later ------------------------------------------------------------------------------------------------------


def exported(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return command(folder, sys.executable, "-m", "jackstay", "export", "otlp", *words, **environ)


def test_export_sends_a_run_as_it_was_told_when_it_happened(make_runtime, provider, kept, tmp_path, receiver):
    runtime: Runtime = make_runtime(tracer_provider=provider)
    run_id = crew(task(), task(name="write")).kickoff().run_id
    crew(task()).kickoff()
    runtime.close()

    done = exported(tmp_path, run_id, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert (done.returncode, done.stderr) == (0, f"sent 7 spans of run {run_id[:13]}\n")

    def comparable(spans: list[Any]) -> set[Any]:
        return {(span.name, span.trace_id, span.span_id, span.parent_id, span.status) for span in spans}

    live = [span for span in told(kept.get_finished_spans()) if span.attributes["jackstay.run.id"] == run_id]
    assert comparable(receiver.spans) == comparable(live)


def test_export_of_a_batch_sends_its_items_too(make_runtime, tmp_path, receiver):
    runtime: Runtime = make_runtime()
    crew(task()).kickoff_for_each([{"n": 1}, {"n": 2}])
    runtime.close()

    done = exported(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.returncode == 0
    assert [span.name for span in receiver.spans].count("invoke_workflow crew") == 2


def test_export_says_where_the_receiver_is_set_if_it_takes_nothing(make_runtime, tmp_path):
    runtime: Runtime = make_runtime()
    crew(task()).kickoff()
    runtime.close()

    with Receiver(status=401) as refusing:
        done = exported(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=refusing.url)

    assert done.returncode == 1
    assert done.stderr.startswith("the receiver took 0 of 4 spans (")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT says where it is" in done.stderr


def test_export_sends_what_was_said_only_where_that_is_asked_for(make_runtime, tmp_path, receiver):
    runtime: Runtime = make_runtime()
    crew(task()).kickoff()
    runtime.close()

    exported(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    silent = list(receiver.spans)
    exported(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
    )

    assert not any("gen_ai.input.messages" in span.attributes for span in silent)
    [call] = [span for span in receiver.spans[len(silent) :] if span.kind == "llm"]
    assert "Do research" in call.attributes["gen_ai.input.messages"]
