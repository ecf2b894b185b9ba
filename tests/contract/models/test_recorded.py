"""Answers that real providers gave (recorded by the CrewAI project, kept outside this repository) go through the wire.

What should come out is computed here from the recorded bytes, by code that shares nothing with the wire.
"""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jackstay import errors
from jackstay.core.messages import Answer
from jackstay.models import Endpoint
from jackstay.models.overrides import Overrides
from jackstay.models.prices import PriceList
from jackstay.models.table import providers
from tests.contract.models.asking import ask, needed, question
from tests.contract.models.loopback import Loopback, Reply

FOLDER = Path(os.environ.get("JACKSTAY_RECORDED") or Path(__file__).parents[4] / "shared" / "recorded")
ERRORS = {
    400: errors.ModelRejected,
    401: errors.ModelAuthenticationFailed,
    404: errors.ModelRejected,
    429: errors.ModelRateLimited,
}

Row = dict[str, Any]
Tokens = tuple[int, int, int, int, int]
"""Input, cached, cache-write, output, reasoning."""
Expected = tuple[str, list[tuple[str, Any]], Tokens]
"""Text, calls (name, arguments as parsed JSON), tokens."""


def rows(name: str) -> list[Any]:
    file = FOLDER / f"{name}.jsonl"
    if not file.exists():
        skip = pytest.mark.skip(reason=f"the recorded exchanges are not here: {file}")
        return [pytest.param({}, id="absent", marks=skip)]
    lines = file.read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=f"{name}-{number}") for number, line in enumerate(lines)]


def events(raw: str) -> list[Row]:
    data = (line.removeprefix("data:").strip() for line in raw.splitlines() if line.startswith("data:"))
    return [json.loads(line) for line in data if line and line != "[DONE]"]


def answer_to(row: Row, model: str, path: str, **config: Any) -> Answer:
    needed(model)
    recorded = row["response"]
    body = recorded if isinstance(recorded, str) else json.dumps(recorded)
    reply = Reply(body, row["status"], content_type=row["content_type"])
    with Loopback(reply) as server:
        try:
            return ask(server.url + path, model, question(), stream=row["stream"], **config)
        finally:
            assert len(server.asked) == 1


def check(row: Row, expected: Expected, model: str, path: str, **config: Any) -> None:
    answer = answer_to(row, model, path, **config)
    usage = answer.usage
    calls = [(call.name, json.loads(call.arguments)) for call in answer.tool_calls]
    counted = (
        usage.input_tokens, usage.cached_tokens, usage.cache_write_tokens, usage.output_tokens, usage.reasoning_tokens
    )  # fmt: skip

    assert (answer.text, calls, counted, usage.estimated) == (*expected, False)
    assert cost_of(answer, model) == by_hand(expected[2])


RATES = {"input_mtok": 3, "cached_mtok": Decimal("0.3"), "cache_write_mtok": Decimal("3.75"), "output_mtok": 15}


def cost_of(answer: Answer, model: str) -> Decimal | None:
    provider, _, name = model.partition("/")
    prices = PriceList(Overrides({"*": RATES}, lambda key, what: AssertionError(f"{key} {what}")))
    return prices.cost(providers()[provider], Endpoint(provider, name, model), answer.usage).usd


def by_hand(tokens: Tokens) -> Decimal:
    read, cached, written, said, _ = tokens
    pico = (read - cached - written) * 3_000_000 + cached * 300_000 + written * 3_750_000 + said * 15_000_000
    return Decimal(pico) / 1_000_000_000_000


def check_error(row: Row, model: str, path: str, words: str, expected: type[Exception] | None = None) -> None:
    with pytest.raises(expected or ERRORS[row["status"]]) as caught:
        answer_to(row, model, path)

    assert re.sub(r"\s+", " ", words)[:80] in str(caught.value)
    assert caught.value.status == row["status"]  # type: ignore[attr-defined]


# --- OpenAI's chat completions, and who speaks like them ---------------------------------------------------------


def expected_chat(row: Row) -> Expected:
    if row["stream"]:
        chunks = events(row["response"])
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
        text = "".join(delta.get("content") or "" for delta in deltas)
        usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")][-1]
        partial: dict[int, list[str]] = {}
        for piece in (piece for delta in deltas for piece in delta.get("tool_calls") or []):
            call = partial.setdefault(piece["index"], ["", ""])
            call[0] += piece["function"].get("name") or ""
            call[1] += piece["function"].get("arguments") or ""
        calls = [(name, json.loads(arguments)) for name, arguments in partial.values()]
    else:
        message, usage = row["response"]["choices"][0]["message"], row["response"]["usage"]
        text = message.get("content") or ""
        functions = [call["function"] for call in message.get("tool_calls") or []]
        calls = [(function["name"], json.loads(function["arguments"])) for function in functions]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    written = (usage.get("prompt_tokens_details") or {}).get("cache_write_tokens") or 0
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return text, calls, (usage["prompt_tokens"], cached, written, usage["completion_tokens"], reasoning)


@pytest.mark.parametrize("row", rows("openai-chat"))
def test_openai_chat(row: Row) -> None:
    model = row["request"]["model"]
    if row["status"] >= 400:
        check_error(row, f"openai/{model}", "/v1", row["response"]["error"]["message"])
        return
    check(row, expected_chat(row), f"openai/{model}", "/v1")


@pytest.mark.parametrize("row", rows("azure"))
def test_azure(row: Row) -> None:
    if row["path"].endswith("/responses"):
        check(row, expected_responses(row), "azure/" + row["request"]["model"], "", api="responses")
        return
    deployment = row["path"].split("/")[3]
    check(row, expected_chat(row), f"azure/{deployment}", "")


@pytest.mark.parametrize("row", rows("openrouter"))
def test_openrouter(row: Row) -> None:
    model = "openrouter/" + row["request"]["model"]
    if row["status"] >= 400:
        check_error(row, model, "/api/v1", row["response"]["error"]["message"])
        return
    check(row, expected_chat(row), model, "/api/v1")


@pytest.mark.parametrize("row", rows("ollama"))
def test_ollama(row: Row) -> None:
    pytest.skip(f"{row['path']} is Ollama's own API; the wire asks its OpenAI-compatible one (see test_shapes.py)")


# --- OpenAI's responses ------------------------------------------------------------------------------------------


def expected_responses(row: Row) -> Expected:
    whole = row["response"]
    if row["stream"]:
        whole = [event["response"] for event in events(whole) if event["type"] == "response.completed"][-1]
    parts = [part for item in whole["output"] if item["type"] == "message" for part in item["content"]]
    calls = [
        (item["name"], json.loads(item["arguments"])) for item in whole["output"] if item["type"] == "function_call"
    ]
    usage = whole["usage"]
    cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    text = "".join(part["text"] for part in parts if part["type"] == "output_text")
    return text, calls, (usage["input_tokens"], cached, 0, usage["output_tokens"], reasoning)


@pytest.mark.parametrize("row", rows("openai-responses"))
def test_openai_responses(row: Row) -> None:
    check(row, expected_responses(row), "openai/" + row["request"]["model"], "/v1", api="responses")


# --- Anthropic, Gemini, Bedrock ----------------------------------------------------------------------------------


def expected_anthropic(row: Row) -> Expected:
    if not row["stream"]:
        blocks, usage = row["response"]["content"], row["response"]["usage"]
    else:
        blocks, usage = [], {}
        for event in events(row["response"]):
            match event["type"]:
                case "message_start":
                    usage = dict(event["message"]["usage"])
                case "content_block_start":
                    blocks.append({**event["content_block"], "json": ""})
                case "content_block_delta":
                    delta = event["delta"]
                    blocks[-1]["text"] = blocks[-1].get("text", "") + delta.get("text", "")
                    blocks[-1]["json"] += delta.get("partial_json", "")
                case "message_delta":
                    usage.update(event["usage"])
        for block in blocks:
            block["input"] = json.loads(block["json"] or "{}")
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    thoughts = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    return text, calls, (usage["input_tokens"] + cached + written, cached, written, usage["output_tokens"], thoughts)


@pytest.mark.parametrize("row", rows("anthropic"))
def test_anthropic(row: Row) -> None:
    check(row, expected_anthropic(row), "anthropic/" + row["request"]["model"], "")


def expected_gemini(row: Row) -> Expected:
    chunks = events(row["response"]) if row["stream"] else [row["response"]]
    parts = [p for chunk in chunks for c in chunk["candidates"] for p in c["content"].get("parts", ())]
    usage = chunks[-1]["usageMetadata"]
    thoughts = usage.get("thoughtsTokenCount", 0)
    tokens = (
        usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0),
        usage.get("cachedContentTokenCount", 0),
        0,
        usage.get("candidatesTokenCount", 0) + thoughts,
        thoughts,
    )
    text = "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
    calls = [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts if "functionCall" in part]
    return text, calls, tokens


@pytest.mark.parametrize("row", rows("gemini"))
def test_gemini(row: Row) -> None:
    if ":predict" in row["path"]:
        pytest.skip("an embedding on Vertex AI: not a question to a model")
    model = "gemini/" + row["path"].rpartition("/")[2].partition(":")[0]
    if row["status"] >= 400:
        recorded = row["response"]
        body = json.loads(recorded) if isinstance(recorded, str) else recorded
        words = body["error"]["message"]
        refused = errors.ModelAuthenticationFailed if "API key not valid" in words else None
        check_error(row, model, "", words, refused)
        return
    check(row, expected_gemini(row), model, "")


@pytest.mark.parametrize("row", rows("bedrock"))
def test_bedrock(row: Row) -> None:
    content, usage = row["response"]["output"]["message"]["content"], row["response"]["usage"]
    text = "".join(block["text"] for block in content if "text" in block)
    calls = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in content if "toolUse" in block]
    cached = usage.get("cacheReadInputTokens", 0)
    written = usage.get("cacheWriteInputTokens", 0)
    tokens = (usage["inputTokens"] + cached + written, cached, written, usage["outputTokens"], 0)

    check(row, (text, calls, tokens), "bedrock/" + row["path"].split("/")[2], "")
