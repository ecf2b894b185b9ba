"""A process that goes on for days: kickoffs leave neither memory nor threads behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import Future
from pathlib import Path

import pytest

from jackstay.engine.pool import Pool
from jackstay.testing import RemoteStub
from tests.programs.many_kickoffs import AT_ONCE, WAYS, Sample, crew_at, some_kickoffs

ROOT = Path(__file__).resolve().parents[2]
WARM, MORE = 10, 110


def test_kickoffs_leave_no_object_and_no_thread_behind(stub, runtime):
    with asyncio.Runner() as runner:
        kickoffs = some_kickoffs("fresh async", lambda: crew_at(stub.openai_url), runner)
        kickoffs(WARM)
        stub.reset()  # its log is the test's
        before, threads = our_objects(), threading.active_count()
        kickoffs(MORE)
        stub.reset()
        after = our_objects()

    # What the last few have left is not one for each. An asyncio loop keeps up to 100 timers that were cancelled, and with
    # them what their requests' context variables hold.
    assert {name: count for name, count in (after - before).items() if count >= MORE} == {}
    assert threading.active_count() < threads + AT_ONCE


def test_a_function_that_is_wanted_as_soon_as_another_has_ended_takes_its_thread():
    pool, gate, wanted = Pool(), threading.Event(), queue.SimpleQueue[Future[None]]()
    before = set(threading.enumerate())

    ended = pool.submit(lambda: gate.wait(10))
    ended.add_done_callback(lambda _: wanted.put(pool.submit(lambda: None)))
    gate.set()
    wanted.get(timeout=10).result(10)

    assert len(set(threading.enumerate()) - before) == 1


def our_objects() -> Counter[str]:
    """Live objects of our classes; not those of the stub."""
    gc.collect()
    kinds = [type(each) for each in gc.get_objects()]
    ours = (
        kind
        for kind in kinds
        if str(kind.__module__).startswith("jackstay.") and ".testing" not in str(kind.__module__)
    )
    return Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in ours)


@pytest.mark.prove
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("way", WAYS)
def test_two_thousand_kickoffs_grow_by_less_than_five_megabytes(tmp_path, way, record_property):
    with RemoteStub.spawn() as stub:
        done = subprocess.run(
            [sys.executable, "-m", "tests.programs.many_kickoffs", way, "2000", stub.openai_url],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )

    samples = [Sample(**one) for one in json.loads(done.stdout)]
    record_property("resident_mb", [round(one.resident_mb, 1) for one in samples])
    assert samples[-1].resident_mb - samples[0].resident_mb < 5
    assert {one.threads for one in samples} == {samples[0].threads}
