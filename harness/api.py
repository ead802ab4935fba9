"""The product behind the command line and the pytest plugin: load, plan, run, conclude.

Both front ends call the same functions, so that the same suites give the same verdict in both.
"""

from __future__ import annotations

from harness.plan import Plan, Selection, Trial
from harness.project.inventory import listing, notes, recorded, suite_count
from harness.project.project import Project, adjusted, check, find_suites, load, open_project, plan
from harness.runs.engine import Engine
from harness.runs.estimates import estimate, plan_rows
from harness.runs.job import Conclusion, Job
from harness.runs.loaded import compared, drift, find_stored
from harness.runs.opening import check_credentials
from harness.runs.staleness import stale

__all__ = [
    "Conclusion",
    "Engine",
    "Job",
    "Plan",
    "Project",
    "Selection",
    "Trial",
    "adjusted",
    "check",
    "check_credentials",
    "compared",
    "drift",
    "estimate",
    "find_stored",
    "find_suites",
    "listing",
    "load",
    "notes",
    "open_project",
    "plan",
    "plan_rows",
    "recorded",
    "stale",
    "suite_count",
]
