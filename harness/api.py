"""What the commands call, in one import that is made when a command runs: load, plan, run, conclude, look."""

from __future__ import annotations

from harness.project.inventory import listing, notes, readiness, suite_count
from harness.project.project import Project, adjusted, check, find_suites, load, open_project, plan
from harness.runs.budgets import check_budgets
from harness.runs.effects import sights
from harness.runs.estimates import estimate, over_budget, plan_rows
from harness.runs.job import Conclusion, Job, published, unkept
from harness.runs.loaded import drift, find_stored
from harness.runs.opening import check_credentials
from harness.runs.savings import savings
from harness.runs.staleness import elsewhere, plan_notes, stale
from harness.summary.breakdown import check_keys

__all__ = [
    "Conclusion",
    "Job",
    "Project",
    "adjusted",
    "check",
    "check_budgets",
    "check_credentials",
    "check_keys",
    "drift",
    "elsewhere",
    "estimate",
    "find_stored",
    "find_suites",
    "listing",
    "load",
    "notes",
    "open_project",
    "over_budget",
    "plan",
    "plan_notes",
    "plan_rows",
    "published",
    "readiness",
    "savings",
    "sights",
    "stale",
    "suite_count",
    "unkept",
]
