"""Runs over time: what each variant of each suite came to in every run, as run.json keeps it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args

from harness.errors import StorageError
from harness.records import JSON
from harness.stats.intervals import Interval
from harness.store import RunFolder, list_runs
from harness.summary.view import Comparison, RunSummary, VariantRole, VariantSummary

_COUNTS = ("trials", "planned", "cases", "passed", "failed", "errors", "input_tokens", "output_tokens")
_AMOUNTS = ("cost", "cost_per_trial")
_INTERVALS = ("interval", "latency_p50_interval", "latency_p95_interval", "difference_interval")
_NUMBERS = ("accuracy", "score", "latency_p50", "latency_p95", "ttft_p50", "ttft_p95", "difference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One variant of a suite in one run."""

    run: str
    #: ISO 8601 in UTC.
    started: str
    #: Of the project, whole; empty: not known.
    commit: str = ""
    #: Whether files differed from the commit.
    dirty: bool = False
    #: What the run ended with; None: not known.
    exit_code: int | None = None
    #: What `harness compare` set today's suites against, or "arms" where it compared two arms of one; empty: it is a run.
    compared: str = ""
    suite: str
    variant: str
    role: VariantRole
    prompt: str | None = None
    model: str | None = None
    trials: int = 0
    planned: int = 0
    cases: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    accuracy: float | None = None
    #: 95 percent, as the other intervals.
    interval: Interval | None = None
    score: float | None = None
    #: Seconds.
    latency_p50: float | None = None
    latency_p50_interval: Interval | None = None
    latency_p95: float | None = None
    latency_p95_interval: Interval | None = None
    ttft_p50: float | None = None
    ttft_p95: float | None = None
    #: USD.
    cost: Decimal | None = None
    cost_per_trial: Decimal | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    #: Against the suite's baseline, a fraction; None: it is the baseline, or nothing was compared.
    difference: float | None = None
    difference_interval: Interval | None = None
    #: The rule that holds (`better`, `not_enough_data`, ..) and the start of its sentence; empty: as above.
    verdict: str = ""
    headline: str = ""

    @property
    def graded(self) -> int:
        """Trials that passed or failed."""
        return self.passed + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The runs of a project, the oldest first."""

    points: tuple[Point, ...]
    #: Runs that cannot be read, and why.
    damaged: tuple[tuple[str, str], ...] = ()
    #: Runs that keep no such numbers: they were cut off, or made by an earlier version.
    silent: tuple[str, ...] = ()
    #: All of them, in the order in which they began.
    runs: tuple[str, ...] = ()


def history(reports: Path, *, decide: Callable[[RunFolder], RunSummary] | None = None) -> History:
    """Read what the runs under a reports folder came to, from their run.json alone; damaged ones are named.

    Args:
        reports: The folder of all runs.
        decide: Sums up a run that keeps no numbers, from its rows; None: such runs are only named.
    """
    points: list[Point] = []
    damaged: list[tuple[str, str]] = []
    silent: list[str] = []
    runs = list_runs(reports)
    for name in runs:
        folder = RunFolder(reports, name)
        try:
            manifest = folder.read_manifest()
            found = tuple(points_of(manifest, run=name))
            if not found and decide is not None:
                found = tuple(_of_summary(decide(folder), manifest, run=name))
        except StorageError as error:
            damaged.append((name, str(error)))
            continue
        except ValueError as error:
            damaged.append((name, f"{folder.manifest}:1: run.json is damaged: {error}"))
            continue
        points.extend(found)
        if not found:
            silent.append(name)
    return History(points=tuple(points), damaged=tuple(damaged), silent=tuple(silent), runs=tuple(runs))


def kept(variant: VariantSummary, comparison: Comparison | None) -> dict[str, JSON]:
    """Return the numbers of a variant that run.json keeps; amounts are US dollars as text, intervals pairs."""
    point = _point(variant, comparison)
    told: dict[str, JSON] = {"role": point.role}
    told |= {name: getattr(point, name) for name in (*_COUNTS, *_NUMBERS)}
    told |= {name: None if (found := getattr(point, name)) is None else format(found, "f") for name in _AMOUNTS}
    for name in _INTERVALS:
        found = getattr(point, name)
        told[name] = None if found is None else [found.low, found.high]
    return {**told, "verdict": point.verdict, "headline": point.headline}


def points_of(manifest: Mapping[str, Any], *, run: str) -> Iterator[Point]:
    """Yield what a run.json says of each variant; nothing where it keeps no numbers.

    Args:
        manifest: What it holds.
        run: Id of the run, which is the name of its folder.

    Raises:
        ValueError: It is not what was written; the message names the suite and the variant.
    """
    of_run = _of_run(manifest, run)
    suites = manifest.get("suites")
    for suite in suites if isinstance(suites, list) else ():
        for one in suite.get("variants", ()) if isinstance(suite, dict) else ():
            if not isinstance(one, dict) or not isinstance(one.get("summary"), dict):
                continue
            try:
                yield Point(
                    suite=str(suite["name"]),
                    variant=str(one["name"]),
                    prompt=_text(one.get("prompt")),
                    model=_text(one.get("model")),
                    **of_run,
                    **_read(one["summary"]),
                )
            except (KeyError, TypeError, ValueError, InvalidOperation) as error:
                raise ValueError(f"variant {one.get('name')!r} of suite {suite.get('name')!r}: {error}") from error


def _of_summary(summary: RunSummary, manifest: Mapping[str, Any], *, run: str) -> Iterator[Point]:
    of_run = {**_of_run(manifest, run), "exit_code": int(summary.exit_code)}
    for suite in summary.suites:
        compared = {one.candidate: one for one in suite.comparisons}
        for variant in suite.variants:
            yield dataclasses.replace(_point(variant, compared.get(variant.name)), **of_run)


def _point(variant: VariantSummary, comparison: Comparison | None) -> Point:
    difference = comparison.difference if comparison else None
    return Point(
        run="",
        started="",
        suite=variant.suite,
        variant=variant.name,
        role=variant.role,
        model=", ".join(variant.models) or None,
        trials=variant.trials,
        planned=variant.planned,
        cases=variant.cases,
        passed=variant.passed,
        failed=variant.failed,
        errors=variant.errors,
        accuracy=variant.accuracy,
        interval=variant.interval,
        score=variant.score,
        latency_p50=variant.latency_p50,
        latency_p50_interval=variant.latency_p50_interval,
        latency_p95=variant.latency_p95,
        latency_p95_interval=variant.latency_p95_interval,
        ttft_p50=variant.ttft_p50,
        ttft_p95=variant.ttft_p95,
        cost=variant.cost,
        cost_per_trial=variant.cost_per_trial,
        input_tokens=variant.usage.input,
        output_tokens=variant.usage.output,
        difference=difference.estimate if difference else None,
        difference_interval=difference.interval if difference else None,
        verdict=comparison.verdict.kind if comparison and comparison.verdict else "",
        headline=comparison.headline if comparison else "",
    )


def _of_run(manifest: Mapping[str, Any], run: str) -> dict[str, Any]:
    git = manifest.get("git")
    commit = git if isinstance(git, dict) else {}
    code, comparison = manifest.get("exit_code"), manifest.get("comparison")
    return {
        "run": run,
        "started": _text(manifest.get("started")) or _begun(run),
        "commit": _text(commit.get("commit")) or "",
        "dirty": commit.get("dirty") is True,
        "exit_code": code if isinstance(code, int) else None,
        "compared": (_text(comparison.get("ref")) or "arms") if isinstance(comparison, dict) else "",
    }


def _begun(run: str) -> str:
    """When a run began, as its id says it; empty where the folder has another name."""
    try:
        return datetime.strptime(f"{run[:15]}Z", "%Y%m%d-%H%M%S%z").strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    if told["role"] not in get_args(VariantRole):
        raise ValueError(f"{told['role']!r} is no role of a variant")
    found: dict[str, Any] = {"role": told["role"]}
    for name in _COUNTS:
        value = told.get(name)
        found[name] = value if value is None else int(value)
    for name in _NUMBERS:
        value = told.get(name)
        found[name] = value if value is None else float(value)
    for name in _AMOUNTS:
        value = told.get(name)
        found[name] = value if value is None else Decimal(value)
    for name in _INTERVALS:
        value = told.get(name)
        # Where the run is looked at closely, its report names the method.
        found[name] = None if value is None else Interval(low=float(value[0]), high=float(value[1]), method="")
    return found | {name: _text(told.get(name)) or "" for name in ("verdict", "headline")}


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None
