"""Models: `LLM` by name, `BaseLLM` of one's own, and what they cost."""

from jackstay.llm.base_llm import BaseLLM
from jackstay.llm.estimating import estimate_cost
from jackstay.llm.llm import LLM

__all__ = ["LLM", "BaseLLM", "estimate_cost"]
