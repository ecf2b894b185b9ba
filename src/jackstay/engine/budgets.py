"""Budgets around a scope, and what happens when a call does not fit."""

from __future__ import annotations

from dataclasses import dataclass

from jackstay.core.budget import Budget, Ceiling
from jackstay.errors import BudgetExceeded


@dataclass(slots=True)
class BudgetScope:
    """One budget where it applies. `name`: what its counters are found by; `shown`: what messages call it."""

    budget: Budget
    name: str
    shown: str
    ceiling: Ceiling
    stopped: BudgetExceeded | None = None
    """Once set, every later step inside raises it again (engine rule 21)."""
