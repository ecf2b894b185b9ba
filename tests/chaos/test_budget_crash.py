"""A budget that processes share: never exceeded by them together, nearly all usable, and right after a SIGKILL."""

from __future__ import annotations

import signal
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from jackstay.core.records import Reservation, RunFilter
from jackstay.core.usage import Usage
from jackstay.journal import open_journal
from jackstay.journal.location import from_url
from jackstay.testing import Reply, Stub, StubRequest

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

SAID = 900
PROCESSES = 4


def costly(request: StubRequest) -> Reply:
    """About 0.01 US dollars of gpt-4o."""
    allowed = request.max_tokens or SAID
    usage = Usage(input_tokens=100, output_tokens=min(SAID, allowed))
    return Reply("Text", usage=usage, finish_reason="length" if allowed < SAID else "stop")


def with_budget(folder: Path, usd: str) -> Path:
    folder.mkdir()
    (folder / "jackstay.toml").write_text(f'[budgets.project]\nusd = "{usd}"\n')
    return folder


def reservations(url: str) -> list[Reservation]:
    with closing(open_journal(from_url(url))) as journal:
        return [one for run in journal.runs(RunFilter(limit=1000)) for one in journal.reservations(run.id)]


@pytest.mark.parametrize("max_tokens", ["1000", ""], ids=["bounded", "unbounded"])
def test_four_processes_never_exceed_a_budget_together_and_use_nearly_all(warm, database_url, tmp_path, max_tokens):
    environ = {"JACKSTAY_DATABASE_URL": database_url, "SPENDERS": "25", "MAX_TOKENS": max_tokens}

    with Stub(costly) as stub:
        children = [
            warm.run(
                "spenders",
                environ={**stub.environ(), **environ},
                folder=with_budget(tmp_path / f"p{n}", "0.45"),
                key=None,
            )
            for n in range(PROCESSES)
        ]
        assert [child.wait() for child in children] == [0] * PROCESSES, children[0].output

    results = [child.result for child in children]
    assert [each["other"] for each in results] == [[]] * PROCESSES
    assert sum(each["refused"] for each in results) > 0
    made = reservations(database_url)
    spent = sum((Decimal(one.cost_pico or 0) for one in made), Decimal(0)) / 10**12
    assert Decimal("0.405") <= spent <= Decimal("0.45")
    assert all(one.state == "settled" for one in made)
    with closing(open_journal(from_url(database_url))) as journal:
        counted, reserved = journal.budget("project")
    assert Decimal(counted.pico) / 10**12 == spent
    assert (reserved.pico, reserved.tokens, reserved.calls) == (0, 0, 0)


def test_killed_between_reservation_and_settlement_is_lost_at_its_worst_price_once(warm, database_url, tmp_path):
    environ = {"JACKSTAY_DATABASE_URL": database_url, "SPENDERS": "3", "MAX_TOKENS": "1000"}
    with Stub(costly) as stub:
        stub.hold()
        first = warm.run(
            "spenders", environ={**stub.environ(), **environ}, folder=with_budget(tmp_path / "a", "0.10"), key="k"
        )
        stub.wait_for(lambda s: s.in_flight == 3, timeout_s=30)
        first.kill()
        assert first.wait() == -signal.SIGKILL
        with closing(open_journal(from_url(database_url))) as journal:
            used, reserved = journal.budget("project")
        worst = [one.worst_pico or 0 for one in reservations(database_url)]
        assert (used.pico, reserved.pico) == (0, sum(worst))
        stub.release()

        again = warm.run(
            "spenders", environ={**stub.environ(), **environ}, folder=with_budget(tmp_path / "b", "0.10"), key="k"
        )
        assert again.wait() == 0, again.output

    assert again.result == {"answered": 3, "refused": 0, "other": []}
    made = reservations(database_url)
    lost = [one for one in made if one.state == "lost"]
    assert sorted(one.cost_pico or 0 for one in lost) == sorted(worst)
    with closing(open_journal(from_url(database_url))) as journal:
        used, reserved = journal.budget("project")
    assert reserved.pico == 0
    assert used.pico == sum(one.cost_pico or 0 for one in made)
    assert used.calls == 6
