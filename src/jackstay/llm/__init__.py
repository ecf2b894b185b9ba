"""Models: `LLM` by name, `BaseLLM` of one's own."""

from jackstay.llm.base_llm import BaseLLM
from jackstay.llm.llm import LLM

__all__ = ["LLM", "BaseLLM"]
