"""Hypothesis for the pure rules: no time limit per example, because the machines that test are shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=40)
settings.load_profile("core")
