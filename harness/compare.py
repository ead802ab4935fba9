"""Stored results side by side: the variants of a run, two runs, or any two variants, paired by case id."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import ExitCode, UsageError, did_you_mean
from harness.records import JSON, Result
from harness.store import RunFolder, find_run, latest_run, read_results
from harness.store.rows import plain
from harness.store.slim import slim
from harness.suites.definition import Definition
from harness.suites.suite import DEFAULT_MARGIN, Suite
from harness.summary import (
    Comparison,
    Ground,
    compare_across,
    compare_arms,
    compare_candidates,
    compare_pairs,
    compare_suite,
    role,
)
from harness.summary.changes import arm_facts, with_changes
from harness.summary.comparing import replayed_alike
from harness.summary.pairing import same_recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """All trials of one variant of a suite in one run, in plan order."""

    run: str
    suite: str
    variant: str
    results: tuple[Result, ...]
    #: The run's folder; None: not known.
    path: Path | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """`SUITE:VARIANT`"""
        return f"{self.suite}:{self.variant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms, and what the second is compared with the first."""

    a: Arm
    b: Arm
    #: What they are called, A's first.
    names: tuple[str, str]
    comparison: Comparison
    #: Whether a verdict `worse` makes the comparison fail: `report_only` variants decide nothing.
    decides: bool = True

    @property
    def worse(self) -> bool:
        """Whether it makes the comparison fail."""
        found = self.comparison.verdict
        return self.decides and found is not None and found.kind == "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a comparison of stored results came to."""

    pairs: tuple[Pair, ...]
    #: What has no counterpart, one line each.
    unmatched: tuple[str, ...] = ()

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return tuple(one.comparison for one in self.pairs)

    @property
    def text(self) -> str:
        """Every sentence, suite by suite."""
        blocks: dict[str, list[str]] = {}
        for one in self.comparisons:
            lines = (one.text, one.latency_text, one.cost_text, one.confounded)
            blocks.setdefault(one.suite, [one.suite]).extend(f"  {line}" for line in lines if line)
        parts = ["\n".join(lines) for lines in blocks.values()]
        if self.unmatched:
            parts.append("\n".join(self.unmatched))
        return "\n\n".join(parts) or "There is nothing to compare."

    @property
    def exit_code(self) -> ExitCode:
        """1 where a variant that decides is worse; 5 where there was nothing to compare."""
        if any(one.worse for one in self.pairs):
            return ExitCode.FAILED
        return ExitCode.PASSED if self.pairs else ExitCode.NOTHING

    def plain(self) -> JSON:
        """Return it as plain data, for `--json`."""
        return {
            "comparisons": [plain(dataclasses.asdict(one)) for one in self.comparisons],
            "unmatched": list(self.unmatched),
            "exit_code": int(self.exit_code),
        }


def compare(
    reports: Path,
    a: str | None = None,
    b: str | None = None,
    *,
    suites: Callable[[RunFolder], Sequence[Suite]] = lambda run: (),
) -> Compared:
    """Compare what two words mean.

    Args:
        reports: The folder of all runs.
        a: Nothing: the last run's baselines. A run's id, or `SUITE:VARIANT` of the last run.
        b: The other side, of the same kind. Nothing, after a run: the last run; after a variant, which is then the
            candidate: its suite's baseline.
        suites: Gives the suites of a run: their baselines and margins, those of the later side, and what their variants
            were; those of other names have their first variant as baseline and the default margin.

    Raises:
        UsageError: A word means nothing or two things, there is no run, or both sides are the same.
        StorageError: A run cannot be read.
    """

    def of(run: RunFolder) -> dict[str, Suite]:
        return {suite.name: suite for suite in suites(run)}

    if a is None:
        last = _latest(reports)
        return compare_variants(read_arms(last), suites=of(last))
    one: Arm | RunFolder | None = _meaning(reports, a)
    other: Arm | RunFolder | None
    if b is not None:
        other = _meaning(reports, b)
    elif isinstance(one, Arm):
        last = _latest(reports)
        one, other = _baseline(read_arms(last), one, of(last)), one
    else:
        other = _latest(reports)
    if isinstance(one, Arm) and isinstance(other, Arm):
        return compare_pair(one, other, suites=of(_latest(reports)))
    if isinstance(one, RunFolder) and isinstance(other, RunFolder):
        if one.path.resolve() == other.path.resolve():
            raise UsageError(f"both sides are run {one.run}: name another run to compare it with")
        return compare_runs(read_arms(one), read_arms(other), suites=of(other), before=of(one))
    raise UsageError(f"'{a}' and '{b}' are a run and a variant: compare two runs, or two variants of the last run")


def compare_pair(a: Arm, b: Arm, *, suites: Mapping[str, Suite]) -> Compared:
    """Compare arm B with arm A.

    Raises:
        UsageError: They are the same.
    """
    if a == b:
        raise UsageError(f"both sides are {a.name}: name another variant to compare it with")
    suite = suites.get(b.suite)
    if suite is not None and a.run == b.run and _against(b, suite) == a.variant:
        return Compared(pairs=tuple(_across(suite, (a, b))))
    return Compared(pairs=(_compare(a, b, names=_names(a, b), suites=suites),))


def compare_variants(arms: Iterable[Arm], *, suites: Mapping[str, Suite]) -> Compared:
    """Compare the variants of one run with the baseline of their suite."""
    by_suite: dict[str, list[Arm]] = {}
    for arm in arms:
        by_suite.setdefault(arm.suite, []).append(arm)
    compared: list[Pair] = []
    unmatched: list[str] = []
    for name, found in by_suite.items():
        suite = suites.get(name)
        if suite is not None and suite.against is not None:
            across = list(_across(suite, found))
            compared.extend(across)
            if not across:
                unmatched.append(f"{name}: nothing of it stands in {suite.against.source} to compare it with.")
            continue
        baseline = _baseline(found, found[0], suites, strict=False)
        others = [arm for arm in found if arm is not baseline]
        if not others:
            unmatched.append(f"{name}: only {found[0].variant} was run, so there is nothing to compare it with.")
        elif baseline is None:
            unmatched.append(f"{name}: its baseline was not run.")
        else:
            compared.extend(_candidates(baseline, others, suites))
    return Compared(pairs=tuple(compared), unmatched=tuple(unmatched))


def compare_runs(
    a: Iterable[Arm], b: Iterable[Arm], *, suites: Mapping[str, Suite], before: Mapping[str, Suite]
) -> Compared:
    """Compare two runs, variant by variant of the same name; run A, whose suites are `before`, is the one compared with."""
    first, second = ({arm.name: arm for arm in arms} for arms in (a, b))
    by_suite: dict[str, list[Arm]] = {}
    for name, arm in second.items():
        if name in first:
            by_suite.setdefault(arm.suite, []).append(arm)
    compared = [
        pair
        for name, arms in by_suite.items()
        for pair in _later(name, [(first[arm.name], arm) for arm in arms], suites=suites, before=before)
    ]
    alone = [
        arm for arms, others in ((first, second), (second, first)) for arm in arms.values() if arm.name not in others
    ]
    return Compared(pairs=tuple(compared), unmatched=tuple(f"{arm.name} is only in run {arm.run}." for arm in alone))


def read_arms(run: RunFolder) -> list[Arm]:
    """Read the results of a run, variant by variant, in plan order; conversations are left out."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in read_results(run.path):
        found.setdefault((result.suite, result.variant), []).append(_slim(result))
    return [
        Arm(run=run.run, suite=suite, variant=variant, results=tuple(results), path=run.path)
        for (suite, variant), results in found.items()
    ]


def _later(
    name: str, both: Sequence[tuple[Arm, Arm]], *, suites: Mapping[str, Suite], before: Mapping[str, Suite]
) -> Iterator[Pair]:
    """The variants of one suite in a later run, each with what it was in an earlier one, adjusted for their number."""
    suite = suites.get(name)
    named = {_names(a, b): (a, b) for a, b in both}
    trials = {word: arm.results for words, arms in named.items() for word, arm in zip(words, arms, strict=True)}
    deciding = [words[1] for words, (_, b) in named.items() if not _reported(b, suite)]
    ground = _ground(name, suite)
    alike = {
        words: one
        for words in named
        if same_recordings(trials[words[0]], trials[words[1]])
        and (one := replayed_alike(ground, trials[words[0]], trials[words[1]], names=words))
    }
    pairs = {words[1]: words[0] for words in named if words not in alike}
    told = {(one.baseline, one.candidate): one for one in compare_pairs(ground, pairs, trials, deciding=deciding)}
    for words, arms in named.items():
        yield _pair(*arms, alike.get(words) or told[words], names=words, suites=suites, before=before)


def _compare(
    a: Arm,
    b: Arm,
    *,
    names: tuple[str, str],
    suites: Mapping[str, Suite],
) -> Pair:
    found = compare_arms(_ground(b.suite, suites.get(b.suite)), a.results, b.results, names=names)
    return _pair(a, b, found, names=names, suites=suites, before=suites)


def _pair(
    a: Arm,
    b: Arm,
    found: Comparison,
    *,
    names: tuple[str, str],
    suites: Mapping[str, Suite],
    before: Mapping[str, Suite],
) -> Pair:
    """What was compared, with what differs and whether it decides."""
    suite = suites.get(b.suite)
    facts = [
        arm_facts(_definition(arm, known), arm.results, checks=_checks(arm, known))
        for arm, known in ((a, before), (b, suites))
    ]
    return Pair(a=a, b=b, names=names, comparison=with_changes(found, *facts), decides=not _reported(b, suite))


def _reported(arm: Arm, suite: Suite | None) -> bool:
    """Whether a variant is only reported."""
    return suite is not None and arm.variant in suite.by_name and suite.by_name[arm.variant].report_only


def _definition(arm: Arm, suites: Mapping[str, Suite]) -> Definition | None:
    suite = suites.get(arm.suite)
    variant = suite.by_name.get(arm.variant) if suite else None
    return variant.definition if variant else None


def _checks(arm: Arm, suites: Mapping[str, Suite]) -> Mapping[str, str]:
    suite = suites.get(arm.suite)
    return suite.checked if suite is not None else {}


def _candidates(baseline: Arm, others: Sequence[Arm], suites: Mapping[str, Suite]) -> Iterator[Pair]:
    """The variants of one run, compared as in the run itself."""
    suite = suites.get(baseline.suite)
    arms = {arm.variant: arm.results for arm in others}
    if suite is not None and suite.baseline == baseline.variant:
        compared = compare_suite(suite, {baseline.variant: baseline.results, **arms})
    else:
        ground = _ground(baseline.suite, suite)
        compared = compare_candidates(ground, (baseline.variant, baseline.results), arms, deciding=arms)
    by_name = {arm.variant: arm for arm in others}
    for one in compared:
        arm = by_name[one.candidate]
        yield _pair(baseline, arm, one, names=(baseline.variant, arm.variant), suites=suites, before=suites)


def _across(suite: Suite, arms: Sequence[Arm]) -> Iterator[Pair]:
    """Variants and their counterparts from elsewhere in one run, compared as in the run itself."""
    by_name = {arm.variant: arm for arm in arms}
    for one in compare_across(suite, {name: arm.results for name, arm in by_name.items()}):
        a, b = by_name[one.baseline], by_name[one.candidate]
        decides = role(suite, b.variant) == "candidate"
        yield Pair(a=a, b=b, names=(a.variant, b.variant), comparison=one, decides=decides)


def _against(arm: Arm, suite: Suite | None) -> str | None:
    """The variant from elsewhere in the same run that a variant was compared with; None: there is none."""
    return suite.against.pairs.get(arm.variant) if suite is not None and suite.against is not None else None


def _ground(name: str, suite: Suite | None) -> Ground:
    return Ground.of(suite) if suite is not None else Ground(suite=name, margin=DEFAULT_MARGIN, margin_given=False)


def _names(a: Arm, b: Arm) -> tuple[str, str]:
    """What to call two arms: by no more than what they differ in."""
    if a.run != b.run:
        # The ids of runs begin with their time and end in what tells two of one second apart.
        (first, second), ends = (a.run, b.run), [run.rpartition("-")[2] for run in (a.run, b.run)]
        if all(ends) and ends[0] != ends[1]:
            first, second = ends
        return f"{a.variant} of {first}", f"{b.variant} of {second}"
    return (a.variant, b.variant) if a.suite == b.suite else (a.name, b.name)


def _baseline(arms: Sequence[Arm], arm: Arm, suites: Mapping[str, Suite], *, strict: bool = True) -> Arm | None:
    """The arm that others of `arm`'s suite are compared with.

    Raises:
        UsageError: It has not been run, and `strict`.
    """
    siblings = [one for one in arms if one.suite == arm.suite]
    suite = suites.get(arm.suite)
    name = _against(arm, suite) or (suite.baseline if suite and suite.baseline else siblings[0].variant)
    found = next((one for one in siblings if one.variant == name), None)
    if found is None and strict:
        raise UsageError(f"the baseline '{name}' of suite '{arm.suite}' is not in run {arm.run}: name the other side")
    return found


def _meaning(reports: Path, word: str) -> Arm | RunFolder:
    """What a word means: a variant of the last run, or a run."""
    last = latest_run(reports)
    arms = read_arms(last) if last else []
    found = [arm for arm in arms if arm.name == word] or [arm for arm in arms if arm.variant == word]
    try:
        run = find_run(reports, word)
    except UsageError as error:
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"'{word}' could be any of {', '.join(arm.name for arm in found)}") from None
        hint = did_you_mean(word, [arm.name for arm in arms])
        raise UsageError(f"{error} {hint}" if hint and "Did you mean" not in str(error) else str(error)) from None
    if found:
        raise UsageError(f"'{word}' is a variant of the last run and a run: give the run by its path, {run.path}")
    return run


def _latest(reports: Path) -> RunFolder:
    found = latest_run(reports)
    if found is None:
        raise UsageError(f"there is no run under {reports}: `harness run` makes one")
    return found


def _slim(result: Result) -> Result:
    return replace(slim(result), output=None)
