"""One key, several processes full of crews: what the provider sees. Seconds here; minutes with `make prove`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackstay.core.gcra import LATE_US
from jackstay.testing import RemoteStub, StubRequest
from tests.chaos.processes import Warm, warm_process
from tests.e2e.pacing import MINUTE_S, arrivals, check_pace, most_in
from tests.postgres import database_url, postgres_database, postgres_server

__all__ = ["database_url", "postgres_database", "postgres_server"]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def warm():
    with warm_process() as process:
        yield process


def crowd(
    warm: Warm, folder: Path, database_url: str, *, processes: int, crews: int, seconds: float, **environ: Any
) -> tuple[list[StubRequest], list[list[int]]]:
    """What the stub saw, and of every process the kickoffs of its crews."""
    with RemoteStub.spawn("--latency", "0.05") as stub:
        settings = {
            **stub.environ(),
            "JACKSTAY_DATABASE_URL": database_url,
            "LIMITED_SECONDS": str(seconds),
            "LIMITED_CREWS": str(crews),
            **environ,
        }
        started = [
            warm.run("limited_crews", environ=settings, folder=folder / str(n), key=None) for n in range(processes)
        ]
        statuses = [child.wait() for child in started]
        assert statuses == [0] * processes, [child.output[-2000:] for child in started]
        return list(stub.requests), [child.result["kickoffs"] for child in started]


def used(times: list[float], sizes: list[int], *, window_s: float, seconds: float) -> tuple[int, int]:
    """The least and the most that a window of that length has seen while everybody asked."""
    begun, ended = times[0], times[0] + seconds - 1.0
    starts = [at for at in times if begun <= at and at + window_s <= ended]
    sums = [
        sum(size for at, size in zip(times, sizes, strict=True) if start <= at < start + window_s) for start in starts
    ]
    return min(sums), most_in(window_s, times, sizes)


def test_processes_share_the_requests_of_a_key(warm, database_url, tmp_path):
    limit, seconds = 1200, 5.0

    requests, kickoffs = crowd(
        warm, tmp_path, database_url, processes=4, crews=5, seconds=seconds,
        JACKSTAY_LIMITS=f"openai:requests_per_min={limit}",
    )  # fmt: skip

    times = arrivals(requests)
    check_pace(times, limit)
    lasted_s = times[-1] - times[0]
    assert len(times) >= 0.93 * limit * (lasted_s - 0.3) / MINUTE_S
    shares = [sum(each) for each in kickoffs]
    assert min(shares) > 0.5 * max(shares)


@pytest.mark.promise("agent.max_rpm")
def test_agents_of_one_definition_share_max_rpm_across_processes(warm, database_url, tmp_path):
    requests, _ = crowd(warm, tmp_path, database_url, processes=3, crews=3, seconds=3.0, LIMITED_RPM="600")

    check_pace(arrivals(requests), 600)


def test_no_more_calls_than_allowed_are_under_way_in_all_processes(warm, database_url, tmp_path):
    requests, kickoffs = crowd(
        warm, tmp_path, database_url, processes=3, crews=4, seconds=2.0, JACKSTAY_LIMITS="openai:concurrent=4"
    )

    assert max(request.in_flight for request in requests) <= 4
    assert all(min(each) >= 1 for each in kickoffs)


@pytest.mark.prove
@pytest.mark.parametrize("kind", ["requests_per_min", "tokens_per_min"])
def test_eight_processes_of_twenty_crews_keep_a_limit_and_use_it(warm, database_url, tmp_path, kind, record_property):
    limit, seconds = (600, 150.0) if kind == "requests_per_min" else (60_000, 150.0)

    requests, kickoffs = crowd(
        warm, tmp_path, database_url, processes=8, crews=20, seconds=seconds, JACKSTAY_LIMITS=f"openai:{kind}={limit}"
    )

    requests.sort(key=lambda request: request.received_s)
    times = [request.received_s for request in requests]
    sizes = [
        1 if kind == "requests_per_min" else request.usage.total_tokens if request.usage else 0 for request in requests
    ]
    least, most = used(times, sizes, window_s=MINUTE_S, seconds=seconds)
    shares = [sum(each) for each in kickoffs]
    record_property(f"{kind} of any minute, most", most)
    record_property(f"{kind} of any minute, least", least)
    record_property("requests", len(requests))
    record_property("kickoffs of the processes", f"{min(shares)} to {max(shares)}")
    record_property("kickoffs of the crews", f"{min(map(min, kickoffs))} to {max(map(max, kickoffs))}")
    assert most <= (limit if kind == "requests_per_min" else 1.02 * limit)
    assert least >= 0.95 * limit
    assert min(shares) > 0.8 * max(shares)


def test_the_window_that_proves_is_a_minute():
    """The arithmetic of the checks: a burst is found wherever it is."""
    times = [n * 0.1 for n in range(700)]

    assert most_in(MINUTE_S, times) in (600, 601)
    with pytest.raises(AssertionError):
        check_pace([*times[:10], *([1.0] * 40)], 600, jitter_s=LATE_US / 1e6)
