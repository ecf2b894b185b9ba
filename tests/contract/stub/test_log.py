"""The request log and the script: what tests read and tell, in the process and from another one."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from jackstay.core.usage import NO_USAGE
from jackstay.testing import Fault, RemoteStub, Reply, Stub, tool_call
from tests.contract.stub.shapes import post

CHAT: Any = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}],
}


def ask(stub, text="hi", **extra):
    body = {**CHAT, "messages": [CHAT["messages"][0], {"role": "user", "content": text}], **extra}
    return post(f"{stub.url}/v1/chat/completions", body, authorization="Bearer sk-secret")


def text_of(response):
    return response.json()["choices"][0]["message"]["content"]


def test_log_says_what_arrived_and_when(stub):
    before = time.time()
    ask(stub)

    request = stub.requests[0]
    assert (request.index, request.api, request.path) == (0, "openai-chat", "/v1/chat/completions")
    assert (request.model, request.stream, request.status, request.client_left) == ("gpt-4o-mini", False, 200, False)
    assert before <= request.received_s <= request.finished_s <= time.time()
    assert (request.system, request.last_user, request.in_flight) == ("S", "hi", 1)
    assert request.body == CHAT


def test_keys_are_kept_as_a_hash_only(stub):
    ask(stub)
    post(f"{stub.url}/v1/messages", {"model": "m", "messages": []}, **{"x-api-key": "sk-secret"})
    post(f"{stub.url}/v1/chat/completions", CHAT)

    hashed = hashlib.sha256(b"sk-secret").hexdigest()[:12]
    assert [request.key_hash for request in stub.requests] == [hashed, hashed, None]
    assert "sk-secret" not in json.dumps([request.to_json() for request in stub.requests])


def test_only_accepted_keys_are_answered():
    with Stub(keys=["sk-good"]) as stub:
        statuses = [
            post(f"{stub.url}/v1/chat/completions", CHAT, authorization=f"Bearer {key}").status_code
            for key in ("sk-good", "sk-bad")
        ]
        lists = [
            httpx2.get(f"{stub.url}/v1/models", headers={"authorization": f"Bearer {key}"}, trust_env=False).status_code
            for key in ("sk-good", "sk-bad")
        ]

        assert statuses == lists == [200, 401]
        assert stub.total_usage() == stub.requests[0].usage


def test_script_rules_and_answer_function(stub):
    with Stub(lambda request: f"function: {request.last_user}") as stub:
        stub.script(["first", {"json": 1}, None, tool_call("search", q="x"), lambda request: request.model])
        stub.rule("ruled", user="^special", times=1)

        answers = [text_of(ask(stub, text)) for text in ("a", "special", "b", "Write 9 words about X")]

        assert answers[:3] == ["first", "ruled", '{"json": 1}']
        assert len(answers[3].split()) == 9
        assert ask(stub).json()["choices"][0]["finish_reason"] == "tool_calls"
        assert [text_of(ask(stub, text)) for text in ("c", "special")] == ["gpt-4o-mini", "function: special"]


def test_asynchronous_answer_function_and_one_that_fails():
    async def answer(request):
        if request.last_user == "bad":
            raise KeyError("oops")
        return "later"

    with Stub(answer) as stub:
        assert text_of(ask(stub)) == "later"
        assert "KeyError('oops')" in ask(stub, "bad").json()["error"]["message"]


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({"user": "agents"}, True), ({"system": "^s$"}, True), ({"model": "4o"}, True), ({"path": "chat"}, True),
        ({"user": "agents", "model": "claude"}, False),
    ],
)  # fmt: skip
def test_rules_match_by_text_model_and_path(stub, conditions, matches):
    stub.rule("ruled", **conditions)

    assert (text_of(ask(stub, "About agents")) == "ruled") is matches


def test_reset_forgets_requests_scripts_and_faults(stub):
    ask(stub)
    stub.script(["never"])
    stub.rule(Fault.http(500), user="hi")

    stub.reset()

    assert (stub.requests, stub.total_usage(), stub.max_in_flight) == ([], NO_USAGE, 0)
    assert ask(stub).status_code == 200
    assert stub.requests[0].index == 0


def test_latency_is_kept_and_may_depend_on_the_request():
    with Stub(latency_s=lambda request: 0.05 if request.last_user == "slow" else 0.0) as stub:
        ask(stub, "slow")
        ask(stub, "quick")
        stub.latency_s = 0.03
        ask(stub, "quick")

        took = [(request.finished_s or 0) - request.received_s for request in stub.requests]
        assert took[0] >= 0.049
        assert took[2] >= 0.029


def test_wait_for_returns_when_it_is_so_and_says_what_is_when_it_is_not(stub):
    with stub.held():
        caller = threading.Thread(target=ask, args=(stub,))
        caller.start()
        stub.wait_for(lambda s: s.in_flight == 1)
        assert not stub.requests[0].finished
        with pytest.raises(TimeoutError, match="1 requests, 1 in flight"):
            stub.wait_for(lambda s: s.in_flight == 2, timeout_s=0.01)
    stub.wait_for(lambda s: s.requests[0].finished)
    caller.join(timeout=10)


def test_malformed_requests_are_refused_as_the_provider_does(stub):
    url = f"{stub.url}/v1/chat/completions"

    assert httpx2.post(url, content=b"{", trust_env=False).status_code == 400
    assert post(url, {"model": "m"}).status_code == 400
    assert post(url, {"messages": []}).json()["error"]["message"] == "you must provide a model parameter"
    assert post(f"{stub.url}/v1/nothing", {}).status_code == 404
    assert (
        post(f"{stub.url}/v1/messages", {"model": "m", "messages": "x"}).json()["error"]["type"]
        == "invalid_request_error"
    )


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of a thousand connections are this process's; an ordinary user's soft limit is often 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_thousand_connections_are_held(stub):
    body = json.dumps(CHAT).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    sockets = []
    try:
        with stub.held():
            for _ in range(1000):
                sock = socket.create_connection(("127.0.0.1", stub.port), timeout=60)
                sock.sendall(request)
                sockets.append(sock)
            stub.wait_for(lambda s: s.in_flight == 1000, 60)
        assert all(sock.recv(12) == b"HTTP/1.1 200" for sock in sockets)
    finally:
        for sock in sockets:
            sock.close()

    assert stub.max_in_flight == 1000


def test_one_connection_carries_many_requests_also_pipelined(stub):
    body = json.dumps(CHAT).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", stub.port), timeout=20) as sock:
        sock.sendall(request * 50)
        received = b""
        while received.count(b"HTTP/1.1 200") < 50:
            received += sock.recv(65536)

    assert len(stub.requests) == 50


def test_body_in_pieces_and_announced_bodies_are_read(stub):
    body = json.dumps(CHAT).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", stub.port), timeout=20) as sock:
        sock.sendall(head)
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        sock.sendall(body[:10])
        sock.sendall(body[10:])
        assert sock.recv(12) == b"HTTP/1.1 200"


def test_stopped_stub_leaves_no_thread_and_starts_again():
    stub = Stub()
    for _ in range(2):
        with stub:
            assert ask(stub).status_code == 200
    assert not [thread for thread in threading.enumerate() if thread.name == "jackstay-stub"]
    stub.stop()


def test_taken_port_is_an_error():
    with Stub() as stub, pytest.raises(OSError, match="in use"):
        Stub(port=stub.port).start()


def test_environment_points_the_clients_at_the_stub(stub, monkeypatch):
    for name, value in stub.environ().items():
        monkeypatch.setenv(name, value)

    assert openai.OpenAI().chat.completions.create(**CHAT).choices
    assert anthropic.Anthropic().messages.create(model="m", max_tokens=9, messages=CHAT["messages"][1:]).content


# --- in another process ------------------------------------------------------------------------------------------


def test_remote_stub_reads_the_same(stub):
    remote = RemoteStub(stub.url)
    assert remote.requests == []
    ask(stub)

    assert [one.to_json() for one in remote.requests] == [one.to_json() for one in stub.requests]
    assert remote.requests[0].messages == stub.requests[0].messages
    assert remote.total_usage() == stub.total_usage()
    assert (remote.in_flight, remote.max_in_flight) == (0, 1)


def test_remote_stub_scripts_and_waits():
    with RemoteStub.spawn("--latency", "0.01") as stub:
        stub.script(["one", Reply("two"), None])
        stub.rule("ruled", user="special")
        stub.fault_at(3, "500")
        stub.set_latency(0)

        assert [text_of(ask(stub, text)) for text in ("a", "special", "b")] == ["one", "ruled", "two"]
        assert ask(stub).status_code == 500

        stub.hold()
        caller = threading.Thread(target=ask, args=(stub,))
        caller.start()
        stub.wait_for(lambda s: s.in_flight == 1)
        with pytest.raises(TimeoutError):
            stub.wait_for(lambda s: s.in_flight == 2, timeout_s=0.05)
        stub.release()
        caller.join(timeout=10)
        stub.wait_for(lambda s: len(s.requests) == 5 and s.requests[4].finished)

        stub.reset()
        assert stub.requests == []
        stub.fault_by_chance("500", 1.0)
        assert ask(stub).status_code == 500
        with pytest.raises(TypeError):
            stub.script([lambda request: "x"])


def test_process_prints_its_url_writes_its_log_and_ends_on_sigterm(tmp_path):
    command = [sys.executable, "-m", "jackstay.testing.stub", "--text", "fixed", "--log", str(tmp_path / "log.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stub = RemoteStub(process.stdout.readline().strip())
        assert text_of(ask(stub)) == "fixed"
        stub.wait_for(lambda s: s.requests[0].finished)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0

    entry = json.loads((tmp_path / "log.jsonl").read_text())
    assert (entry["index"], entry["status"], entry["body"]) == (0, 200, CHAT)


def test_request_of_a_killed_process_is_logged_as_left(stub):
    code = f"import httpx2; httpx2.post({stub.openai_url + '/chat/completions'!r}, json={CHAT!r}, trust_env=False)"
    with stub.held(), subprocess.Popen([sys.executable, "-c", code]) as process:
        stub.wait_for(lambda s: s.in_flight == 1)
        process.kill()
        process.wait(timeout=20)
        stub.wait_for(lambda s: s.in_flight == 0)

    request = stub.requests[0]
    assert (request.client_left, request.usage, request.status) == (True, None, None)


def test_usage_follows_from_the_bytes_by_the_published_rule(stub):
    stub.script(["0123456789"])
    body = {"model": "m", "stream": False, "messages": [{"role": "user", "content": "hé"}]}

    usage = post(f"{stub.url}/v1/chat/completions", body).json()["usage"]

    # {"messages":[{"role":"user","content":"hé"}]} has 46 bytes, 0123456789 has 10: four bytes a token, rounded up.
    assert len('{"messages":[{"role":"user","content":"hé"}]}'.encode()) == 46
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (12, 3)
