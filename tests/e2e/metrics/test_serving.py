"""Where metrics are served: by a command, by settings, by a program's own; and what happens where they cannot be."""

from __future__ import annotations

import logging
import os
import socket

import prometheus_client
import pytest

from jackstay import Agent, Crew, Task
from jackstay.engine.telling import listeners
from jackstay.errors import ConfigurationError
from jackstay.metrics import exposition, registry, start_metrics_server
from tests.e2e.cli.conftest import KICKOFF, PROGRAM, Folder, environ, folder
from tests.e2e.metrics.scraping import Scraped, free_port

__all__ = ["Folder", "environ", "folder"]

SCRAPES_ITSELF = """
    if __name__ == "__main__":
        import os, sys, urllib.request
        print(urllib.request.urlopen(f"http://127.0.0.1:{os.environ['JACKSTAY_METRICS_PORT']}/metrics").read().decode())
"""


def one_task(llm: str = "gpt-4o-mini") -> Crew:
    agent = Agent(role="Writer", goal="Write", backstory="b", llm=llm)
    return Crew(name="desk", agents=[agent], tasks=[Task(description="d", expected_output="Text", agent=agent)])


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_command_serves_while_its_program_runs_and_without_the_option_loads_nothing(folder):
    folder.write("main.py", PROGRAM, KICKOFF, SCRAPES_ITSELF)
    folder.write("plain.py", PROGRAM, KICKOFF, "import sys\nprint('prometheus_client' in sys.modules)\n")

    watched = folder.run("run", "main.py", "--metrics-port", str(free_port()))
    plain = folder.run("run", "plain.py")

    assert (watched.returncode, plain.returncode) == (0, 0), watched.stderr + plain.stderr
    scraped = Scraped.read("\n".join(line for line in watched.stdout.splitlines() if "jackstay_" in line))
    assert scraped.sum("jackstay_runs_running") == 1
    assert scraped.by("jackstay_runs_started_total", "kind", "name") == {("script", "main.py"): 1}
    assert scraped.by("jackstay_kickoffs_total", "kind", "status") == {("crew", "succeeded"): 1}
    assert scraped.sum("jackstay_model_calls_total", status="succeeded") == 3
    assert plain.stdout.splitlines()[-1] == "False"


def test_port_that_was_asked_for_by_name_and_is_taken_is_refused_before_anything_runs(folder, taken):
    folder.write("main.py", PROGRAM, KICKOFF)

    ended = folder.run("run", "main.py", "--metrics-port", str(taken))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"--metrics-port {taken}: 127.0.0.1 does not have it" in ended.stderr


def test_port_of_the_settings_that_is_taken_is_one_warning_and_runs_go_on(make_runtime, stub, tmp_path, taken, caplog):
    (tmp_path / "jackstay.toml").write_text(f"[metrics]\nport = {taken}\n", encoding="utf-8")
    make_runtime()

    one_task().kickoff()
    one_task().kickoff()

    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(stub.requests) == 2
    assert [text.partition(";")[0] for text in warned] == [f"metrics: port {taken} of 127.0.0.1 is taken"]


@pytest.mark.parametrize(
    ("toml", "variables", "said"),
    [
        ("[metrics]\nport = 70000\n", {}, r"jackstay.toml: metrics.port is 70000; it is a number from 0 to 65535"),
        ("[metrics]\nport = true\n", {}, r"metrics.port is True"),
        ("[metrics]\naddress = 'x'\n", {}, r"metrics.address is unknown; the keys are port, host"),
        ("[metrics]\nport = 0\nhost = 1\n", {}, r"metrics.host is 1; write the address to listen at"),
        ("", {"JACKSTAY_METRICS_PORT": "ninety"}, r"JACKSTAY_METRICS_PORT is 'ninety'"),
    ],
)
def test_what_cannot_be_a_port_is_said_before_anything_is_asked(make_runtime, stub, tmp_path, toml, variables, said):
    (tmp_path / "jackstay.toml").write_text(toml, encoding="utf-8")
    make_runtime(environ={**stub.environ(), "HOME": str(tmp_path), **variables})

    with pytest.raises(ConfigurationError, match=said):
        one_task().kickoff()

    assert stub.requests == []


def test_off_nothing_listens_and_runs_have_no_meter(make_runtime):
    runtime = make_runtime()
    before = list(listeners)

    one_task().kickoff()

    assert listeners == before
    assert runtime.metering not in listeners
    assert runtime.metering.has_run is False


def test_program_serves_and_mounts_ours_and_the_default_registry_stays_its_own(make_runtime):
    runtime = make_runtime()
    before = prometheus_client.generate_latest().count(b"jackstay_")

    address = start_metrics_server(port=0)
    one_task().kickoff()

    scraped = Scraped.of(address)
    assert scraped.sum("jackstay_runs_total", name="desk") == 1
    assert Scraped.read(exposition()).sum("jackstay_runs_total", name="desk") == 1
    assert registry().get_sample_value("jackstay_runs_running") == 0
    assert before == prometheus_client.generate_latest().count(b"jackstay_") == 0
    with pytest.raises(ConfigurationError, match="served already, at"):
        start_metrics_server(port=0)
    runtime.close()
    with pytest.raises(OSError, match="refused"):
        Scraped.of(address)


def test_scrape_outlives_a_journal_that_cannot_be_read(make_runtime, tmp_path):
    make_runtime()
    address = start_metrics_server(port=0)
    one_task().kickoff()
    [file] = (tmp_path / ".jackstay").glob("*.db")
    for each in (file, *file.parent.glob("*.db-*")):
        each.rename(each.with_suffix(each.suffix + ".gone"))
    file.write_bytes(b"no database")

    scraped = Scraped.of(address)

    for each in file.parent.glob("*.gone"):
        each.replace(each.with_suffix(""))
    assert scraped.sum("jackstay_runs_total", name="desk") == 1
    assert "jackstay_journal_up 0.0" in scraped.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_child_counts_from_zero_and_leaves_the_port_to_its_parent(make_runtime):
    make_runtime()
    address = start_metrics_server(port=0)
    one_task().kickoff()

    pid = os.fork()
    if pid == 0:
        fresh = Scraped.read(exposition()).sum("jackstay_runs_total") == 0
        os._exit(0 if fresh and "jackstay_runs_total" in exposition() else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert Scraped.of(address).sum("jackstay_runs_total") == 1
