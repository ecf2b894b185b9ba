"""Names of models in limits, and what is learnt of one model, as the limiter itself sees it."""

from __future__ import annotations

import pytest

from jackstay import LLM
from jackstay.testing import Stub


@pytest.mark.parametrize(
    ("asked", "limited"),
    [
        ("claude/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("ollama_chat/llama3", "ollama/llama3"),
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
    ],
)
def test_limit_of_a_model_is_found_however_the_model_is_spelt(stub: Stub, make_runtime, tmp_path, asked, limited):
    (tmp_path / "jackstay.toml").write_text(f'[limits."{limited}"]\nconcurrent = 7\n')
    runtime = make_runtime()

    LLM(asked).call("Say it")

    assert [state.name.partition(":")[0] for state in runtime.journal.limits()] == [limited]


def test_limit_that_one_model_announces_leaves_the_keys_other_models_theirs(runtime, tmp_path, make_runtime):
    (tmp_path / "jackstay.toml").write_text("[limits.openai]\nrequests_per_min = 5000\n")
    limiter = make_runtime().limiter

    limiter.learn("openai", "OPENAI_API_KEY", "gpt-4o", 200, {"x-ratelimit-limit-requests": "500"})

    named = limiter.limits_for("openai", "OPENAI_API_KEY", "gpt-4o")
    assert [limit.requests_per_min for limit in named] == [5000, 500]
    assert [x.requests_per_min for x in limiter.limits_for("openai", "OPENAI_API_KEY", "gpt-4o-mini")] == [5000]
