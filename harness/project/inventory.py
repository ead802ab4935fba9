"""What a project holds, as rows for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import NothingSelected, StorageError
from harness.plan import Selection, Trial, build_plan
from harness.project.project import Project, find_suites, load
from harness.records import JSON
from harness.store import find_run, list_runs
from harness.suites.suite import Suite
from harness.summary.measuring import role

Rows = list[dict[str, JSON]]

#: What `harness list` can show.


def listing(project: Project, kind: str) -> Rows:
    """Return what a project holds of one kind.

    Raises:
        ConfigError: A suite or prompt cannot be read.
    """
    kinds = {
        "suites": _suites,
        "prompts": _prompts,
        "scorers": _scorers,
        "variants": _variants,
        "runs": _runs,
        "plugins": _plugins,
    }
    return kinds[kind](project)


def notes(suites: Sequence[Suite]) -> list[str]:
    """Return what is allowed and may still surprise."""
    found = []
    for suite in suites:
        unnamed = sum(case.unnamed for case in suite.cases)
        if unnamed:
            count = f"{unnamed} case{'s have' if unnamed != 1 else ' has'} no id"
            found.append(f"{suite.shown}: {count}; pairing a case with itself after its input was edited needs one")
        bare = sum(not case.checks for case in suite.cases)
        if bare:
            count = f"{bare} case{'s have' if bare != 1 else ' has'} no check"
            found.append(f"{suite.shown}: {count}; such a case passes as soon as there is an answer")
        found += suite.notes
    return found


def _load(project: Project) -> list[Suite]:
    try:
        return load(project, find_suites(project, []))
    except NothingSelected:
        return []


def _suites(project: Project) -> Rows:
    rows: Rows = []
    for suite in _load(project):
        plan = build_plan([suite], selection=Selection(), cassettes=project.settings.cassettes)
        rows.append(
            {
                "suite": suite.name,
                "file": suite.shown,
                "cases": len(suite.cases),
                "variants": [variant.name for variant in suite.variants],
                "repeats": suite.repeats,
                "trials": len(plan.trials),
                "recorded": sum(trial.answered for trial in plan.trials),
            }
        )
    return rows


def _prompts(project: Project) -> Rows:
    rows: Rows = []
    for name in project.prompts.names():
        for version in project.prompts.versions(name):
            prompt = project.prompts.get(f"{name}@{version}")
            rows.append(
                {
                    "prompt": prompt.ref,
                    "parent": prompt.parent,
                    "variables": list(prompt.front.variables),
                    "description": prompt.front.description,
                }
            )
    return rows


def _scorers(project: Project) -> Rows:
    registry = project.registry
    return [
        {"scorer": name, "what it checks": registry.get(name).summary, "from": registry.source(name)}
        for name in registry.names()
    ]


def _variants(project: Project) -> Rows:
    return [
        {
            "suite": suite.name,
            "variant": variant.name,
            "role": role(suite, variant.name).replace("_", " "),
            "prompt": variant.prompt or ("(inline)" if variant.system else None),
            "api": variant.assistant.api,
            "model": variant.assistant.model or variant.assistant.answers_from,
        }
        for suite in _load(project)
        for variant in suite.variants
    ]


def _runs(project: Project) -> Rows:
    rows: Rows = []
    for run in list_runs(project.settings.reports):
        try:
            rows.append(_run(run, find_run(project.settings.reports, run).read_manifest()))
        except StorageError:
            # The other runs are still worth a table; `harness report` says what is wrong with this one.
            rows.append({**_run(run, {}), "exit": "damaged"})
    return rows


def _run(run: str, manifest: Mapping[str, JSON]) -> dict[str, JSON]:
    outcomes, suites = manifest.get("outcomes"), manifest.get("suites")
    counts = outcomes if isinstance(outcomes, dict) else {}
    return {
        "run": run,
        "suites": [
            str(one.get("name")) for one in (suites if isinstance(suites, list) else []) if isinstance(one, dict)
        ],
        "passed": counts.get("passed"),
        "failed": counts.get("failed"),
        "errors": counts.get("error"),
        "exit": manifest.get("exit_code"),
    }


def _plugins(project: Project) -> Rows:
    registry = project.registry
    hooks: dict[str, set[str]] = {}
    for plugin in registry.plugins:
        hooks.setdefault(plugin.source, set()).update(plugin.hooks)
    return [
        {
            "from": source,
            "hooks": sorted(names),
            "scorers": [name for name in registry.names() if registry.source(name) == source],
        }
        for source, names in hooks.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How many trials of all suites would run offline."""

    trials: int
    #: Their answers are there: in a recording or in a file.
    answered: int
    #: Of Python targets that left no recording at all: they need none, unless they call a model.
    silent: int


def readiness(project: Project) -> Readiness:
    """Count the trials of all suites, and those whose answers are there.

    Raises:
        ConfigError: A suite or prompt cannot be read.
    """
    trials: list[Trial] = []
    for suite in _load(project):
        trials += build_plan([suite], selection=Selection(), cassettes=project.settings.cassettes).trials
    answered = {trial.id: trial.answered for trial in trials}
    recorded = {(trial.suite.name, trial.variant.name) for trial in trials if answered[trial.id]}
    return Readiness(
        trials=len(trials),
        answered=sum(answered.values()),
        silent=sum(
            trial.variant.assistant.api == "python" and (trial.suite.name, trial.variant.name) not in recorded
            for trial in trials
        ),
    )


def suite_count(project: Project) -> int:
    """Load every suite and return their number.

    Raises:
        ConfigError: One is wrong.
    """
    return len(_load(project))
