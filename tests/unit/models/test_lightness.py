"""Importing and resolving loads no SDK, no HTTP library and no price list."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
import jackstay.models, jackstay.models.wire
from jackstay.core.specs import ModelConfig
wire = jackstay.models.wire.Wire({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})
wire.resolve(ModelConfig("gpt-4o-mini"))
heavy = ("pydantic", "pydantic_ai", "openai", "anthropic", "httpx2", "genai_prices", "ssl_", "boto3", "google.genai")
print([name for name in heavy if name in sys.modules], threading.active_count())
"""


def test_resolving_a_model_imports_nothing_heavy_and_starts_no_thread() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[] 1"
