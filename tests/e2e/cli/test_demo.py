"""The demo from its command to its exit code."""

from __future__ import annotations

import re


def test_demo_shows_the_three_lines_and_no_answered_call_is_issued_again(folder):
    del folder.environ["JACKSTAY_MODEL"]

    ended = folder.run("demo", JACKSTAY_DEMO="sim", OPENAI_API_KEY="sk-not-to-be-used")

    said = ended.stdout
    assert ended.returncode == 0, said + ended.stderr
    assert "simulated" in said.splitlines()[0]
    assert re.search(r"^\[INFO\] Flow started: topic=AI agents, run_id=\S+$", said, re.M)
    assert re.search(r"^\[INFO\] Flow completed: \d,\d{3} tokens, ~\$0\.\d{4}$", said, re.M)
    assert re.search(r"^Summary: \d+ words generated on 'AI agents'$", said, re.M)
    assert "Of the 4 calls answered before the kill, 0 were issued again." in said
    assert re.search(r"^killed and resumed +7 +6 +1 ", said, re.M)
    assert list(folder.path.iterdir()) == []
