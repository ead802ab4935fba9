"""What stopping early can save at best."""

from __future__ import annotations

from collections.abc import Iterator

from harness.plan import Plan
from harness.project.project import Project
from harness.runs.estimates import estimate_of, live_trials
from harness.summary import phrases
from harness.summary.sparing import always_runs
from harness.summary.stopping import Watch, watched


def savings(project: Project, plan: Plan, *, rewrite: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield, for each suite that may stop early, when it is looked at and what is not sent if the first look decides.

    Args:
        project: In the record mode of the run.
        plan: What would run.
        rewrite: Ids of trials to record anew whatever the mode.
    """
    for suite in plan.suites:
        own = [trial for trial in plan.trials if trial.suite is suite]
        if not suite.stop_early or not own:
            continue
        watch = watched(suite, [(trial.case.id, trial.variant.name) for trial in own])
        if watch is None:
            yield f"{suite.name}: nothing to stop early: {_without(suite.baseline, len({one.case.id for one in own}))}"
            continue
        rest = [one for one in own if not (watch.before_next_look(one.case.id) or always_runs(one.case))]
        what = estimate_of(project, live_trials(rest, project.settings.record_mode, rewrite=rewrite))
        saved = f", and {what.what}, {what.price}, are saved at best" if what.trials else ""
        yield f"{suite.name}: {_looks(watch)}{saved}"


def _looks(watch: Watch) -> str:
    every, cases = len(watch.looks), phrases.count(watch.planned, "case")
    return f"looks at its comparisons {every} times, first after {watch.looks[0]} of {cases}"


def _without(baseline: str | None, cases: int) -> str:
    if baseline is None or cases > 20:
        return "there is no candidate to compare with a baseline"
    return f"no look comes before 20 cases are in, and there are {cases}"
