"""Pitfall 5: keys stand in the code."""

import os

from jackstay import LLM

os.environ["OPENAI_API_KEY"] = "sk-proj-0000notARealKey1111"  # finds: key-in-source
SERPER_API_KEY = "8d0notreal11"  # finds: key-in-source
model = LLM("gpt-4o-mini", api_key="not-a-real-secret-1")  # finds: key-in-source
headers = {"password": "correcthorse"}  # finds: key-in-source
