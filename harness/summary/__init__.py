"""Results and statistics joined: one view model decides both what is printed and the exit code."""

from __future__ import annotations

from harness.summary.across import compare_across
from harness.summary.comparing import Ground, compare_arms, compare_candidates, compare_pairs, compare_suite
from harness.summary.deciding import fails_alone, missed
from harness.summary.measuring import role
from harness.summary.pairing import Pairing, pair
from harness.summary.remarks import differences_of
from harness.summary.summarising import summarise
from harness.summary.view import (
    Comparison,
    GateResult,
    RunSpend,
    RunSummary,
    Spend,
    SuiteSummary,
    VariantRole,
    VariantSummary,
)

__all__ = [
    "Comparison",
    "GateResult",
    "Ground",
    "Pairing",
    "RunSpend",
    "RunSummary",
    "Spend",
    "SuiteSummary",
    "VariantRole",
    "VariantSummary",
    "compare_across",
    "compare_arms",
    "compare_candidates",
    "compare_pairs",
    "compare_suite",
    "differences_of",
    "fails_alone",
    "missed",
    "pair",
    "role",
    "summarise",
]
