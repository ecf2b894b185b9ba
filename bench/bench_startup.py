"""From nothing to the first model request: import time and memory, and where the rest goes.

Import is `from jackstay import Agent, Crew, Task, LLM; from jackstay.flow import Flow` (limits 0.3 s, 45 MB); the first
request is a one-task kickoff against the stub with a new SQLite journal (limit 1.5 s from process start). Fresh
processes, the median of several; every one has its bytecode cached.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import heading, scratch_folder, stub_process
from jackstay.testing import RemoteStub

ROUNDS = 7

IMPORT = """
import json, resource, sys, time
started = time.perf_counter()
from jackstay import Agent, Crew, Task, LLM
from jackstay.flow import Flow
taken = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
print(json.dumps({"import_s": taken, "peak_mb": peak, "modules": len(sys.modules)}))
"""

FIRST = """
import json, sys, time
begun = float(sys.argv[1])
marks = [("interpreter", time.time() - begun)]
def mark(name):
    marks.append((name, time.time() - begun))
from jackstay import Agent, Crew, Task, LLM
from jackstay.flow import Flow
mark("import jackstay")
llm = LLM("gpt-4o-mini", base_url=sys.argv[2], api_key="stub-key-0001")
agent = Agent(role="Analyst", goal="Research AI agents", backstory="Expert researcher.", llm=llm)
task = Task(description="Research AI agents", expected_output="A brief research summary", agent=agent)
crew = Crew(agents=[agent], tasks=[task])
mark("definitions")
from jackstay.engine.runtime import current_runtime
current_runtime().journal
mark("open the journal (SQLAlchemy, new SQLite file)")
wire = current_runtime().wire
endpoint = wire.resolve(llm.to_config())
current_runtime().engine_loop.submit(lambda: wire.prepare(endpoint)).future.result()
mark("import the model layer (pydantic-ai, openai)")
crew.kickoff()
mark("kickoff with its answer")
print(json.dumps(marks))
"""


def fresh(program: str, *arguments: str) -> object:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def first_request_s(stub: RemoteStub) -> tuple[float, list[tuple[str, float]]]:
    """Seconds from process start until the stub saw the request, and the process's own marks."""
    stub.reset()
    begun = time.time()
    marks = fresh(FIRST, str(begun), stub.openai_url)
    assert isinstance(marks, list)
    (request,) = stub.requests
    return request.received_s - begun, [(name, at) for name, at in marks]


def main() -> int:
    with scratch_folder(), stub_process("--text", "Short.") as stub:
        imports = [fresh(IMPORT) for _ in range(ROUNDS)]
        firsts = [first_request_s(stub) for _ in range(ROUNDS)]
    print(heading("start-up", "pydantic", "pydantic-ai-slim", "sqlalchemy", "openai"))
    for name, limit in (("import_s", "0.30 s"), ("peak_mb", "45 MB"), ("modules", "")):
        median = statistics.median(one[name] for one in imports if isinstance(one, dict))
        print(f"  {name:<10} {median:8.3f}   {'limit ' + limit if limit else ''}")
    print(
        f"  process start to first request {statistics.median(s for s, _ in firsts):.2f} s   limit 1.50 s; where it goes:"
    )
    before = 0.0
    for index, (name, _) in enumerate(firsts[0][1]):
        at = statistics.median(marks[index][1] for _, marks in firsts)
        print(f"    {name:<48} {at - before:6.2f} s")
        before = at
    return 0


if __name__ == "__main__":
    sys.exit(main())
