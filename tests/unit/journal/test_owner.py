"""Whether the owner of a lease is certainly gone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from jackstay.journal.owner import Owner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes of POSIX")


def test_a_living_process_is_not_gone() -> None:
    here = Owner.here()

    assert not here.is_gone(Owner.here())
    assert Owner.parse(str(here)) == here


def test_a_process_that_has_ended_is_gone() -> None:
    assert _ended().is_gone(Owner.here())


def test_a_killed_process_that_nobody_has_waited_for_is_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        process.kill()
        # The parent learns of the end without collecting it: the process stays in the table as a zombie.
        subprocess.run(
            ["sh", "-c", f"while kill -0 {process.pid} && ! grep -q ' Z ' /proc/{process.pid}/stat; do :; done"]
        )

        assert replace(Owner.here(), pid=process.pid, started="1").is_gone(Owner.here())


def test_a_pid_that_was_given_to_another_process_is_gone() -> None:
    assert replace(Owner.here(), started="1").is_gone(Owner.here())


@pytest.mark.parametrize("part", ["machine", "boot", "pid_namespace"])
def test_what_cannot_be_compared_is_never_said_to_be_gone(part: str) -> None:
    gone = _ended()

    elsewhere: dict[str, Any] = {part: "another"}
    unknown: dict[str, Any] = {part: ""}

    assert not replace(gone, **elsewhere).is_gone(Owner.here())
    assert not replace(gone, **unknown).is_gone(replace(Owner.here(), **unknown))


def test_an_owner_of_another_version_is_not_understood() -> None:
    assert Owner.parse("worker-7") is None
    assert Owner.parse('{"machine": "m", "colour": "red"}') is None


def _ended() -> Owner:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(Owner.here(), pid=process.pid)
