"""Pitfall 5: environment and `.env`."""

import os

from dotenv import load_dotenv

from jackstay import LLM

load_dotenv()
key = os.environ.get("OPENAI_API_KEY", "")
model = LLM("gpt-4o-mini", api_key=key)
local = LLM("openai/local", api_key="not-needed", base_url="http://127.0.0.1:8000/v1")
HELP = "put OPENAI_API_KEY=sk-... into .env"
token_limit = "no secret in a sentence: token"
