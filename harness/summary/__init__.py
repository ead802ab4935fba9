"""Results and statistics joined: one view model decides both what is printed and the exit code."""

from __future__ import annotations

from harness.summary.view import (
    Comparison,
    GateResult,
    RunSummary,
    SuiteSummary,
    VariantRole,
    VariantSummary,
)

__all__ = [
    "Comparison",
    "GateResult",
    "RunSummary",
    "SuiteSummary",
    "VariantRole",
    "VariantSummary",
]
